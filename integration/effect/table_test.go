package effect_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/integration/database"
	"github.com/reprise-go/reprise/replay"
)

// Purge deletes what is old, in several batches, while others work, and nothing else.
func TestPurgeBesideLiveWork(t *testing.T) {
	onEach(t, func(w *world) {
		const old, young = 2500, 200
		for i := 0; i < old; i += 500 {
			var rows []string
			for n := range 500 {
				rows = append(rows, fmt.Sprintf("('old:%d', 'charge', 'f', 1, 1, 'token', NULL, 1)", i+n))
			}
			w.db.Do(w, "INSERT INTO reprise_effects VALUES "+strings.Join(rows, ", "))
		}

		first, _, err := w.do(w.machine(), "first")
		w.must(err)
		var running sync.WaitGroup
		m := w.machine()
		for c := range 4 {
			running.Go(func() {
				for i := range young / 4 {
					if _, _, err := w.do(m, strconv.Itoa(c*young+i)); err != nil {
						w.Errorf("beside the purge: %v", err)
					}
				}
			})
		}
		deleted := make([]int64, 2)
		for i := range deleted {
			running.Go(func() {
				var err error
				if deleted[i], err = w.table.Purge(w.bounded(), 0); err != nil {
					w.Errorf("purge: %v", err)
				}
			})
		}
		running.Wait()
		if sum := deleted[0] + deleted[1]; sum != old {
			w.Errorf("two purges at once deleted %v, want %d in all", deleted, old)
		}
		if n := w.db.Int(w, "SELECT count(*) FROM reprise_effects"); n != young+1 {
			w.Errorf("%d rows are left, want %d", n, young+1)
		}
		if n := w.db.Int(w, "SELECT count(*) FROM charges"); n != young+1 {
			w.Errorf("%d charges, want %d", n, young+1)
		}
		w.redis.FlushAll()
		again, _, err := w.do(m, "first")
		w.want(first, again, err)
	})
}

func TestPurgeKeepsWhatTheEngineNeeds(t *testing.T) {
	onEach(t, func(w *world) {
		var fault *effect.ConfigError
		if _, err := w.table.Purge(w.bounded(), time.Hour); !errors.As(err, &fault) || fault.Other != "Retention" {
			w.Errorf("the error is %v", err)
		}
	})
}

func TestCheck(t *testing.T) {
	onEach(t, func(w *world) {
		w.must(w.table.Check(w.bounded(), w.machine().Engine))
		var fault *effect.ConfigError
		long := w.machine(func(c *replay.Config) { c.Retention = 48 * time.Hour })
		if err := w.table.Check(w.bounded(), long.Engine); !errors.As(err, &fault) || fault.Name != "Retention" || !strings.HasPrefix(err.Error(), "effect: Retention: got ") {
			w.Errorf("a record that outlives the row: %v", err)
		}
		other := w.tableOn(w.db.DB, func(c *effect.Config) { c.Name = "others" })
		if err := other.Check(w.bounded(), w.machine().Engine); err == nil {
			w.Error("no error without a table")
		}
		w.must(other.Migrate(w.bounded()))
		w.must(other.Check(w.bounded(), w.machine().Engine))
		w.db.Do(w, "DROP TABLE others_fences")
		if err := other.Check(w.bounded(), w.machine().Engine); err == nil {
			w.Error("no error without the table of fences")
		}
	})
}

// Programs that start at the same time make the tables at the same time.
func TestMigrateAtOnce(t *testing.T) {
	onEach(t, func(w *world) {
		var running sync.WaitGroup
		for range 8 {
			table := w.tableOn(w.db.Pool(w), func(c *effect.Config) { c.Name = "others" })
			running.Go(func() {
				if err := table.Migrate(w.bounded()); err != nil {
					w.Error(err)
				}
			})
		}
		running.Wait()
		m := w.machine()
		table := w.tableOn(w.db.DB, func(c *effect.Config) { c.Name = "others" })
		got, _, err := replay.Do(w.bounded(), m.Engine, request("k"), func(ctx context.Context) (receipt, error) {
			return w.once(table, "k")(ctx)
		})
		w.want(w.charged("k"), got, err)
	})
}

// A table of MySQL's that knows no transactions would remember what was rolled back.
func TestCheckOfAnEngineWithoutTransactions(t *testing.T) {
	w := newWorld(t, database.New(t, database.MariaDB))
	w.db.Do(t, "ALTER TABLE reprise_effects ENGINE=MyISAM")
	var fault *effect.ConfigError
	if err := w.table.Check(w.bounded(), w.machine().Engine); !errors.As(err, &fault) || fault.Name != "Name" {
		t.Errorf("the error is %v", err)
	}
}

func TestTableInASchema(t *testing.T) {
	for _, d := range []database.Dialect{database.PostgreSQL, database.MariaDB} {
		t.Run(string(d), func(t *testing.T) {
			w := newWorld(t, database.New(t, d))
			schema := "of_" + strings.ToLower(rand.Text()) // in MariaDB it is a database, which all tests share
			w.db.Do(t, "CREATE SCHEMA "+schema)
			table := w.tableOn(w.db.DB, func(c *effect.Config) { c.Name = schema + ".effects" })
			w.must(table.Migrate(w.bounded()))
			w.must(table.Check(w.bounded(), w.machine().Engine))
			for range 2 {
				w.must(w.in(func(ctx context.Context) error {
					_, err := w.once(table, "k")(ctx)
					return err
				}))
			}
			w.charged("k")
			if n := w.db.Int(t, "SELECT count(*) FROM "+table.Config().Name); n != 1 {
				t.Errorf("%d rows", n)
			}
		})
	}
}
