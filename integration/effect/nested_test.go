package effect_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/replay"
)

// The transaction of a Do within Do would not be part of the outer one, and in SQLite or a pool of one
// connection it would wait for that for ever.
func TestDoWithinDo(t *testing.T) {
	onEach(t, func(w *world) {
		work := func(ctx context.Context) (receipt, error) {
			r, _, err := effect.Do(ctx, w.table, "charge", func(ctx context.Context, tx *sql.Tx) (receipt, error) {
				_, _, err := effect.Do(ctx, w.table, "gift", w.charge("k"))
				if !errors.Is(err, effect.ErrNested) {
					w.Errorf("got %v, want ErrNested", err)
				}
				entry, err := effect.Join[receipt](ctx, w.table, effect.TxOf(tx), "gift")
				if err != nil {
					return receipt{}, err
				}
				r, err := w.charge("k")(ctx, tx)
				return r, errors.Join(err, entry.Keep(ctx, r))
			})
			return r, err
		}
		got, _, err := replay.Do(w.bounded(), w.machine().Engine, request("k"), work)
		w.want(w.charged("k"), got, err)
		if n := w.db.Int(w.T, "SELECT count(*) FROM reprise_effects"); n != 2 {
			w.Errorf("%d rows, want one for each of the two effects", n)
		}
	})
}
