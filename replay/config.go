package replay

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/lock"
)

// Config of an Engine. The zero value is the default configuration, and each default is the safe
// choice.
type Config struct {
	Lock  lock.Config  // Lock.Remember: zero means as Retention; Lock.MaxValue: the longest record of Cache
	Cache cache.Config // how records are written

	// Prefix goes before the digest in every Redis key, with a colon. Zero means "reprise".
	// Engines with one prefix on one Redis share their keys.
	Prefix string

	// Retention is how long a record is kept, unless Answer.Retention says otherwise. Zero means
	// 24 h; at least Lock.TTL.
	Retention time.Duration

	// Wait is how long a duplicate waits for the answer of the request in progress before it gets
	// ErrInProgress. Zero means not at all, as NoWait does; at most 1 h.
	Wait time.Duration

	OnAbandoned  AbandonedPolicy  // Zero means RunAgain.
	OnFailure    FailurePolicy    // Zero means AbandonFailed.
	OnHangup     HangupPolicy     // Zero means RunOn.
	OnStoreDown  StoreDownPolicy  // Zero means Refuse.
	OnCommitDown CommitDownPolicy // Zero means AnswerUnstored.

	// Shadow runs every request and only observes: what would have been refused or replayed is
	// told to Trace.
	Shadow bool

	// Trace sees the outcome of every request. Nil is off.
	Trace *Trace

	// Logger gets what an operator must look at: requests refused or run without a claim and why,
	// leases lost, answers that could not be stored, unreadable values. Each kind is written at most once
	// a minute, with the number of those left out. It never gets a raw key, nor a text of Redis's, which
	// may quote one. Nil discards.
	Logger *slog.Logger
}

// A ConfigError is one setting that isn't accepted. Its fields are strings: Name (the variable, field
// or argument), Value (what was given; empty for a secret), Want (what is accepted) and Other (the
// second setting of a rule across two, or empty).
type ConfigError = config.Error

// Settings has a row for each field of c that FromEnv reads, those of Lock and Cache included: its
// variable, its default, and what is accepted. It is for other packages' Configs and for the tests of
// the documentation.
func (c *Config) Settings() config.Settings {
	return slices.Concat(c.Lock.Settings().In("Lock"), c.Cache.Settings().In("Cache"), c.own())
}

func (c *Config) own() config.Settings {
	isPrefix := func(s string) bool { return len(s) <= 64 && strings.IndexFunc(s, badInPrefix) < 0 }
	return config.Settings{
		config.String("REPLAY_PREFIX", "Prefix", &c.Prefix).Default("reprise").
			Accept(config.Only("1 to 64 bytes of printable ASCII without spaces and braces", isPrefix)),
		config.Duration("REPLAY_TTL", "Retention", &c.Retention).Default(24 * time.Hour),
		config.Duration("REPLAY_WAIT", "Wait", &c.Wait).Means("not at all").
			Accept(config.OrOff(config.Between(0, config.MaxWait))),
		config.Word("REPLAY_ON_ABANDONED", "OnAbandoned", &c.OnAbandoned).Default(RunAgain),
		config.Word("REPLAY_ON_FAILURE", "OnFailure", &c.OnFailure).Default(AbandonFailed),
		config.Word("REPLAY_ON_HANGUP", "OnHangup", &c.OnHangup).Default(RunOn),
		config.Word("REPLAY_ON_STORE_DOWN", "OnStoreDown", &c.OnStoreDown).Default(Refuse),
		config.Word("REPLAY_ON_COMMIT_DOWN", "OnCommitDown", &c.OnCommitDown).Default(AnswerUnstored),
		config.Bool("REPLAY_SHADOW", "Shadow", &c.Shadow),
	}
}

// WithDefaults returns c with every zero replaced by its default.
func (c Config) WithDefaults() Config {
	c.own().SetDefaults()
	c.Lock.Remember = cmp.Or(c.Lock.Remember, c.Retention)
	c.Lock.MaxValue = cmp.Or(c.Lock.MaxValue, c.Cache.MaxRecord())
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Lock.Logger == nil {
		c.Lock.Logger = c.Logger
	}
	c.Lock, c.Cache = c.Lock.WithDefaults(), c.Cache.WithDefaults()
	return c
}

// Validate returns every fault of c at once, each a *ConfigError. A zero field stands for its
// default.
func (c Config) Validate() error {
	var f config.Faults
	f.Add(config.In("Lock", c.Lock.Validate()), config.In("Cache", c.Cache.Validate()))
	f.CheckEach(c.own())
	f.Check(c.Lock.MaxValue == 0 || c.Lock.MaxValue >= c.Cache.MaxRecord(), "Lock.MaxValue", c.Lock.MaxValue,
		"at least Cache.MaxDecoded plus 429 bytes", "Cache.MaxDecoded")
	d := c.WithDefaults()
	f.Check(d.Retention >= d.Lock.TTL && d.Retention <= config.TenYears, "Retention", d.Retention,
		"Lock.TTL to 87600h", "Lock.TTL")
	return f.Err()
}

// badInPrefix: a brace could make a hash tag, which would put every key into one slot of a cluster.
func badInPrefix(r rune) bool { return r <= ' ' || r > '~' || r == '{' || r == '}' }

// FromEnv reads the variables of [Config.Settings], REPLAY_TTL, LOCK_TTL and so on, each behind prefix
// (conventionally "REPRISE_"), from environ, which has the form of [os.Environ]; docs/settings.md has
// their table. The error has every fault at once, each a *ConfigError with the variable's name and
// what it accepts; the Config is then zero.
func FromEnv(prefix string, environ []string) (Config, error) {
	return config.FromEnv[Config](prefix, environ)
}
