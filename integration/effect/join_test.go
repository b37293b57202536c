package effect_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/integration/database"
	"github.com/reprise-go/reprise/replay"
)

// ofPgx is a transaction of pgx as effect needs it.
func ofPgx(tx pgx.Tx) effect.Tx {
	return effect.Tx{
		Exec: func(ctx context.Context, query string, args ...any) (int64, error) {
			tag, err := tx.Exec(ctx, query, args...)
			return tag.RowsAffected(), err
		},
		QueryRow: func(ctx context.Context, query string, args ...any) effect.Row {
			return tx.QueryRow(ctx, query, args...)
		},
	}
}

// byPgx charges in a transaction of pgx's own, again where the database has it so.
func byPgx(ctx context.Context, pool *pgxpool.Pool, table *effect.Table, key string) (got receipt, err error) {
	for {
		err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
			entry, err := effect.Join[receipt](ctx, table, ofPgx(tx), "charge")
			if err != nil {
				return err
			}
			var done bool
			if got, done = entry.Value(); done {
				return nil
			}
			got = receipt{rand.Text()}
			if _, err := tx.Exec(ctx, "INSERT INTO charges VALUES ($1, $2)", key, got.Number); err != nil {
				return err
			}
			return entry.Keep(ctx, got)
		})
		if err == nil || !table.Retryable(err) {
			return got, err
		}
	}
}

// The table of a program whose transactions are pgx's needs no *sql.DB for them. Redis is down.
func TestAttemptsAtOnceByPgx(t *testing.T) {
	w := newWorld(t, database.New(t, database.PostgreSQL))
	pool, err := pgxpool.New(w.bounded(), w.db.Source)
	w.must(err)
	w.Cleanup(pool.Close)
	table := w.tableOn(nil)
	var machines [callers]*machine
	for c := range machines {
		machines[c] = w.machine(unguarded)
	}
	w.redis.Close()
	answers := make([][callers]receipt, keys)
	var running sync.WaitGroup
	for c, m := range machines {
		running.Go(func() {
			for k := range keys {
				var err error
				key := strconv.Itoa(k)
				answers[k][c], _, err = replay.Do(w.bounded(), m.Engine, request(key), func(ctx context.Context) (receipt, error) {
					return byPgx(ctx, pool, table, key)
				})
				if err != nil {
					w.Errorf("key %d: %v", k, err)
				}
			}
		})
	}
	running.Wait()
	for k := range keys {
		want := w.charged(strconv.Itoa(k))
		for _, got := range answers[k] {
			w.want(want, got, nil)
		}
	}
}

