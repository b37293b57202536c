package effect

import (
	"database/sql"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/internal/config"
)

// A Config says which table there is, and how it is used. Only Dialect has no default. All programs
// that share a table have to agree on Dialect and Name, and on Cache as that says.
type Config struct {
	// Cache says how values are written: bounds, compression, sealing. It is best that of the
	// engine.
	Cache cache.Config

	// Dialect is the database's SQL. There is no default.
	Dialect Dialect

	// Name is the table's, except in SQLite with its schema and a dot before it if need be:
	// lower-case letters, digits and underscores. A second table, for [Fence], has the same name
	// and "_fences" after it. Zero means "reprise_effects".
	//
	// A row is found again by the engine's Prefix, the request's scope and its key: two services
	// with one table need two prefixes, and with another prefix all effects so far are forgotten.
	Name string

	// Retention is how old a row has to be before [Table.Purge] may delete it: at least the
	// engine's retention and its longest hold together, which [Table.Check] compares. Zero means 48
	// h.
	Retention time.Duration

	// OnNoKey is what happens without a key. Zero means RefuseNoKey.
	OnNoKey NoKeyPolicy

	// Isolation is that of the transactions which [Do] begins. Zero means the database's default.
	// For the row, each level is as safe as any other.
	Isolation Isolation
}

// Dialect is a database's SQL: the word that its variable takes.
type Dialect string

const (
	PostgreSQL Dialect = "postgres"
	MySQL      Dialect = "mysql" // and MariaDB
	SQLite     Dialect = "sqlite"
)

// Words returns every Dialect.
func (Dialect) Words() []Dialect { return []Dialect{PostgreSQL, MySQL, SQLite} }

// NoKeyPolicy is what happens where the context is not that of work under a key: on a route that
// takes requests without one, or outside of any engine.
type NoKeyPolicy string

const (
	RefuseNoKey NoKeyPolicy = "refuse" // ErrNoKey
	RunNoKey    NoKeyPolicy = "run"    // run the function each time, and write no row
)

// Words returns every NoKeyPolicy.
func (NoKeyPolicy) Words() []NoKeyPolicy { return []NoKeyPolicy{RefuseNoKey, RunNoKey} }

// Isolation is a transaction's isolation level. SQLite knows Serializable alone, which is its
// default.
type Isolation string

const (
	ReadCommitted  Isolation = "read-committed"
	RepeatableRead Isolation = "repeatable-read"
	Serializable   Isolation = "serializable"
)

// Words returns every Isolation.
func (Isolation) Words() []Isolation {
	return []Isolation{ReadCommitted, RepeatableRead, Serializable}
}

var isolationLevels = map[Isolation]sql.IsolationLevel{
	"":             sql.LevelDefault,
	ReadCommitted:  sql.LevelReadCommitted,
	RepeatableRead: sql.LevelRepeatableRead,
	Serializable:   sql.LevelSerializable,
}

// A ConfigError is one setting or argument that isn't accepted. Its fields are strings: Name (the
// variable, field or argument), Value (what was given), Want (what is accepted) and Other (the
// second setting of a rule across two, or empty).
type ConfigError = config.Error

// Settings has a row for each field of c that FromEnv reads, those of Cache included: its variable,
// its default, and what is accepted. It is for other packages' Configs and for the tests of the
// documentation.
func (c *Config) Settings() config.Settings {
	return slices.Concat(c.Cache.Settings().In("Cache"), c.own())
}

func (c *Config) own() config.Settings {
	return config.Settings{
		config.Word("EFFECT_DIALECT", "Dialect", &c.Dialect).Means("none: it has to be set"),
		config.String("EFFECT_TABLE", "Name", &c.Name).Default("reprise_effects").
			Accept(config.Only(wantTable, tableName.MatchString)),
		config.Duration("EFFECT_RETENTION", "Retention", &c.Retention).Default(48 * time.Hour).
			Accept(config.Between(time.Second, config.TenYears)),
		config.Word("EFFECT_ON_NO_KEY", "OnNoKey", &c.OnNoKey).Default(RefuseNoKey),
		config.Word("EFFECT_ISOLATION", "Isolation", &c.Isolation).Means("the database's"),
	}
}

// Of a name, 48 bytes leave room for what is put after it within PostgreSQL's 63 and MySQL's 64.
var tableName = regexp.MustCompile(`^([a-z_][a-z0-9_]{0,47}\.)?[a-z_][a-z0-9_]{0,47}$`)

const wantTable = "1 to 48 lower-case letters, digits and underscores, after a schema and a dot if need be"

// WithDefaults returns c with every zero replaced by its default.
func (c Config) WithDefaults() Config {
	c.own().SetDefaults()
	c.Cache = c.Cache.WithDefaults()
	return c
}

// Validate returns every fault of c at once, each a *ConfigError. A zero field stands for its
// default.
func (c Config) Validate() error {
	var f config.Faults
	f.Add(config.In("Cache", c.Cache.Validate()))
	f.CheckEach(c.own())
	f.Check(c.Dialect != "", "Dialect", c.Dialect, config.OneOf(c.Dialect.Words()), "")
	// SQLite's schemas are files, and no transaction over two files is safe from a crash in WAL
	// mode.
	f.Check(c.Dialect != SQLite || !strings.Contains(c.Name, "."), "Name", c.Name,
		"a name without a schema", "Dialect")
	return f.Err()
}

// FromEnv reads the variables of [Config.Settings], EFFECT_DIALECT, CACHE_SEAL_KEYS and so on, each
// behind prefix (conventionally "REPRISE_"), from environ, which has the form of [os.Environ];
// docs/settings.md has their table. The error has every fault at once, each a *ConfigError with the
// variable's name and what it accepts; the Config is then zero.
func FromEnv(prefix string, environ []string) (Config, error) {
	return config.FromEnv[Config](prefix, environ)
}
