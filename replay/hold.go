package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/internal/fault"
	"github.com/reprise-go/reprise/internal/jitter"
	"github.com/reprise-go/reprise/lock"
)

// hold runs the work under a lease and settles what becomes of the key.
//
// If the process dies before the commit, the claim stands until the lease runs out, and the next
// attempt is told; if it dies after, the record stands, and a retry gets it.
func (p *passage) hold(ctx context.Context, lease *lock.Lease) (Result, error) {
	p.event.Attempt = lease.Attempt()
	settled := false
	defer func() {
		if !settled { // a panic, or runtime.Goexit: it goes on after this
			p.event.Outcome = WorkPanicked
			_ = p.giveUp(ctx, lease, p.verdictOf(nil))
		}
	}()
	answer, replied, failure := p.perform(ctx, lease)
	result, err := p.settle(ctx, lease, answer, replied, failure)
	settled = true
	p.event.Err = err
	if p.engine.cfg.Shadow {
		// Whatever has become of the key, the caller gets what the work returned.
		stored := result.Stored && !result.Replayed
		return Result{Stored: stored, Guarded: true, Attempt: lease.Attempt(), Fence: lease.Fence()}, failure
	}
	return result, err
}

// perform runs the work, unless Reconcile has another answer to it: then replied is true.
func (p *passage) perform(ctx context.Context, lease *lock.Lease) (answer Answer, replied bool, err error) {
	begun := time.Now()
	defer func() { p.event.Work = time.Since(begun) }()
	p.working = p.attemptOf(lease)
	working := context.Context(&p.working)
	if p.engine.cfg.OnHangup == StopWithCaller {
		stoppable, cancel := context.WithCancelCause(working)
		defer cancel(nil)
		defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
		working = stoppable
	}
	if lease.Attempt() > 1 && p.req.OnAbandoned == AskReconcile && !p.engine.cfg.Shadow {
		decision, answer, err := p.req.Reconcile(working)
		switch {
		case err != nil:
			return Answer{}, false, fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
		case decision == Done:
			return answer, true, nil
		case decision != NotDone:
			return Answer{}, false, ErrOutcomeUnknown
		}
	}
	answer, err = p.work(working)
	return answer, false, err
}

// settle does what the work's verdict says, and answers with another's record if the lease was
// lost to it.
func (p *passage) settle(ctx context.Context, lease *lock.Lease, answer Answer, replied bool, failure error) (Result, error) {
	begun := time.Now()
	defer func() { p.event.Commit = time.Since(begun) }()
	ran := Result{Guarded: true, Attempt: lease.Attempt(), Fence: lease.Fence()}
	if failure != nil {
		answer.Verdict = p.verdictOf(failure)
	}
	if answer.Verdict == Keep || answer.Verdict == Tombstone {
		return p.commit(ctx, lease, answer, replied, ran)
	}

	p.event.Outcome = Failed
	if errors.Is(failure, ErrOutcomeUnknown) {
		p.event.Outcome = OutcomeUnknown
	}
	if err := p.giveUp(ctx, lease, answer.Verdict); taken(err) {
		result, err := p.late(ctx, err)
		if err != nil && failure != nil {
			err = fmt.Errorf("%w: %w", err, failure)
		}
		return result, err
	}
	// A release or abandon that did not arrive changes nothing for the caller: the lease runs out. Nor does
	// a lease that was lost to nobody, or to another who has freed the key.
	return ran, failure
}

// taken reports whether a lease is lost to something that stands under its key.
func taken(err error) bool {
	return errors.Is(err, lock.ErrLost) && (errors.Is(err, lock.ErrHeld) || errors.Is(err, lock.ErrAbandoned) ||
		errors.Is(err, lock.ErrDone) || errors.Is(err, lock.ErrCorrupt))
}

// verdictOf says what becomes of the key when the work fails with err, or panics (nil).
func (p *passage) verdictOf(err error) Verdict {
	_, clean := errors.AsType[*cleanError](err)
	if clean || p.req.OnFailure == ReleaseFailed {
		return Release
	}
	return Abandon
}

// giveUp ends the lease without a record.
func (p *passage) giveUp(ctx context.Context, lease *lock.Lease, v Verdict) error {
	if v == Release && lease.Attempt() == 1 {
		return lease.Release(ctx)
	}
	// A clean end of this attempt says nothing of those before it, which stay unknown.
	return lease.Abandon(ctx)
}

