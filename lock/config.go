package lock

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/reprise-go/reprise/internal/config"
)

// Config of a Locker. The zero value is the default configuration.
type Config struct {
	// TTL is how long a lease lasts unless it is renewed, and so how long a key stays held when
	// its holder dies. Zero means 15 s; at least 100 ms.
	TTL time.Duration

	// Renew is how often a lease is renewed. Zero means a third of TTL; less than half of it, so
	// that one renewal can fail.
	Renew time.Duration

	// MaxHold is how long a key can be held in all: the last renewal extends the lease no further.
	// (The time that renewal is on its way comes on top, which is Timeout at most.) The lease's
	// context ends with cause ErrMaxHold one Timeout before, or a fiftieth of TTL if that is more, so
	// that what was done can still be stored. Zero means 10 min; at least TTL.
	MaxHold time.Duration

	// Remember is how long a claim stays readable after its lease ran out, so that the next
	// holder learns of it. Zero means 24 h; at least TTL.
	Remember time.Duration

	// Timeout bounds each round trip to Redis. Zero means 2 s, or a third of TTL if that is less;
	// at most half of TTL.
	Timeout time.Duration

	// Acks is how many replicas of the key's node must confirm a claim, its renewals and a commit.
	// Zero asks none: replication is asynchronous, and a failover forgets what the promoted replica
	// had not received. With n, it forgets nothing that was confirmed, provided that the promoted
	// replica is one of the n that did (sure if the node has n replicas in all). A claim that too
	// few confirm is given back; a lease whose renewals too few confirm is lost when it runs out.
	Acks int

	// AckWithin is how long Acks are waited for. Zero means 500 ms, or half of Timeout if that is
	// less; at least 1 ms, at most half of Timeout, and less than the client's ReadTimeout. While
	// replicas are away, a replay takes this long too: its WAIT is on its way before it is known
	// that nothing was written.
	AckWithin time.Duration

	// Pipeline says whether scripts of many callers share pipelines. The zero value is PipelineAuto.
	Pipeline Pipeline

	// MaxWaiters is how many may wait in Acquire at once; more are told at once that the key is
	// held. Zero means 10,000. Each keeps a goroutine, and what its caller keeps.
	MaxWaiters int

	// MaxWaitersPerScope is how many of them may be of one Terms.Scope, so that one tenant can't
	// take waiting away from all. Zero means a tenth of MaxWaiters, or 1 if that is less; at most
	// MaxWaiters, for a service with one scope. Waiters without a scope are bounded by MaxWaiters
	// alone.
	MaxWaitersPerScope int

	// MaxValue is how long in bytes a value under a key can be: a longer one is not committed, and is
	// ErrCorrupt to others, who don't fetch it to find that out. Zero means 16 MiB; 1 KiB to 512 MiB,
	// which is what Redis takes. An engine of package replay sets it to the longest record.
	MaxValue int64

	// Strict makes New and Check fail for settings of the client and of Redis that weaken the
	// promise. They log a warning otherwise.
	Strict bool

	// Trace is told what becomes of leases, waiters and scripts. Nil is off.
	Trace *Trace

	// Logger gets warnings about the client's and Redis's settings, and about leases that are lost or
	// can't be renewed, each kind at most once a minute. Nil discards them.
	Logger *slog.Logger
}

// Pipeline is how scripts go to a node when many callers have one to send.
//
// With PipelineOff, each goes on a connection of its own, whatever its client has to spare. Choose it
// where each command must be seen by the client's hooks with its caller's context, as for a span of a
// trace.
type Pipeline string

const (
	PipelineAuto Pipeline = "auto" // alone while few are under way, and in shared pipelines beyond that
	PipelineOff  Pipeline = "off"  // always alone
)

// Words returns every Pipeline.
func (Pipeline) Words() []Pipeline { return []Pipeline{PipelineAuto, PipelineOff} }

