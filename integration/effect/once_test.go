package effect_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/integration/database"
	"github.com/reprise-go/reprise/replay"
)

// levels are the isolation levels that a database has; the empty one is its default.
var levels = map[database.Dialect][]effect.Isolation{
	database.PostgreSQL: {"", effect.ReadCommitted, effect.RepeatableRead, effect.Serializable},
	database.MariaDB:    {"", effect.ReadCommitted, effect.RepeatableRead, effect.Serializable},
	database.SQLite:     {"", effect.Serializable},
}

// onEachLevel runs test on each database, at each isolation level that it has.
func onEachLevel(t *testing.T, test func(*world)) {
	onEach(t, func(outer *world) {
		for _, level := range levels[outer.db.Dialect] {
			outer.Run(cmp.Or(string(level), "default"), func(t *testing.T) {
				w := newWorld(t, database.New(t, outer.db.Dialect))
				w.table = w.tableOn(w.db.DB, func(c *effect.Config) { c.Isolation = level })
				test(w)
			})
		}
	})
}

const (
	callers = 16
	keys    = 50
)

// Redis is down, and nothing keeps the attempts apart but the row.
func TestAttemptsAtOnceHaveOneEffect(t *testing.T) {
	onEachLevel(t, func(w *world) {
		var machines [callers]*machine
		for c := range machines {
			machines[c] = w.machine(unguarded)
		}
		w.redis.Close()
		answers := make([][callers]receipt, keys)
		var repeated, unguardedRuns atomic.Int64
		var running sync.WaitGroup
		for c, m := range machines {
			running.Go(func() {
				for k := range keys {
					got, result, err := w.do(m, strconv.Itoa(k))
					if err != nil {
						w.Errorf("key %d: %v", k, err)
					}
					answers[k][c] = got
					if m.last().Repeated != result.Repeated {
						w.Errorf("key %d: Trace was told %v", k, m.last().Repeated)
					}
					if result.Repeated {
						repeated.Add(1)
					}
					if !result.Guarded {
						unguardedRuns.Add(1)
					}
				}
			})
		}
		running.Wait()
		if w.Failed() {
			return
		}
		for k := range keys {
			want := w.charged(strconv.Itoa(k))
			for _, got := range answers[k] {
				w.want(want, got, nil)
			}
		}
		if n := repeated.Load(); n != (callers-1)*keys {
			w.Errorf("%d answers say that they are of an earlier effect, want %d", n, (callers-1)*keys)
		}
		if n := unguardedRuns.Load(); n != callers*keys {
			w.Errorf("%d runs had no claim, want all %d", n, callers*keys)
		}
	})
}

// Several effects of one request have a row each.
func TestEffectsOfOneRequestAreToldApartByName(t *testing.T) {
	onEach(t, func(w *world) {
		m, names := w.machine(), []string{"charge", "Charge", "outbox"}
		work := func(ctx context.Context) (got []receipt, err error) {
			for i, name := range names {
				r, _, err := effect.Do(ctx, w.table, name, w.charge(strconv.Itoa(i)))
				if err != nil {
					return nil, err
				}
				got = append(got, r)
			}
			return got, nil
		}
		for range 2 {
			got, _, err := replay.Do(w.bounded(), m.Engine, request("k"), work)
			w.must(err)
			for i := range names {
				w.want(w.charged(strconv.Itoa(i)), got[i], nil)
			}
			w.redis.FlushAll()
		}
	})
}

