package effect_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/replay"
)

func TestRedisForgetsBetweenAttempts(t *testing.T) {
	onEach(t, func(w *world) {
		first, _, err := w.do(w.machine(), "k")
		w.must(err)
		for range 3 {
			w.redis.FlushAll()
			m := w.machine()
			again, result, err := w.do(m, "k")
			w.want(first, again, err)
			if !result.Repeated || result.Replayed || !result.Stored || !m.last().Repeated {
				w.Errorf("the result is %+v, and Trace was told %+v", result, m.last())
			}
			replayed, result, err := w.do(m, "k")
			w.want(first, replayed, err)
			if !result.Replayed || result.Repeated {
				w.Errorf("the next result is %+v", result)
			}
		}
		w.want(w.charged("k"), first, nil)
	})
}

// Redis forgets the claim of work that is under way, and another machine begins the same.
func TestRedisForgetsWorkUnderWay(t *testing.T) {
	onEach(t, func(w *world) {
		inside, resume := make(chan struct{}), make(chan struct{})
		slow := func(ctx context.Context) (receipt, error) {
			r, _, err := effect.Do(ctx, w.table, "charge", func(ctx context.Context, tx *sql.Tx) (receipt, error) {
				r, err := w.charge("k")(ctx, tx)
				close(inside)
				<-resume
				return r, err
			})
			return r, err
		}
		a, b := w.machine(), w.machine()
		var running sync.WaitGroup
		var first, second receipt
		var firstErr, secondErr error
		var secondResult replay.Result
		running.Go(func() { first, _, firstErr = replay.Do(w.bounded(), a.Engine, request("k"), slow) })
		w.await("the first is in its transaction", inside)
		w.redis.FlushAll()
		begun := make(chan struct{})
		running.Go(func() {
			second, secondResult, secondErr = replay.Do(w.bounded(), b.Engine, request("k"), func(ctx context.Context) (receipt, error) {
				close(begun)
				return w.once(w.table, "k")(ctx)
			})
		})
		w.await("the second begins", begun)
		close(resume)
		running.Wait()
		want := w.charged("k")
		w.want(want, second, secondErr)
		// The first may have been answered with the second's record, or refused while that was under way.
		if firstErr == nil {
			w.want(want, first, nil)
		} else if !errors.Is(firstErr, replay.ErrInProgress) {
			w.Errorf("the first: %v", firstErr)
		}
		if !secondResult.Repeated {
			w.Errorf("the second's result is %+v", secondResult)
		}
	})
}

// The key is used for another request once Redis has forgotten it.
func TestAnotherRequestUnderTheKeyIsRefused(t *testing.T) {
	onEach(t, func(w *world) {
		first, _, err := w.do(w.machine(), "k")
		w.must(err)
		other := request("k")
		other.Fingerprint = "other"

		for name, handler := range map[string]func(context.Context) (receipt, error){
			"returns the error": w.once(w.table, "k"),
			"answers otherwise": func(ctx context.Context) (receipt, error) {
				if _, err := w.once(w.table, "k")(ctx); !errors.Is(err, replay.ErrReused) {
					w.Errorf("the handler gets %v", err)
				}
				return receipt{"made up"}, nil
			},
			"goes on": func(ctx context.Context) (receipt, error) {
				_, err := w.once(w.table, "k")(ctx)
				_, _, err2 := effect.Do(ctx, w.table, "gift", w.charge("k"))
				if !errors.Is(err, replay.ErrReused) || !errors.Is(err2, replay.ErrReused) {
					w.Errorf("the handler gets %v, and then %v", err, err2)
				}
				return receipt{"made up"}, nil
			},
		} {
			w.redis.FlushAll()
			m := w.machine()
			got, _, err := replay.Do(w.bounded(), m.Engine, other, handler)
			if !errors.Is(err, replay.ErrReused) || got != (receipt{}) {
				w.Errorf("a handler that %s: %v, %v", name, got, err)
			}
			if m.last().Outcome != replay.Reused {
				w.Errorf("a handler that %s: Trace was told %s", name, m.last().Outcome)
			}

			// The key is free for the request whose effect it is.
			again, _, err := w.do(m, "k")
			w.want(first, again, err)
		}
		w.want(w.charged("k"), first, nil)
	})
}

// A failed function leaves nothing, and the next attempt does the effect.
func TestFailureRollsAllBack(t *testing.T) {
	onEach(t, func(w *world) {
		m, declined := w.machine(), errors.New("declined")
		fail := func(ctx context.Context) (receipt, error) {
			r, _, err := effect.Do(ctx, w.table, "charge", func(ctx context.Context, tx *sql.Tx) (receipt, error) {
				_, err := w.charge("k")(ctx, tx)
				return receipt{}, errors.Join(err, declined)
			})
			return r, err
		}
		if _, _, err := replay.Do(w.bounded(), m.Engine, request("k"), fail); !errors.Is(err, declined) {
			w.Errorf("the error is %v", err)
		}
		func() {
			defer func() {
				if recover() != declined {
					w.Error("the panic was not carried on")
				}
			}()
			_, _, _ = replay.Do(w.bounded(), m.Engine, request("k"), func(ctx context.Context) (receipt, error) {
				r, _, err := effect.Do(ctx, w.table, "charge", func(ctx context.Context, tx *sql.Tx) (receipt, error) {
					if r, err := w.charge("k")(ctx, tx); err != nil {
						return r, err
					}
					panic(declined)
				})
				return r, err
			})
		}()
		if n := w.db.Int(w, "SELECT count(*) FROM charges") + w.db.Int(w, "SELECT count(*) FROM reprise_effects"); n != 0 {
			w.Errorf("%d rows are left", n)
		}
		got, result, err := w.do(m, "k")
		w.want(w.charged("k"), got, err)
		if result.Repeated || result.Attempt != 3 {
			w.Errorf("the result is %+v", result)
		}
	})
}

// A database that can't be asked is an error of its own, and nothing is done.
func TestDatabaseGone(t *testing.T) {
	onEach(t, func(w *world) {
		pool := w.db.Pool(w)
		w.must(pool.Close())
		table := w.tableOn(pool)
		failed := func(what string, err error) {
			w.Helper()
			if err == nil || errors.Is(err, effect.ErrCommitUnknown) {
				w.Errorf("%s: %v", what, err)
			}
		}
		_, _, err := replay.Do(w.bounded(), w.machine().Engine, request("k"), w.once(table, "k"))
		failed("Do", err)
		failed("Migrate", table.Migrate(w.bounded()))
		failed("Check", table.Check(w.bounded(), w.machine().Engine))
		_, err = table.Purge(w.bounded(), 0)
		failed("Purge", err)
		failed("Fence", w.in(func(ctx context.Context) error {
			tx, err := w.db.Begin()
			w.must(err)
			w.must(tx.Rollback())
			return effect.Fence(ctx, w.table, effect.TxOf(tx), "account/42")
		}))
		if n := w.db.Int(w, "SELECT count(*) FROM charges"); n != 0 {
			w.Errorf("%d charges", n)
		}
	})
}
