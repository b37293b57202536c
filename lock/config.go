package lock

import (
	"log/slog"
	"time"

	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/internal/envconf"
)

// Config of a Locker. The zero value is the default configuration.
type Config struct {
	// TTL is how long a lease lasts unless it is renewed, and so how long a key stays held when
	// its holder dies. Zero means 15 s; at least 100 ms.
	TTL time.Duration `env:"LOCK_TTL"`

	// Renew is how often a lease is renewed. Zero means a third of TTL; less than half of it, so
	// that one renewal can fail.
	Renew time.Duration `env:"LOCK_RENEW"`

	// MaxHold is how long a key can be held in all: the last renewal extends the lease no further. (The
	// time that renewal is on its way comes on top, which is Timeout at most.) The lease's context ends
	// with cause ErrMaxHold one Timeout before, or a fiftieth of TTL if that is more, so that what was done
	// can still be stored. Zero means 10 min; at least TTL.
	MaxHold time.Duration `env:"LOCK_MAX_HOLD"`

	// Remember is how long a claim stays readable after its lease ran out, so that the next
	// holder learns of it. Zero means 24 h; at least TTL.
	Remember time.Duration `env:"LOCK_REMEMBER"`

	// Timeout bounds each round trip to Redis. Zero means 2 s, or a third of TTL if that is less;
	// at most half of TTL.
	Timeout time.Duration `env:"LOCK_TIMEOUT"`

	// Acks is how many replicas of the key's node must confirm a claim, its renewals and a commit.
	// Zero asks none: replication is asynchronous, and a failover forgets what the promoted replica
	// had not received. With n, it forgets nothing that was confirmed, provided that the promoted
	// replica is one of the n that did (sure if the node has n replicas in all). A claim that too
	// few confirm is given back; a lease whose renewals too few confirm is lost when it runs out.
	Acks int `env:"LOCK_ACKS"`

	// AckWithin is how long Acks are waited for. Zero means 500 ms, or half of Timeout if that is
	// less; at least 1 ms, at most half of Timeout, and less than the client's ReadTimeout. While
	// replicas are away, a replay takes this long too: its WAIT is on its way before it is known
	// that nothing was written.
	AckWithin time.Duration `env:"LOCK_ACK_WITHIN"`

	// MaxWaiters is how many may wait in Acquire at once; more are told at once that the key is
	// held. Zero means 10,000. Each keeps a goroutine, and what its caller keeps.
	MaxWaiters int `env:"LOCK_MAX_WAITERS"`

	// MaxWaitersPerScope is how many of them may be of one Terms.Scope, so that one tenant can't take
	// waiting away from all. Zero means a tenth of MaxWaiters, or 1 if that is less; at most MaxWaiters,
	// for a service with one scope. Waiters without a scope are bounded by MaxWaiters alone.
	MaxWaitersPerScope int `env:"LOCK_MAX_WAITERS_PER_SCOPE"`

	// MaxValue is how long in bytes a value under a key can be: a longer one is not committed, and is
	// ErrCorrupt to others, who don't fetch it to find that out. Zero means 16 MiB; 1 KiB to 512 MiB,
	// which is what Redis takes. An engine of package replay sets it to the longest record.
	MaxValue int64 `env:"LOCK_MAX_VALUE" want:"a size from 1KiB to 512MiB"`

	// Strict makes New and Check fail for settings of the client and of Redis that weaken the
	// promise. They log a warning otherwise.
	Strict bool `env:"LOCK_STRICT"`

	// Trace tells what becomes of leases. Nil tells nobody.
	Trace *Trace `env:"-"`

	// Logger gets warnings about the client's and Redis's settings, and about leases that are lost or
	// can't be renewed, each kind at most once a minute. Nil discards them.
	Logger *slog.Logger `env:"-"`
}

// A Trace is told of leases in trouble. Its functions may be nil; they must not block.
type Trace struct {
	Suspended func(*Lease, error) // a renewal failed; the lease is live until it runs out
	Resumed   func(*Lease)        // a renewal succeeded after one that failed
	Lost      func(*Lease)        // the lease is gone, and its context has ended
}