// Transactions that read what others write are refused by a serializable database, and run again. No
// update is lost, and each is done once.
func TestSerializationFailuresAreRunAgain(t *testing.T) {
	onEach(t, func(w *world) {
		w.table = w.tableOn(w.db.DB, func(c *effect.Config) { c.Isolation = effect.Serializable })
		w.db.Do(w, "CREATE TABLE account (balance int NOT NULL)")
		w.db.Do(w, "INSERT INTO account VALUES (0)")
		const requests = 8
		var runs atomic.Int64
		met := newMeeting(2)
		deposit := func(ctx context.Context, tx *sql.Tx) (int, error) {
			runs.Add(1)
			var balance int
			if err := tx.QueryRowContext(ctx, "SELECT balance FROM account").Scan(&balance); err != nil {
				return 0, err
			}
			if w.db.Dialect != database.SQLite { // which lets in one at a time
				met.wait(ctx)
			}
			balance++
			_, err := tx.ExecContext(ctx, w.db.Dialect.Bind("UPDATE account SET balance = ?"), balance)
			return balance, err
		}
		balances := make([]int, requests)
		var running sync.WaitGroup
		for i := range requests {
			m := w.machine()
			running.Go(func() {
				var err error
				balances[i], _, err = replay.Do(w.bounded(), m.Engine, request(fmt.Sprint(i)),
					func(ctx context.Context) (int, error) {
						balance, _, err := effect.Do(ctx, w.table, "deposit", deposit)
						return balance, err
					})
				if err != nil {
					w.Errorf("request %d: %v", i, err)
				}
			})
		}
		running.Wait()
		if n := w.db.Int(w, "SELECT balance FROM account"); n != requests {
			w.Errorf("the balance is %d after %d deposits", n, requests)
		}
		seen := map[int]bool{}
		for _, b := range balances {
			seen[b] = true
		}
		if len(seen) != requests {
			w.Errorf("two answers have one balance: %v", balances)
		}
		if w.db.Dialect != database.SQLite && runs.Load() <= requests {
			w.Errorf("%d runs for %d requests: nothing was refused", runs.Load(), requests)
		}
	})
}

// Two transactions write the same two rows in opposite order, and one of them is rolled back.
func TestDeadlockIsRunAgain(t *testing.T) {
	onEach(t, func(w *world) {
		w.db.Do(w, "CREATE TABLE stock (item int PRIMARY KEY, taken int NOT NULL)")
		w.db.Do(w, "INSERT INTO stock VALUES (1, 0), (2, 0)")
		met := newMeeting(2)
		var runs atomic.Int64
		take := func(first, second int) func(context.Context, *sql.Tx) (receipt, error) {
			return func(ctx context.Context, tx *sql.Tx) (receipt, error) {
				runs.Add(1)
				update := w.db.Dialect.Bind("UPDATE stock SET taken = taken + 1 WHERE item = ?")
				if _, err := tx.ExecContext(ctx, update, first); err != nil {
					return receipt{}, err
				}
				if w.db.Dialect != database.SQLite { // which lets in one at a time
					met.wait(ctx)
				}
				if _, err := tx.ExecContext(ctx, update, second); err != nil {
					return receipt{}, err
				}
				return w.charge(fmt.Sprint("from ", first))(ctx, tx)
			}
		}
		var running sync.WaitGroup
		answers := make([]receipt, 2)
		for i := range 2 {
			m := w.machine()
			running.Go(func() {
				first := i + 1
				var err error
				answers[i], _, err = replay.Do(w.bounded(), m.Engine, request(fmt.Sprint(first)),
					func(ctx context.Context) (receipt, error) {
						r, _, err := effect.Do(ctx, w.table, "take", take(first, 3-first))
						return r, err
					})
				if err != nil {
					w.Errorf("from %d: %v", first, err)
				}
			})
		}
		running.Wait()
		for i, got := range answers {
			w.want(w.charged(fmt.Sprint("from ", i+1)), got, nil)
		}
		if n := w.db.Int(w, "SELECT sum(taken) FROM stock"); n != 4 {
			w.Errorf("%d were taken, want 4", n)
		}
		if w.db.Dialect != database.SQLite && runs.Load() != 3 {
			w.Errorf("%d runs, want that one of two was rolled back", runs.Load())
		}
	})
}

// A meeting is where transactions wait for each other, once: the first n of them.
type meeting struct {
	mu   sync.Mutex
	left int
	full chan struct{}
}

func newMeeting(n int) *meeting { return &meeting{left: n, full: make(chan struct{})} }

func (m *meeting) wait(ctx context.Context) {
	m.mu.Lock()
	if m.left--; m.left == 0 {
		close(m.full)
	}
	m.mu.Unlock()
	select {
	case <-m.full:
	case <-ctx.Done():
	}
}
