package replay

import (
	"cmp"
	"log/slog"
	"strings"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/internal/envconf"
	"github.com/reprise-go/reprise/lock"
)

// Config of an Engine. The zero value is the default configuration, and each default is the safe
// choice.
type Config struct {
	Lock  lock.Config  // Lock.Remember: zero means as Retention; Lock.MaxValue: the longest record of Cache
	Cache cache.Config // how records are written

	// Prefix goes before the digest in every Redis key, with a colon. Zero means "reprise".
	// Engines with one prefix on one Redis share their keys.
	Prefix string `env:"REPLAY_PREFIX" want:"1 to 64 bytes of printable ASCII without spaces and braces"`

	// Retention is how long a record is kept, unless Answer.Retention says otherwise. Zero means
	// 24 h; at least Lock.TTL.
	Retention time.Duration `env:"REPLAY_TTL"`

	// Wait is how long a duplicate waits for the answer of the request in flight before it gets
	// ErrInProgress. Zero means not at all.
	Wait time.Duration `env:"REPLAY_WAIT" want:"a duration such as 500ms or 10s"`

	OnAbandoned  AbandonedPolicy  `env:"REPLAY_ON_ABANDONED"`   // Zero means RunAgain.
	OnFailure    FailurePolicy    `env:"REPLAY_ON_FAILURE"`     // Zero means AbandonFailed.
	OnHangup     HangupPolicy     `env:"REPLAY_ON_HANGUP"`      // Zero means RunOn.
	OnStoreDown  StoreDownPolicy  `env:"REPLAY_ON_STORE_DOWN"`  // Zero means Refuse.
	OnCommitDown CommitDownPolicy `env:"REPLAY_ON_COMMIT_DOWN"` // Zero means AnswerUnstored.

	// Shadow runs every request and only observes: what would have been refused or replayed is
	// told to Trace.
	Shadow bool `env:"REPLAY_SHADOW"`

	// Trace sees the outcome of every request. Nil is off.
	Trace *Trace `env:"-"`

	// Logger gets what an operator must look at: requests refused or run without a claim and why,
	// leases lost, answers that could not be stored, unreadable values. Each kind is written at most once
	// a minute, with the number of those left out. It never gets a raw key, nor a text of Redis's, which
	// may quote one. Nil discards.
	Logger *slog.Logger `env:"-"`
}

const (
	defaultPrefix    = "reprise"
	defaultRetention = 24 * time.Hour
	maxRetention     = 10 * 365 * 24 * time.Hour
)

// ConfigError is one setting that isn't accepted: its name, the value and what is accepted.
type ConfigError = config.Error

// WithDefaults returns c with every zero replaced by its default.
func (c Config) WithDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.Retention == 0 {
		c.Retention = defaultRetention
	}
	if c.Lock.Remember == 0 {
		c.Lock.Remember = c.Retention
	}
	c.OnAbandoned = cmp.Or(c.OnAbandoned, RunAgain)
	c.OnFailure = cmp.Or(c.OnFailure, AbandonFailed)
	c.OnStoreDown = cmp.Or(c.OnStoreDown, Refuse)
	if c.Lock.MaxValue == 0 {
		c.Lock.MaxValue = c.Cache.MaxRecord()
	}
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
	f.Check(c.Lock.MaxValue == 0 || c.Lock.MaxValue >= c.Cache.MaxRecord(), "Lock.MaxValue", c.Lock.MaxValue,
		"Cache.MaxDecoded and 364 bytes, or zero", "Cache.MaxDecoded")
	c = c.WithDefaults() // only now, so that a bad Retention is not told of Lock.Remember too
	f.Check(len(c.Prefix) <= 64 && strings.IndexFunc(c.Prefix, badInPrefix) < 0, "Prefix", c.Prefix,
		"1 to 64 bytes of printable ASCII without spaces and braces", "")
	f.Check(c.Retention >= c.Lock.TTL && c.Retention <= maxRetention, "Retention", c.Retention,
		"Lock.TTL to 87600h", "Lock.TTL")
	f.Check(c.Wait >= 0 && c.Wait <= maxWait, "Wait", c.Wait, "0 to 1h", "")
	f.Check(c.OnAbandoned <= AskReconcile, "OnAbandoned", c.OnAbandoned, "one of its constants", "")
	f.Check(c.OnFailure <= ReleaseFailed, "OnFailure", c.OnFailure, "one of its constants", "")
	f.Check(c.OnHangup <= StopWithCaller, "OnHangup", c.OnHangup, "one of its constants", "")
	f.Check(c.OnStoreDown <= RunUnguarded, "OnStoreDown", c.OnStoreDown, "one of its constants", "")
	f.Check(c.OnCommitDown <= WithholdUnstored, "OnCommitDown", c.OnCommitDown, "one of its constants", "")
	return f.Err()
}

const maxWait = time.Hour

// badInPrefix: a brace could make a hash tag, which would put every key into one slot of a cluster.
func badInPrefix(r rune) bool { return r <= ' ' || r > '~' || r == '{' || r == '}' }

// FromEnv reads the variables REPLAY_PREFIX, REPLAY_TTL, REPLAY_WAIT, REPLAY_ON_ABANDONED (run,
// refuse, reconcile), REPLAY_ON_FAILURE (abandon, release), REPLAY_ON_HANGUP (run, stop),
// REPLAY_ON_STORE_DOWN (refuse, run), REPLAY_ON_COMMIT_DOWN (answer, refuse), REPLAY_SHADOW, and
// those of lock.FromEnv and cache.FromEnv, each behind prefix (by custom "REPRISE_"), from environ,
// which has the form of os.Environ(). It returns every fault at once.
func FromEnv(prefix string, environ []string) (Config, error) {
	var c Config
	err := envconf.Parse(prefix, environ, &c)
	return c, err
}
