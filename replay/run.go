package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/reprise-go/reprise/lock"
)

// runUnderLease runs the work and settles what becomes of the key.
//
// If the process dies before the commit, the claim stands until the lease runs out, and the next
// attempt is told; if it dies after, the record stands, and a retry gets it.
func (c *call) runUnderLease(ctx context.Context) (Result, error) {
	c.event.Attempt = c.lease.Attempt()
	settled := false
	defer func() {
		if !settled { // a panic or runtime.Goexit, which goes on after this
			c.event.Outcome = WorkPanicked
			_ = c.giveUp(ctx, c.verdictOf(nil))
		}
	}()
	done := c.conclude(c.perform(ctx))
	result, err := c.settle(ctx, done)
	settled = true
	c.event.Err = err
	if c.engine.cfg.Shadow {
		// Whatever has become of the key, the caller gets what the work returned.
		shadowed := c.ranResult()
		shadowed.Stored = result.Stored && !result.Replayed
		return shadowed, done.err
	}
	return result, err
}

// A workResult is what the work returned, or Reconcile in its place.
type workResult struct {
	answer     Answer
	err        error
	reconciled bool
	refused    bool // err is a refusal of the request, though the work has run or Reconcile been asked
}

// perform runs the work, unless Reconcile decides otherwise.
func (c *call) perform(ctx context.Context) workResult {
	c.working = c.attemptContext()
	working := context.Context(&c.working)
	if c.engine.cfg.OnHangup == StopWithCaller {
		stoppable, cancel := context.WithCancelCause(working)
		defer cancel(nil)
		defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
		working = stoppable
	}
	return c.trace(working, func(ctx context.Context) workResult {
		if c.lease.Attempt() > 1 && c.req.OnAbandoned == AskReconcile && !c.engine.cfg.Shadow {
			if found, run := c.reconcile(ctx); !run {
				return found
			}
		}
		answer, err := c.work(ctx)
		return workResult{answer: answer, err: err}
	})
}

// conclude heeds what the work has told through its Work. A refusal holds whatever the work
// returned: the key is given up, so that the request whose effect was found can have it again, at
// once if this was the first attempt.
func (c *call) conclude(done workResult) workResult {
	repeated, refused := c.found.close()
	c.event.Repeated = repeated
	if refused != nil && !c.engine.cfg.Shadow {
		return workResult{err: Clean(refused), refused: true}
	}
	return done
}

// reconcile asks Request.Reconcile what an earlier attempt did, and whether to run the work.
func (c *call) reconcile(working context.Context) (found workResult, run bool) {
	decision, answer, err := c.req.Reconcile(working)
	found.reconciled = true
	switch {
	case err != nil:
		found.err, found.refused = fmt.Errorf("%w: %w", ErrOutcomeUnknown, err), true
	case decision == NotDone:
		return workResult{}, true
	case decision == Done:
		found.answer = answer
	default:
		found.err, found.refused = ErrOutcomeUnknown, true
	}
	return found, false
}

// settle commits the answer or gives the key up, as the verdict says.
func (c *call) settle(ctx context.Context, done workResult) (Result, error) {
	begun := time.Now()
	defer func() { c.event.Commit = time.Since(begun) }()
	verdict := done.answer.Verdict
	if done.err != nil {
		verdict = c.verdictOf(done.err)
	}
	if verdict == Keep || verdict == Tombstone {
		return c.commit(ctx, done)
	}

	c.event.Outcome = Failed
	if done.refused {
		c.event.Outcome = OutcomeOf(done.err)
	}
	if err := c.giveUp(ctx, verdict); taken(err) {
		result, err := c.answerLate(ctx, err)
		if err != nil && done.err != nil {
			err = fmt.Errorf("%w: %w", err, done.err)
		}
		return result, err
	}
	// Any other error of giving up changes nothing for the caller: if Redis was not reached, the
	// lease runs out by itself, and a lease may have been lost to nobody, or to another who has
	// freed the key.
	return c.ranResult(), done.err
}

// ranResult is the result of work that ran under the lease and is not stored, or not yet.
func (c *call) ranResult() Result {
	return Result{Guarded: true, Repeated: c.event.Repeated,
		Attempt: c.lease.Attempt(), Fence: c.lease.Fence()}
}

// verdictOf says what becomes of the key when the work fails with err, or panics (nil).
func (c *call) verdictOf(err error) Verdict {
	_, clean := errors.AsType[*cleanError](err)
	if clean || c.req.OnFailure == ReleaseFailed {
		return Release
	}
	return Abandon
}

// giveUp ends the lease without a record.
func (c *call) giveUp(ctx context.Context, v Verdict) error {
	if v == Release && c.lease.Attempt() == 1 {
		return c.lease.Release(ctx)
	}
	// That this attempt did nothing says nothing of those before it, whose effects stay unknown.
	return c.lease.Abandon(ctx)
}

// taken reports whether the lease is lost, and the key has another's claim or a record.
func taken(err error) bool {
	return errors.Is(err, lock.ErrLost) && toldState(err)
}

// answerLate answers for work that lost its key to another: with that one's record, if it has one.
func (c *call) answerLate(ctx context.Context, lost error) (Result, error) {
	result, err := c.answerFor(ctx, lost)
	c.event.Outcome = LostLease
	if errors.Is(err, ErrReused) {
		// The key was freed meanwhile, and another request has it. ErrReused would say that this
		// one did nothing, which is wrong: nothing tells any more what it did.
		err = fmt.Errorf("%w: %w", ErrOutcomeUnknown, lost)
	}
	return result, err
}