// Settings has a row for each field of c that FromEnv reads: its variable, its default, and what is
// accepted. It is for other packages' Configs and for the tests of the documentation. Renew, MaxHold,
// Remember, Timeout and AckWithin are bounded by others: see Validate.
func (c *Config) Settings() config.Settings {
	const minTTL = 100 * time.Millisecond
	const minValue, maxValue int64 = 1 << 10, 512 << 20 // a claim has room in the least: it is no longer than 210 bytes
	return config.Settings{
		config.Duration("LOCK_TTL", "TTL", &c.TTL).Default(15 * time.Second).Accept(config.Between(minTTL, config.TenYears)),
		config.Duration("LOCK_RENEW", "Renew", &c.Renew).Means("a third of `LOCK_TTL`"),
		config.Duration("LOCK_MAX_HOLD", "MaxHold", &c.MaxHold).Means("`10m`"),
		config.Duration("LOCK_REMEMBER", "Remember", &c.Remember).Means("as `REPLAY_TTL`"),
		config.Duration("LOCK_TIMEOUT", "Timeout", &c.Timeout).Means("`2s`"),
		config.Int("LOCK_ACKS", "Acks", &c.Acks).Default(0).Accept(config.Between(0, 100)),
		config.Duration("LOCK_ACK_WITHIN", "AckWithin", &c.AckWithin).Means("`500ms`"),
		config.Word("LOCK_PIPELINE", "Pipeline", &c.Pipeline).Default(PipelineAuto),
		config.Int("LOCK_MAX_WAITERS", "MaxWaiters", &c.MaxWaiters).Default(10_000).Accept(config.AtLeast(1)),
		config.Int("LOCK_MAX_WAITERS_PER_SCOPE", "MaxWaitersPerScope", &c.MaxWaitersPerScope).Means("a tenth of `LOCK_MAX_WAITERS`"),
		config.Size("LOCK_MAX_VALUE", "MaxValue", &c.MaxValue).Default(16 << 20).Means("longest record").Accept(config.Between(minValue, maxValue)),
		config.Bool("LOCK_STRICT", "Strict", &c.Strict),
	}
}

// WithDefaults returns c with every zero replaced by its default.
func (c Config) WithDefaults() Config {
	c.Settings().SetDefaults()
	c.Renew = cmp.Or(c.Renew, c.TTL/3)
	c.MaxHold = cmp.Or(c.MaxHold, max(10*time.Minute, c.TTL))
	c.Remember = cmp.Or(c.Remember, max(24*time.Hour, c.TTL))
	c.Timeout = cmp.Or(c.Timeout, min(2*time.Second, c.TTL/3))
	c.AckWithin = cmp.Or(c.AckWithin, min(500*time.Millisecond, c.Timeout/2))
	c.MaxWaitersPerScope = cmp.Or(c.MaxWaitersPerScope, max(1, c.MaxWaiters/10))
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// A ConfigError is one setting that isn't accepted. Its fields are strings: Name (the variable, field
// or argument), Value (what was given), Want (what is accepted) and Other (the second setting of a
// rule across two, or empty).
type ConfigError = config.Error

// Validate returns every fault of c at once, each a *ConfigError. A zero field stands for its
// default and is never at fault.
func (c Config) Validate() error {
	var f config.Faults
	f.CheckEach(c.Settings())
	d := c.WithDefaults()
	f.Check(c.Renew == 0 || c.Renew > 0 && c.Renew < d.TTL/2, "Renew", c.Renew,
		"more than 0 and less than half of TTL", "TTL")
	f.Check(c.MaxHold == 0 || c.MaxHold >= d.TTL, "MaxHold", c.MaxHold, "at least TTL", "TTL")
	f.Check(c.Remember == 0 || c.Remember >= d.TTL && c.Remember <= config.TenYears, "Remember", c.Remember,
		"TTL to 87600h", "TTL")
	f.Check(c.Timeout == 0 || c.Timeout > 0 && c.Timeout <= d.TTL/2, "Timeout", c.Timeout,
		"more than 0 and at most half of TTL", "TTL")
	f.Check(c.AckWithin == 0 || c.AckWithin >= time.Millisecond && c.AckWithin <= d.Timeout/2, "AckWithin", c.AckWithin,
		"1ms to half of Timeout", "Timeout")
	f.Check(c.MaxWaitersPerScope == 0 || c.MaxWaitersPerScope > 0 && c.MaxWaitersPerScope <= d.MaxWaiters,
		"MaxWaitersPerScope", c.MaxWaitersPerScope, "1 to MaxWaiters", "MaxWaiters")
	return f.Err()
}

// FromEnv reads the variables of [Config.Settings], LOCK_TTL and so on, each behind prefix
// (conventionally "REPRISE_"), from environ, which has the form of [os.Environ]; docs/settings.md has
// their table. The error has every fault at once, each a *ConfigError with the variable's name and
// what it accepts; the Config is then zero.
func FromEnv(prefix string, environ []string) (Config, error) {
	return config.FromEnv[Config](prefix, environ)
}
