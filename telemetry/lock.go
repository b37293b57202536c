package telemetry

import (
	"context"
	"errors"

	"github.com/reprise-go/reprise/internal/fault"
	"github.com/reprise-go/reprise/lock"
)

// Lock returns a Trace for a lock.Config, also that in a replay.Config. It is the caller's own, to
// add to.
func (t *Telemetry) Lock() *lock.Trace {
	i := &t.instruments
	ctx := context.Background() // leases have none that lasts as long
	return &lock.Trace{
		Granted: func(*lock.Lease) { i.held.Add(ctx, 1, t.live...) },
		Ended: func(_ *lock.Lease, from, to lock.State) {
			if from == lock.Suspended {
				i.held.Add(ctx, -1, t.suspended...)
			} else {
				i.held.Add(ctx, -1, t.live...)
			}
			if to == lock.Lost {
				i.lost.Add(ctx, 1)
			}
		},
		Renewed: func(_ *lock.Lease, err error) {
			i.renewals.Add(ctx, 1, t.failures.of(failureLabels{cause: causeOf(err)}).add...)
		},
		Suspended: func(*lock.Lease, error) {
			i.held.Add(ctx, -1, t.live...)
			i.held.Add(ctx, 1, t.suspended...)
			i.suspensions.Add(ctx, 1)
		},
		Resumed: func(*lock.Lease) {
			i.held.Add(ctx, -1, t.suspended...)
			i.held.Add(ctx, 1, t.live...)
		},
		WaitBegan:   func(ctx context.Context) { i.pending.Add(ctx, 1) },
		WaitEnded:   func(ctx context.Context) { i.pending.Add(ctx, -1) },
		WaitRefused: func(ctx context.Context) { i.rejected.Add(ctx, 1) },
		Failed: func(ctx context.Context, script string, err error) {
			i.storeErrors.Add(ctx, 1, t.failures.of(failureLabels{script, causeOf(err)}).add...)
		},
	}
}

// causeOf names why something failed, as the log lines do: docs/failures.md has the words.
func causeOf(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, lock.ErrUnconfirmed):
		return "too few replicas confirmed"
	case errors.Is(err, lock.ErrLost):
		return "the key is free or another's"
	}
	return fault.Cause(err)
}

// isStores tells an error that is of Redis, or of the way to it.
func isStores(err error) bool {
	return errors.Is(err, lock.ErrUnavailable) || errors.Is(err, lock.ErrUnconfirmed) || errors.Is(err, lock.ErrLost)
}
