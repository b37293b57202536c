package effect

import (
	"context"
	"fmt"

	"github.com/reprise-go/reprise/lock"
)

// Fence keeps a holder that lost its lease from writing to a resource after its successor. It is
// for effects that are not once per key, such as a state that each request sets anew. It is to be
// called first in the transaction that writes, and raises the highest fence that the resource has
// seen to that of the work at hand; if that has a smaller one, it refuses with lock.ErrLost, and
// the transaction must be rolled back.
//
// resource names what is written, such as "account/42": 1 to 255 bytes. All work that writes to it
// has to run under one key of one engine, for only such fences have an order: those of two keys are
// times of two servers.
//
// Work without a claim has no fence ([ErrUnguarded]), and without a key it is ErrNoKey, or nothing
// is refused, as Config.OnNoKey says. In shadow mode nothing is.
func Fence(ctx context.Context, t *Table, tx Tx, resource string) error {
	if len(resource) == 0 || len(resource) > 255 {
		return &ConfigError{Name: "resource", Value: resource, Want: "1 to 255 bytes"}
	}
	work, observed, err := t.workOf(ctx)
	switch {
	case err != nil || !observed:
		return err
	case !work.Guarded:
		return ErrUnguarded
	}
	if _, err := tx.Exec(ctx, t.sql.raise, resource, work.Fence); err != nil {
		return fmt.Errorf("effect: %s: %w", resource, err)
	}
	var highest int64
	if err := tx.QueryRow(ctx, t.sql.raised, resource).Scan(&highest); err != nil {
		return fmt.Errorf("effect: %s: %w", resource, err)
	}
	if highest > work.Fence {
		return fmt.Errorf("effect: %s: %w: fence %d has been here, and this is %d",
			resource, lock.ErrLost, highest, work.Fence)
	}
	return nil
}
