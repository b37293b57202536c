package effect_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/replay"
)

// Trace is told once of each effect, done or found done, by Do and by Join, and not of one that fails.
func TestTraceIsToldOfEffects(t *testing.T) {
	onEach(t, func(w *world) {
		var mu sync.Mutex
		var told []replay.Effect
		m := w.machine(func(c *replay.Config) {
			c.Trace.Effect = func(_ context.Context, e replay.Effect) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, e)
			}
		})
		attempt := func(work func(context.Context) error) {
			_, err := m.Do(w.bounded(), request("k"), func(ctx context.Context) (replay.Answer, error) {
				return replay.Answer{}, errors.Join(work(ctx), errors.New("and again"))
			})
			if err == nil {
				w.Error("the attempt did not fail")
			}
		}
		want := func(effects ...replay.Effect) {
			w.Helper()
			if !slices.Equal(told, effects) {
				w.Errorf("told %v, want %v", told, effects)
			}
			told = nil
		}
		done := func(ctx context.Context) error { _, err := w.once(w.table, "k")(ctx); return err }
		join := func(ctx context.Context) error {
			tx, err := w.db.DB.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			entry, err := effect.Join[receipt](ctx, w.table, effect.TxOf(tx), "outbox")
			if err != nil {
				return err
			}
			if _, done := entry.Value(); done {
				return nil
			}
			if err := entry.Keep(ctx, receipt{}); err != nil {
				return err
			}
			return tx.Commit()
		}

		attempt(done)
		want(replay.Effect{Name: "charge"})
		attempt(done)
		want(replay.Effect{Name: "charge", Repeated: true})
		attempt(join)
		want(replay.Effect{Name: "outbox"})
		attempt(join)
		want(replay.Effect{Name: "outbox", Repeated: true})

		no := errors.New("no effect")
		attempt(func(ctx context.Context) error {
			_, _, err := effect.Do(ctx, w.table, "refund", func(context.Context, *sql.Tx) (int, error) { return 0, no })
			return err
		})
		want()
	})
}
