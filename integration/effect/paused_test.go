package effect_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

const (
	// longLease runs out when Redis's clock is put forward: no test waits for it.
	longLease = time.Minute

	// shortLease is for a holder that is cut from Redis and finds out by itself that it has lost its
	// lease: that takes as long in real time.
	shortLease = 3 * time.Second
)

// leasing has a machine's leases last so long, and its round trips as long as they may: a machine that
// is busy with other things takes its time to connect.
func leasing(lease time.Duration) func(*replay.Config) {
	return func(c *replay.Config) { c.Lock.TTL, c.Lock.Timeout = lease, lease/2 }
}

// An attempt is held up in its transaction until its lease is lost, and another takes over. What the
// late one does then is up to its handler; its answer is the winner's either way.
func TestAttemptPausedPastItsLease(t *testing.T) {
	for name, wins := range map[string]bool{
		"heeds its context": false, // its transaction is rolled back
		"works on":          true,  // it commits, and the other finds that
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(w *world) { w.pausedPastItsLease(wins) })
		})
	}
}

func (w *world) pausedPastItsLease(worksOn bool) {
	ctx := w.bounded()
	lease := shortLease
	if worksOn {
		lease = longLease
	}
	a, b := w.machine(leasing(lease)), w.machine()
	inside, takenOver, answered := make(chan struct{}), make(chan struct{}), make(chan struct{})
	late := func(ctx context.Context) (receipt, error) {
		doing := ctx
		if worksOn {
			doing = context.WithoutCancel(ctx)
		}
		r, _, err := effect.Do(doing, w.table, "charge", func(_ context.Context, tx *sql.Tx) (receipt, error) {
			r, err := w.charge("k")(doing, tx)
			close(inside)
			<-takenOver
			if !worksOn {
				<-doing.Done()
			}
			return r, err
		})
		if !worksOn && !errors.Is(err, lock.ErrLost) {
			w.Errorf("Do returned %v, want that the lease is lost", err)
		}
		<-answered
		return r, err
	}

	var first, second receipt
	var firstErr, secondErr error
	var result replay.Result
	var running sync.WaitGroup
	running.Go(func() { first, _, firstErr = replay.Do(ctx, a.Engine, request("k"), late) })
	w.await("the first is in its transaction", inside)
	a.cut.Store(true)
	w.redis.FastForward(lease)
	running.Go(func() {
		defer close(answered)
		second, result, secondErr = replay.Do(ctx, b.Engine, request("k"), func(ctx context.Context) (receipt, error) {
			close(takenOver)
			return w.once(w.table, "k")(ctx)
		})
		a.cut.Store(false)
	})
	running.Wait()
	want := w.charged("k")
	w.want(want, second, secondErr)
	w.want(want, first, firstErr)
	if result.Attempt != 2 || result.Repeated != worksOn {
		w.Errorf("the result of the one that took over is %+v", result)
	}
	if e := a.last(); e.Outcome != replay.LostLease {
		w.Errorf("the late one's outcome is %s", e.Outcome)
	}
}