const (
	defaultTTL      = 15 * time.Second
	defaultMaxHold  = 10 * time.Minute
	defaultRemember = 24 * time.Hour
	defaultTimeout  = 2 * time.Second
	defaultAck      = 500 * time.Millisecond

	minTTL = 100 * time.Millisecond
	// maxDuration keeps lease + remember in milliseconds exact in Lua, whose numbers are
	// float64, and within what PEXPIRE takes.
	maxDuration = 10 * 365 * 24 * time.Hour
	maxAcks     = 100

	defaultWaiters = 10_000

	defaultValue = 16 << 20
	minValue     = 1 << 10 // room for a claim, which is no longer than 210 bytes
	maxValue     = 512 << 20
)

// WithDefaults returns c with every zero replaced by its default.
func (c Config) WithDefaults() Config {
	or := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	or(&c.TTL, defaultTTL)
	or(&c.Renew, c.TTL/3)
	or(&c.MaxHold, max(defaultMaxHold, c.TTL))
	or(&c.Remember, max(defaultRemember, c.TTL))
	or(&c.Timeout, min(defaultTimeout, c.TTL/3))
	or(&c.AckWithin, min(defaultAck, c.Timeout/2))
	if c.MaxWaiters == 0 {
		c.MaxWaiters = defaultWaiters
	}
	if c.MaxWaitersPerScope == 0 {
		c.MaxWaitersPerScope = max(1, c.MaxWaiters/10)
	}
	if c.MaxValue == 0 {
		c.MaxValue = defaultValue
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// A ConfigError is one setting that isn't accepted: its name, the value and what is accepted.
type ConfigError = config.Error

// Validate returns every fault of c at once, each a *ConfigError. A zero field stands for its
// default and is never at fault.
func (c Config) Validate() error {
	d := c.WithDefaults()
	ttl := d.TTL
	var faults config.Faults
	faults.Check(ttl >= minTTL && ttl <= maxDuration, "TTL", ttl, "100ms to 87600h", "")
	rule := func(name string, d time.Duration, ok bool, want string) {
		faults.Check(d == 0 || ok, name, d, want, "TTL")
	}
	rule("Renew", c.Renew, c.Renew > 0 && c.Renew < ttl/2, "more than 0 and less than half of TTL")
	rule("MaxHold", c.MaxHold, c.MaxHold >= ttl, "at least TTL")
	rule("Remember", c.Remember, c.Remember >= ttl && c.Remember <= maxDuration, "TTL to 87600h")
	rule("Timeout", c.Timeout, c.Timeout > 0 && c.Timeout <= ttl/2, "more than 0 and at most half of TTL")
	faults.Check(c.Acks >= 0 && c.Acks <= maxAcks, "Acks", c.Acks, "0 to 100", "")
	faults.Check(c.AckWithin == 0 || c.AckWithin >= time.Millisecond && c.AckWithin <= d.Timeout/2,
		"AckWithin", c.AckWithin, "1ms to half of Timeout", "Timeout")
	faults.Check(c.MaxWaiters >= 0, "MaxWaiters", c.MaxWaiters, "at least 1", "")
	faults.Check(c.MaxWaitersPerScope == 0 || c.MaxWaitersPerScope > 0 && c.MaxWaitersPerScope <= d.MaxWaiters,
		"MaxWaitersPerScope", c.MaxWaitersPerScope, "1 to MaxWaiters", "MaxWaiters")
	faults.Check(c.MaxValue == 0 || c.MaxValue >= minValue && c.MaxValue <= maxValue, "MaxValue", c.MaxValue, "1024 to 536870912 bytes", "")
	return faults.Err()
}

// FromEnv reads the variables LOCK_TTL, LOCK_RENEW, LOCK_MAX_HOLD, LOCK_REMEMBER, LOCK_TIMEOUT,
// LOCK_ACKS, LOCK_ACK_WITHIN, LOCK_MAX_WAITERS, LOCK_MAX_WAITERS_PER_SCOPE, LOCK_MAX_VALUE and
// LOCK_STRICT, each behind prefix (by custom "REPRISE_"), from environ, which has the form of
// os.Environ(). It returns every fault at once.
func FromEnv(prefix string, environ []string) (Config, error) {
	var c Config
	err := envconf.Parse(prefix, environ, &c)
	return c, err
}
