package effect_test

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/integration/database"
	"github.com/reprise-go/reprise/replay"
)

var fates = map[string]database.Fate{
	"before it arrives": database.Undelivered,
	"with its answer":   database.Unanswered,
}

// The connection breaks during COMMIT. Do asks again, and does the effect again only if it was not
// done.
func TestConnectionBreaksAtCommit(t *testing.T) {
	onEach(t, func(outer *world) {
		for name, fate := range fates {
			outer.Run(name, func(t *testing.T) {
				w := newWorld(t, database.New(t, outer.db.Dialect))
				table := w.breaking(fate, func() {})
				m, runs := w.machine(), atomic.Int64{}
				var of effect.Result
				got, result, err := replay.Do(w.bounded(), m.Engine, request("k"), func(ctx context.Context) (r receipt, err error) {
					r, of, err = effect.Do(ctx, table, "charge", func(ctx context.Context, tx *sql.Tx) (receipt, error) {
						runs.Add(1)
						return w.charge("k")(ctx, tx)
					})
					return r, err
				})
				w.want(w.charged("k"), got, err)
				if result.Repeated || of.Repeated || of.Attempt != 1 {
					w.Errorf("an effect of this very request counts as repeated: %+v, %+v", result, of)
				}
				if want := map[database.Fate]int64{database.Undelivered: 2, database.Unanswered: 1}[fate]; runs.Load() != want {
					w.Errorf("the function was called %d times, want %d", runs.Load(), want)
				}
			})
		}
	})
}

// The caller can't wait for the answer to COMMIT any longer. Nobody knows what came of it until the
// database is asked under the same key.
func TestCallerLeavesDuringCommit(t *testing.T) {
	onEach(t, func(outer *world) {
		for name, fate := range fates {
			outer.Run(name, func(t *testing.T) {
				w := newWorld(t, database.New(t, outer.db.Dialect))
				caller, leave := context.WithCancel(w.bounded())
				table := w.breaking(fate, leave)
				m := w.machine(func(c *replay.Config) { c.OnHangup = replay.StopWithCaller })
				_, _, err := replay.Do(caller, m.Engine, request("k"), w.once(table, "k"))
				if !errors.Is(err, effect.ErrCommitUnknown) || !errors.Is(err, context.Canceled) {
					w.Errorf("the error is %v, want that it is unknown", err)
				}
				got, result, err := w.do(m, "k")
				w.want(w.charged("k"), got, err)
				if want := fate == database.Unanswered; result.Repeated != want || result.Attempt != 2 {
					w.Errorf("the next attempt's result is %+v", result)
				}
			})
		}
	})
}

// The server is killed during COMMIT, and started again while Do asks.
func TestServerKilledAtCommit(t *testing.T) {
	for _, d := range []database.Dialect{database.PostgreSQL, database.MariaDB} {
		t.Run(string(d), func(t *testing.T) {
			cluster.RequireImage(t, d.Image())
			server, err := database.Start(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close(context.WithoutCancel(t.Context()))
			for name, fate := range fates {
				t.Run(name, func(t *testing.T) {
					w := newWorld(t, server.New(t))
					w.db.DB = w.db.Proxy(w).Pool(w) // whose address stays
					w.table = w.tableOn(w.db.DB)
					proxy := w.db.Proxy(w)
					table := w.tableOn(proxy.Pool(w))
					caught, restarted := proxy.Catch(fate), make(chan error, 1)
					ctx := w.bounded()
					go func() {
						cut := <-caught
						err := server.Kill(ctx)
						cut()
						restarted <- errors.Join(err, server.Restart(ctx), server.Ready(ctx))
					}()
					m := w.machine()
					got, result, err := replay.Do(ctx, m.Engine, request("k"), w.once(table, "k"))
					w.must(<-restarted)
					if result.Repeated {
						w.Errorf("an effect of this very request counts as repeated: %+v", result)
					}
					if errors.Is(err, effect.ErrCommitUnknown) { // the server was away for longer than Do asks
						got, _, err = w.do(m, "k")
					}
					w.want(w.charged("k"), got, err)
				})
			}
		})
	}
}