// examples/pgx does what it says, on a real server.
func TestExampleOfPgx(t *testing.T) {
	db := database.New(t, database.PostgreSQL)
	root := filepath.Join("..", "..")
	program := filepath.Join(t.TempDir(), "pgx")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./examples/pgx")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const want = `^first: receipt of charge (\d+), repeated false; 1 charged in all
after a restart: receipt of charge (\d+), repeated true; 1 charged in all
$`
	for i := range 2 { // the second finds the tables made
		out, err := exec.CommandContext(t.Context(), program, "-db", db.Source).CombinedOutput()
		m := regexp.MustCompile(want).FindStringSubmatch(string(out))
		if err != nil || m == nil || m[1] != m[2] || m[1] != strconv.Itoa(i+1) {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// joined runs one transaction of database/sql by Join, and commits it if end returns nil.
func (w *world) joined(ctx context.Context, table *effect.Table, end func(*effect.Entry[receipt]) error) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	entry, err := effect.Join[receipt](ctx, table, effect.TxOf(tx), "charge")
	if err != nil {
		return err
	}
	if err := end(entry); err != nil {
		return err
	}
	return tx.Commit()
}

// in runs work under the key k, on a machine that Redis tells nothing of what was before.
func (w *world) in(work func(ctx context.Context) error) error {
	w.redis.FlushAll()
	_, _, err := replay.Do(w.bounded(), w.machine().Engine, request("k"), func(ctx context.Context) (int, error) {
		return 0, work(ctx)
	})
	return err
}

func TestJoin(t *testing.T) {
	onEach(t, func(w *world) {
		kept := receipt{"kept"}
		rolledBack := errors.New("rolled back")
		for _, err := range []error{rolledBack, nil} {
			got := w.in(func(ctx context.Context) error {
				return w.joined(ctx, w.table, func(e *effect.Entry[receipt]) error {
					if before, done := e.Value(); done || before != (receipt{}) || e.Result().Repeated {
						w.Errorf("the first has %v, %+v", before, e.Result())
					}
					return errors.Join(e.Keep(ctx, kept), err)
				})
			})
			if !errors.Is(got, err) {
				w.Errorf("the error is %v, want %v", got, err)
			}
		}
		w.must(w.in(func(ctx context.Context) error {
			return w.joined(ctx, w.table, func(e *effect.Entry[receipt]) error {
				before, done := e.Value()
				if of := e.Result(); !done || before != kept || !of.Repeated || of.Attempt != 1 || of.Fence == 0 || of.At.IsZero() {
					w.Errorf("the next has %v, %+v", before, of)
				}
				return nil
			})
		}))
	})
}

// What was committed without Keep has no value, and is not done again.
func TestJoinWithoutKeep(t *testing.T) {
	onEach(t, func(w *world) {
		join := func(ctx context.Context) error {
			return w.joined(ctx, w.table, func(*effect.Entry[receipt]) error { return nil })
		}
		w.must(w.in(join))
		if err := w.in(join); !errors.Is(err, effect.ErrNotKept) {
			w.Errorf("the error is %v", err)
		}
	})
}

func TestKeepTwice(t *testing.T) {
	onEach(t, func(w *world) {
		err := w.in(func(ctx context.Context) error {
			return w.joined(ctx, w.table, func(e *effect.Entry[receipt]) error {
				w.must(e.Keep(ctx, receipt{"one"}))
				return e.Keep(ctx, receipt{"two"})
			})
		})
		if err == nil {
			w.Error("no error")
		}
	})
}

// A value is sealed if there are keys. One that was changed in the table, or copied from another row,
// is refused rather than given as an answer, and so is an effect done again.
func TestForeignValues(t *testing.T) {
	onEach(t, func(w *world) {
		table := w.tableOn(w.db.DB, func(c *effect.Config) { c.Cache.SealKeys = [][]byte{make([]byte, 32)} })
		ask := func(key string) (receipt, error) {
			w.redis.FlushAll()
			got, _, err := replay.Do(w.bounded(), w.machine().Engine, request(key), w.once(table, key))
			return got, err
		}
		first, err := ask("a")
		w.want(w.charged("a"), first, err)
		var value []byte
		w.must(w.db.QueryRow("SELECT value FROM reprise_effects").Scan(&value))
		if bytes.Contains(value, []byte(first.Number)) {
			w.Error("the value is legible")
		}
		again, err := ask("a")
		w.want(first, again, err)

		second, err := ask("b")
		w.want(w.charged("b"), second, err)
		other := w.db.Dialect.Bind("UPDATE reprise_effects SET value = ?, fence = ?")
		var fence int64
		w.must(w.db.QueryRow("SELECT min(fence) FROM reprise_effects").Scan(&fence))
		w.db.Do(w, other, value, fence)
		again, err = ask("a")
		w.want(first, again, err)
		if got, err := ask("b"); !errors.Is(err, cache.ErrCorrupt) {
			w.Errorf("another row's value: %v, %v", got, err)
		}
		w.db.Do(w, "UPDATE reprise_effects SET fence = fence + 1")
		if got, err := ask("a"); !errors.Is(err, cache.ErrCorrupt) {
			w.Errorf("a changed fence: %v, %v", got, err)
		}
		w.charged("a")
		w.charged("b")
	})
}

// What can't be kept is not done.
func TestValueThatCannotBeKept(t *testing.T) {
	onEach(t, func(w *world) {
		var fault *cache.EncodeError
		err := w.in(func(ctx context.Context) error {
			_, _, err := effect.Do(ctx, w.table, "charge", func(ctx context.Context, tx *sql.Tx) (func(), error) {
				_, err := w.charge("k")(ctx, tx)
				return func() {}, err
			})
			return err
		})
		if !errors.As(err, &fault) {
			w.Errorf("the error is %v", err)
		}
		if n := w.db.Int(w, "SELECT count(*) FROM charges"); n != 0 {
			w.Errorf("%d charges", n)
		}
	})
}

func TestArgumentsThatAreRefused(t *testing.T) {
	onEach(t, func(w *world) {
		refused := func(what, name string, do func(context.Context) error) {
			w.Helper()
			var fault *effect.ConfigError
			if err := w.in(do); !errors.As(err, &fault) || fault.Name != name {
				w.Errorf("%s: %v", what, err)
			}
		}
		for _, name := range []string{"", "a charge", strings.Repeat("x", 65), "Gebühr"} {
			refused("an effect named "+name, "name", func(ctx context.Context) error {
				_, _, err := effect.Do(ctx, w.table, name, w.charge("k"))
				return err
			})
		}
		for _, resource := range []string{"", strings.Repeat("x", 256)} {
			refused("a resource named "+resource, "resource", func(ctx context.Context) error {
				return w.write(ctx, resource, "")
			})
		}
		refused("Do without a database", "db", func(ctx context.Context) error {
			_, _, err := effect.Do(ctx, w.tableOn(nil), "charge", w.charge("k"))
			return err
		})
	})
}

// Schema is what Migrate runs.
func TestSchema(t *testing.T) {
	onEach(t, func(w *world) {
		table := w.tableOn(w.db.DB, func(c *effect.Config) { c.Name = "others" })
		for range 2 {
			for statement := range strings.SplitAfterSeq(strings.TrimSpace(table.Schema()), ";") {
				if statement != "" {
					w.db.Do(w, statement)
				}
			}
		}
		w.must(table.Check(w.bounded(), w.machine().Engine))
	})
}

// A transaction that has read before it joins sees what another has committed meanwhile: under MySQL's
// default isolation, its own reads don't.
func TestJoinAfterARead(t *testing.T) {
	for _, d := range []database.Dialect{database.PostgreSQL, database.MariaDB} { // SQLite lets in one at a time
		t.Run(string(d), func(t *testing.T) {
			w := newWorld(t, database.New(t, d))
			a, b := w.machine(unguarded), w.machine(unguarded)
			w.redis.Close()
			_, _, err := replay.Do(w.bounded(), a.Engine, request("k"), func(ctx context.Context) (int, error) {
				tx, err := w.db.BeginTx(ctx, nil)
				if err != nil {
					return 0, err
				}
				defer tx.Rollback()
				var n int
				if err := tx.QueryRow("SELECT count(*) FROM reprise_effects").Scan(&n); err != nil {
					return 0, err
				}
				first, _, err := w.do(b, "k")
				if err != nil {
					return 0, err
				}
				entry, err := effect.Join[receipt](ctx, w.table, effect.TxOf(tx), "charge")
				if err != nil {
					return 0, err
				}
				before, done := entry.Value()
				if !done {
					t.Error("the effect of meanwhile was not found")
				}
				w.want(first, before, nil)
				return 0, nil
			})
			w.must(err)
			w.charged("k")
		})
	}
}
