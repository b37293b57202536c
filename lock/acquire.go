package lock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/reprise-go/reprise/internal/jitter"
)

// Acquire waits for key until ctx ends, or for terms.Wait. It returns as TryAcquire does, but while
// another holder of the same fingerprint holds the key it waits: woken by that holder's commit,
// release or abandon where Redis has sharded channels (7.0 and later), and otherwise asking again
// after 10 ms, then ever more rarely up to every 250 ms, and whenever the holder's lease would run
// out. Waiters for a quorum lock always ask.
//
// A holder of another fingerprint is not waited for: what it leaves behind is not for us.
//
// When the wait is over, the error is the *HeldError found last, joined with ctx's cause if it was
// ctx that ended.
func (l *Locker) Acquire(ctx context.Context, key string, terms Terms) (*Lease, error) {
	var (
		wake *watch
		poll = pollFirst
		last *HeldError
		over <-chan time.Time
	)
	if terms.Wait > 0 {
		t := time.NewTimer(terms.Wait)
		defer t.Stop()
		over = t.C
	}
	for {
		lease, err := l.TryAcquire(ctx, key, terms)
		other, isHeld := errors.AsType[*HeldError](err)
		switch {
		case isHeld && (other.split || other.Claim.Fingerprint == terms.Fingerprint):
			last = other
		case last != nil && ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
			return nil, fmt.Errorf("%w: %w", err, last)
		default:
			return lease, err
		}
		if wake == nil {
			// Subscribed only now, for most keys are free; the watch fires once when it is in
			// place, so that nothing which happened in between is missed.
			wake = l.waker.watch(key)
			defer wake.stop()
		}
		// The claim is dead when no time is left, so ask just after that.
		wait := other.Left + time.Millisecond
		if !wake.live() {
			wait = min(wait, poll/2+jitter.N(poll/2))
			poll = min(2*poll, pollMost)
		}
		timer := time.NewTimer(wait)
		select {
		case <-wake.c:
		case <-timer.C:
		case <-over:
			timer.Stop()
			return nil, last
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// How often a waiter without a channel asks. Half of each pause is random, so that waiters of one
// key don't ask in step.
const (
	pollFirst = 10 * time.Millisecond
	pollMost  = 250 * time.Millisecond
)
