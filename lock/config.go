package lock

import (
	"log/slog"
	"time"

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

	// MaxHold is how long a key can be held in all. Zero means 10 min; at least TTL.
	MaxHold time.Duration `env:"LOCK_MAX_HOLD"`

	// Remember is how long a claim stays readable after its lease ran out, so that the next
	// holder learns of it. Zero means 24 h; at least TTL.
	Remember time.Duration `env:"LOCK_REMEMBER"`

	// Timeout bounds each round trip to Redis. Zero means 2 s, or a third of TTL if that is less;
	// at most half of TTL.
	Timeout time.Duration `env:"LOCK_TIMEOUT"`

	// Trace tells what becomes of leases. Nil tells nobody.
	Trace *Trace `env:"-"`

	// Logger gets warnings about the client's settings. Nil discards them.
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

	minTTL = 100 * time.Millisecond
	// maxDuration keeps lease + remember in milliseconds exact in Lua, whose numbers are
	// float64, and within what PEXPIRE takes.
	maxDuration = 10 * 365 * 24 * time.Hour
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
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// A ConfigError is one setting that isn't accepted: its name, the value and what is accepted.
type ConfigError = envconf.Error

// Validate returns every fault of c at once, each a *ConfigError. A zero field stands for its
// default and is never at fault.
func (c Config) Validate() error {
	ttl := c.WithDefaults().TTL
	var faults envconf.Faults
	faults.Check(ttl >= minTTL && ttl <= maxDuration, "TTL", ttl, "100ms to 87600h", "")
	rule := func(name string, d time.Duration, ok bool, want string) {
		faults.Check(d == 0 || ok, name, d, want, "TTL")
	}
	rule("Renew", c.Renew, c.Renew > 0 && c.Renew < ttl/2, "more than 0 and less than half of TTL")
	rule("MaxHold", c.MaxHold, c.MaxHold >= ttl, "at least TTL")
	rule("Remember", c.Remember, c.Remember >= ttl && c.Remember <= maxDuration, "TTL to 87600h")
	rule("Timeout", c.Timeout, c.Timeout > 0 && c.Timeout <= ttl/2, "more than 0 and at most half of TTL")
	return faults.Err()
}

// FromEnv reads the variables LOCK_TTL, LOCK_RENEW, LOCK_MAX_HOLD, LOCK_REMEMBER and
// LOCK_TIMEOUT, each behind prefix (by custom "REPRISE_"), from environ, which has the form of
// os.Environ(). It returns every fault at once.
func FromEnv(prefix string, environ []string) (Config, error) {
	var c Config
	err := envconf.Parse(prefix, environ, &c)
	return c, err
}
