package lock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/reprise-go/reprise/internal/jitter"
)

// Acquire returns what TryAcquire does, but it waits while another holder of the same fingerprint
// holds the key, until ctx ends, or for terms.Wait.
//
// Where Redis has sharded channels (7.0 and later) that can be published on, the holder's commit,
// release or abandon wakes those who wait. Otherwise they ask again after 10 ms, then ever more
// rarely, up to every 250 ms, and when the holder's lease would run out. Those who are to be woken
// ask all the same, after 1 s and then ever more rarely, up to every 5 s: the holder may lack the
// right to publish, and a message may get lost. Waiters for a quorum lock always ask. All in a
// process who wait for the same thing are a group, for which the one who came first asks.
//
// A holder of another fingerprint is not waited for: what it leaves behind is not for us. Nor does
// anybody wait beyond Config.MaxWaiters or MaxWaitersPerScope, or after StopWaiting.
//
// When the wait is over, the error is the *HeldError found last, joined with ctx's cause if it was
// ctx that ended, and with ErrUnavailable if Redis went away meanwhile.
func (l *Locker) Acquire(ctx context.Context, key string, terms Terms) (*Lease, error) {
	lease, err := l.TryAcquire(ctx, key, terms) // alone, for most keys are free
	last := waitable(err, terms)
	if last == nil {
		return lease, err
	}
	if ctx.Err() != nil {
		return nil, gaveUp(ctx, last) // no need to subscribe for a caller who has gone
	}
	m, ok := l.waiters.join(key, terms, l.cfg)
	if !ok {
		l.cfg.Trace.waitRefused(ctx)
		return nil, last
	}
	defer m.leave()
	defer l.cfg.Trace.waits(ctx)()
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.waiters.open, cancel)()
	if terms.Wait > 0 {
		defer time.AfterFunc(terms.Wait, cancel).Stop()
	}
	select {
	case <-m.leads:
		return l.acquireForAll(ctx, waiting, m, key, terms, last)
	case err := <-m.told:
		return nil, err
	case <-waiting.Done():
		return nil, gaveUp(ctx, m.heldBy(last))
	}
}

// acquireForAll is the wait of a group's leader, whose answer is that of all behind it.
func (l *Locker) acquireForAll(
	ctx, waiting context.Context, m *waiter, key string, terms Terms, last *HeldError,
) (*Lease, error) {
	notice := m.notice(l.store.subscribe)
	succeeded := m.succeeded
	for poll, rest := pollFirst, restFirst; waiting.Err() == nil; {
		pause := last.Left + time.Millisecond // the claim is dead when no time is left
		switch {
		case succeeded:
			// The leader before may have taken a notice with it, and last is what we found long
			// ago.
			pause, succeeded = pollFirst, false
		case !notice.active():
			pause = min(pause, poll/2+jitter.N(poll/2))
			poll = min(2*poll, pollMost)
		default:
			pause = min(pause, rest/2+jitter.N(rest/2))
			rest = min(2*rest, restMost)
		}
		timer := time.NewTimer(pause)
		select {
		case <-notice.c:
		case <-timer.C:
		case <-waiting.Done():
		}
		timer.Stop()
		if waiting.Err() != nil {
			break
		}
		upTo := m.asking()
		lease, err := l.TryAcquire(ctx, key, terms)
		held := waitable(err, terms)
		switch {
		case lease != nil:
			return lease, nil
		case held != nil:
			last = held
			m.noteHolder(held)
		case errors.Is(err, ErrUnavailable):
			err = fmt.Errorf("%w: %w", err, last)
			m.tell(err, upTo)
			return nil, err
		case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
			return nil, gaveUp(ctx, last) // ours alone, not the group's
		default:
			m.tell(err, upTo)
			return nil, err
		}
	}
	return nil, gaveUp(ctx, last)
}

// gaveUp is the error of a wait that is over.
func gaveUp(ctx context.Context, last *HeldError) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", failed("acquire", context.Cause(ctx)), last)
	}
	return last
}

// waitable returns what to wait for, if err says that there is something.
func waitable(err error, terms Terms) *HeldError {
	other, isHeld := errors.AsType[*HeldError](err)
	if !isHeld || !other.split && other.Claim.Fingerprint != terms.Fingerprint {
		return nil
	}
	return other
}

// StopWaiting ends every wait in Acquire as if its time were over, and lets none begin: for a
// server that shuts down. Leases and TryAcquire are not concerned.
func (l *Locker) StopWaiting() { l.waiters.close() }

// How often a waiter asks, without a channel and with one. Half of each pause is random, so that
// waiters of one key don't ask in step.
const (
	pollFirst = 10 * time.Millisecond
	pollMost  = 250 * time.Millisecond
	restFirst = time.Second
	restMost  = 5 * time.Second
)
