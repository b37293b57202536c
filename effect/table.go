package effect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/replay"
)

// A Table is where effects are remembered: a table in the database that they are in. It is safe for
// concurrent use and needs no closing.
type Table struct {
	db    *sql.DB
	cfg   Config
	sql   statements
	codec *cache.Codec
}

// New makes a Table of db, which is not contacted yet. Its connections may be to any primary of the
// database, but not to a replica. It fails with every fault of cfg at once.
//
// A program whose transactions are another library's has no use for [Do] and may give a nil db;
// Migrate, Check and Purge need one. (pgx makes one by stdlib.OpenDBFromPool, GORM by DB.)
func New(db *sql.DB, cfg Config) (*Table, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("effect: %w", err)
	}
	cfg = cfg.WithDefaults()
	codec, err := cache.NewCodec(cfg.Cache)
	if err != nil {
		return nil, err
	}
	return &Table{db: db, cfg: cfg, sql: statementsFor(cfg.Dialect, cfg.Name), codec: codec}, nil
}

// Config returns the table's configuration, defaults filled in.
func (t *Table) Config() Config { return t.cfg }

// Schema returns the SQL that makes the tables if they aren't there, to be put into one's own
// migrations: statements with a semicolon after each.
func (t *Table) Schema() string { return t.sql.schema + ";\n" }

// Migrate makes the tables if they aren't there. Several programs may do so at once.
func (t *Table) Migrate(ctx context.Context) error {
	if err := t.needDB(); err != nil {
		return err
	}
	for query := range strings.SplitSeq(t.sql.schema, ";\n") {
		if err := t.create(ctx, query); err != nil {
			return fmt.Errorf("effect: %s: %w", t.cfg.Name, err)
		}
	}
	return nil
}

// create runs one statement of the schema. Where two programs create one table at the same time,
// PostgreSQL can let the second fail over what the first has just made, IF NOT EXISTS or not.
func (t *Table) create(ctx context.Context, query string) (err error) {
	for range 5 {
		if _, err = t.db.ExecContext(ctx, query); err == nil || !t.cfg.Dialect.madeMeanwhile(err) {
			return err
		}
	}
	return err
}

// Check returns what is amiss with the table, or with its retention beside that of engine, whose
// work the effects are of: a row has to outlive the record in Redis, or a request could be run
// again whose effect nobody remembers. It is meant for a program's start. Its errors are
// *ConfigError and the database's. Retentions that single answers have by Answer.Retention it
// doesn't know.
func (t *Table) Check(ctx context.Context, engine *replay.Engine) error {
	if err := t.needDB(); err != nil {
		return err
	}
	tables := t.checkTables(ctx)
	var retention error
	theirs := engine.Config()
	if least := theirs.Retention + theirs.Lock.MaxHold; t.cfg.Retention < least {
		retention = fmt.Errorf("effect: %w", &ConfigError{Name: "Retention", Value: t.cfg.Retention.String(),
			Want: "at least " + least.String() + ", the engine's Retention and Lock.MaxHold"})
	}
	return errors.Join(tables, retention)
}

func (t *Table) checkTables(ctx context.Context) error {
	for _, query := range []string{t.sql.columns, t.sql.fenceColumns} {
		rows, err := t.db.QueryContext(ctx, query)
		if err != nil {
			return fmt.Errorf("effect: %s: %w", t.cfg.Name, err)
		}
		rows.Close()
	}
	if t.cfg.Dialect != MySQL {
		return nil
	}
	return errors.Join(t.checkTransactional(ctx, t.cfg.Name), t.checkTransactional(ctx, t.cfg.Name+"_fences"))
}

// checkTransactional asks MySQL for the storage engine: MyISAM's tables know no transactions.
func (t *Table) checkTransactional(ctx context.Context, name string) error {
	schema, table, qualified := strings.Cut(name, ".")
	if !qualified {
		schema, table = "", name
	}
	const query = "SELECT engine FROM information_schema.tables" +
		" WHERE table_schema = coalesce(nullif(?, ''), database()) AND table_name = ?"
	var engine string
	if err := t.db.QueryRowContext(ctx, query, schema, table).Scan(&engine); err != nil {
		return fmt.Errorf("effect: %s: %w", name, err)
	}
	if engine != "InnoDB" {
		return &ConfigError{Name: "Name", Value: name, Want: "a table of InnoDB, not of " + engine}
	}
	return nil
}

// Purge deletes the rows that are older than olderThan, at least Config.Retention; zero means that.
// It deletes at most 1,000 a statement, each its own transaction, so that live work waits for none
// of it, and returns how many it has deleted, also with an error. It is for a job that runs now and
// then; several at once do no harm.
func (t *Table) Purge(ctx context.Context, olderThan time.Duration) (deleted int64, err error) {
	if err := t.needDB(); err != nil {
		return 0, err
	}
	if olderThan == 0 {
		olderThan = t.cfg.Retention
	}
	if olderThan < t.cfg.Retention {
		return 0, &ConfigError{Name: "olderThan", Value: olderThan.String(),
			Want: "at least " + t.cfg.Retention.String(), Other: "Retention"}
	}
	for _, query := range []string{t.sql.purge, t.sql.purgeFences} {
		for last := int64(purgeBatch); last >= purgeBatch; deleted += last {
			last, err = t.purgeBatch(ctx, query, olderThan)
			if err != nil {
				return deleted, fmt.Errorf("effect: %s: %w", t.cfg.Name, err)
			}
		}
	}
	return deleted, nil
}

func (t *Table) purgeBatch(ctx context.Context, query string, olderThan time.Duration) (deleted int64, err error) {
	err = t.again(ctx, func() error {
		done, err := t.db.ExecContext(ctx, query, olderThan.Milliseconds())
		if err == nil {
			deleted, err = done.RowsAffected()
		}
		return err
	})
	return deleted, err
}

func (t *Table) needDB() error {
	if t.db == nil {
		return &ConfigError{Name: "db", Value: "nil", Want: "a *sql.DB (see New)"}
	}
	return nil
}