// commit stores the answer, and only then lets the caller have it.
func (p *passage) commit(ctx context.Context, lease *lock.Lease, answer Answer, replied bool, ran Result) (Result, error) {
	value, tombstone, faulty := p.record(lease, answer)
	if value == nil {
		p.event.Outcome = Failed
		_ = p.giveUp(ctx, lease, Abandon)
		return ran, faulty
	}
	retention := answer.Retention
	if retention == 0 {
		retention = p.engine.cfg.Retention
	}
	stored, err := p.store(ctx, lease, value, retention)
	switch {
	case err == nil, errors.Is(err, lock.ErrUnconfirmed) && stored != 0:
		// Unconfirmed, it still is what a retry gets, and withholding it would bring it no nearer to
		// the replicas.
		p.event.Outcome = Stored
		if ran.Unconfirmed = err != nil; ran.Unconfirmed {
			p.event.Outcome = Unconfirmed
			p.engine.logFault(slog.LevelWarn, logForgotten, err)
		}
		p.event.Vanished = stored == lock.StoredMissing
		ran.Stored = !tombstone
		if replied && !tombstone {
			// The caller has seen no value yet: it gets this one as it gets any record.
			ran.record, err = p.codec.Open(p.key, string(value))
			ran.Reconciled = err == nil
			return ran, err
		}
		return ran, faulty
	case errors.Is(err, lock.ErrLost):
		return p.late(ctx, err)
	case !errors.Is(err, lock.ErrUnavailable):
		p.event.Outcome = Failed // a retention that can't be: the handler's mistake
		_ = p.giveUp(ctx, lease, Abandon)
		return ran, err
	}
	if fault.Refused(err) {
		_ = p.giveUp(ctx, lease, Abandon) // Redis answers, and may do this: a full one does
	} else {
		go func() { _ = p.giveUp(ctx, lease, Abandon) }() // Redis is away: the caller need not wait for it twice
	}
	p.event.Outcome = NotStored
	p.engine.logFault(slog.LevelError, logNotStored, err)
	if p.engine.cfg.OnCommitDown == WithholdUnstored {
		return ran, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return ran, nil
}

// store commits, again and again until the hold ends: the work is done, and forgetting it means
// doing it twice.
//
// A Redis that answers and says no (it is full, or read-only, or lacks a right) renews the lease all the
// while, and would keep the caller waiting for as long as the longest hold. It is given up when it says no
// and has said so a lease ago: most that cures itself, as a failover does, has done so by then. A Redis that
// is silent keeps no lease alive, and ends the hold by that.
func (p *passage) store(ctx context.Context, lease *lock.Lease, value []byte, retention time.Duration) (lock.Stored, error) {
	var refused time.Time // when Redis first said no
	for pause := storeAgainFirst; ; pause = min(2*pause, storeAgainMost) {
		over := lease.Context().Err() != nil || p.engine.cfg.Shadow // which keeps nobody waiting
		stored, err := lease.Commit(ctx, value, retention)
		if !errors.Is(err, lock.ErrUnavailable) || over {
			return stored, err
		}
		if fault.Refused(err) {
			if refused.IsZero() {
				refused = time.Now()
			}
			if time.Since(refused) >= p.engine.cfg.Lock.TTL {
				return stored, err
			}
		}
		p.engine.logFault(slog.LevelWarn, logWaits, err)
		if t := p.engine.cfg.Trace; t != nil && t.CommitFailed != nil {
			t.CommitFailed(ctx, err)
		}
		timer := time.NewTimer(pause/2 + jitter.N(pause/2))
		select {
		case <-timer.C:
		case <-lease.Context().Done(): // one last try, which may still find the key ours
		}
		timer.Stop()
	}
}

// How long to wait between tries to store an answer. Half of each pause is random.
const (
	storeAgainFirst = 50 * time.Millisecond
	storeAgainMost  = time.Second
)

// late answers for work whose key is another's by now.
func (p *passage) late(ctx context.Context, lost error) (Result, error) {
	result, err := p.standing(ctx, lost)
	p.event.Outcome = LostLease
	if errors.Is(err, ErrReused) {
		// The key was freed meanwhile and another request has it: nothing tells any more what
		// this one did, and to say that it did nothing would be wrong.
		err = fmt.Errorf("%w: %w", ErrOutcomeUnknown, lost)
	}
	return result, err
}

// record encodes an answer. One that is too large to be read back is kept as a tombstone, and so is
// one that can't be encoded, with an error: the work has been done and must not run again.
func (p *passage) record(lease *lock.Lease, a Answer) (value []byte, tombstone bool, err error) {
	h := cache.Header{Owner: lease.Owner(), Fence: lease.Fence(), Fingerprint: p.req.Fingerprint}
	if a.Verdict == Keep {
		value, err = p.codec.Encode(p.key, h, a.Value)
		if err == nil {
			return value, false, nil
		}
		if errors.Is(err, cache.ErrTooLarge) {
			err = nil
		}
	}
	h.Tombstone = true
	value, bad := p.codec.Encode(p.key, h, nil)
	if bad != nil {
		return nil, false, bad
	}
	return value, true, err
}
