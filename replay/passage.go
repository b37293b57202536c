package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/reprise-go/reprise/lock"
)

// A passage is one request on its way through the engine.
type passage struct {
	engine *Engine
	req    Request
	work   func(context.Context) (Answer, error)
	key    string // in Redis
	start  time.Time
	event  Event

	working attemptContext // the work's
}

// do follows the state table: ask for the key, then run, replay or refuse. It tells Trace on every
// way out, a panic's too.
func (p *passage) do(ctx context.Context) (Result, error) {
	defer p.tell(ctx)
	p.event.Shadow = p.engine.cfg.Shadow
	lease, err := p.acquire(ctx)
	p.event.Acquire = time.Since(p.start)
	if err == nil {
		return p.hold(ctx, lease)
	}
	var result Result
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		result, err = p.refuse(CallerGone, err) // while it waited for a holder, perhaps
	} else {
		result, err = p.standing(ctx, err)
	}
	p.event.Err = err
	switch {
	case p.engine.cfg.Shadow && p.event.Outcome != CallerGone:
	case p.event.Outcome == Unavailable && p.req.OnStoreDown == RunUnguarded && unasked(err):
		p.event.Outcome = Unguarded
	default:
		return result, err
	}
	return p.runUnguarded(ctx)
}

// unasked reports whether Redis has said nothing of the key. Else somebody may be at work, or done: a
// holder was waited for until Redis went away, or it went before a long answer could be fetched, or a
// fingerprint can't be compared here.
func unasked(err error) bool {
	return errors.Is(err, lock.ErrUnavailable) && !errors.Is(err, lock.ErrHeld) && !errors.Is(err, lock.ErrDone)
}

func (p *passage) tell(ctx context.Context) {
	if t := p.engine.cfg.Trace; t != nil && t.Finished != nil {
		t.Finished(ctx, p.event)
	}
}

func (p *passage) acquire(ctx context.Context) (*lock.Lease, error) {
	lease, err := p.ask(ctx)
	if p.knownOtherwise(err) {
		return p.ask(ctx)
	}
	return lease, err
}

func (p *passage) ask(ctx context.Context) (*lock.Lease, error) {
	terms := lock.Terms{
		Fingerprint:    p.req.Fingerprint,
		Scope:          p.req.Scope,
		LeaveAbandoned: p.req.OnAbandoned == RefuseUnknown,
		Wait:           p.req.Wait,
		Detached:       true, // the lease must outlive a caller who hangs up: the answer is stored yet
	}
	if p.req.Wait <= 0 || p.engine.cfg.Shadow {
		return p.engine.locker.TryAcquire(ctx, p.key, terms)
	}
	return p.engine.locker.Acquire(ctx, p.key, terms)
}

// knownOtherwise takes on the fingerprint that a key has this request by, if it is another than ours:
// Redis compares fingerprints as they stand.
func (p *passage) knownOtherwise(err error) bool {
	var known string
	if held, ok := errors.AsType[*lock.HeldError](err); ok && p.req.Wait > 0 {
		known = held.Claim.Fingerprint
	} else if left, ok := errors.AsType[*lock.AbandonedError](err); ok && p.req.OnAbandoned != RefuseUnknown {
		known = left.Claim.Fingerprint
	} else {
		return false // nothing would come of asking again
	}
	if known == p.req.Fingerprint || p.compare(known) != nil {
		return false
	}
	p.req.Fingerprint = known
	return true
}

// compare returns nil if a key's fingerprint is of this request, and otherwise ErrMismatch, or
// ErrUnavailable if it can't be told.
func (p *passage) compare(known string) error {
	if known == p.req.Fingerprint {
		return nil
	}
	if p.req.Same == nil {
		return ErrMismatch
	}
	same, err := p.req.Same(known)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case !same:
		return ErrMismatch
	}
	return nil
}

// standing says what a request gets that was not granted its key: the one place where a state of
// the key becomes an answer.
func (p *passage) standing(ctx context.Context, err error) (Result, error) {
	if done, ok := errors.AsType[*lock.DoneError](err); ok {
		return p.replay(ctx, done.Value)
	}
	if held, ok := errors.AsType[*lock.HeldError](err); ok && !errors.Is(err, lock.ErrUnavailable) {
		// Mismatch comes before in flight: another request never succeeds by waiting.
		if err := p.compare(held.Claim.Fingerprint); err != nil {
			return p.refuse(outcomeOf(err), err)
		}
		return p.refuse(InFlight, &InFlightError{Left: held.Left, Attempt: held.Claim.Attempt, Lost: errors.Is(err, lock.ErrLost)})
	}
	if left, ok := errors.AsType[*lock.AbandonedError](err); ok {
		if err := p.compare(left.Claim.Fingerprint); err != nil {
			return p.refuse(outcomeOf(err), err)
		}
		if p.req.OnAbandoned == RefuseUnknown {
			return p.refuse(Unknown, ErrOutcomeUnknown)
		}
		// Only a late finisher gets here: another took over and failed in its turn, and a retry
		// runs again.
		return p.refuse(InFlight, &InFlightError{Attempt: left.Claim.Attempt, Lost: true})
	}
	if errors.Is(err, lock.ErrCorrupt) {
		return p.unreadable(err)
	}
	if errors.Is(err, lock.ErrUnavailable) {
		return p.refuse(Unavailable, fmt.Errorf("%w: %w", ErrUnavailable, err))
	}
	return p.refuse("", err) // the caller's mistake: a fingerprint that can't be used
}

func (p *passage) refuse(o Outcome, err error) (Result, error) {
	p.event.Outcome = o
	return Result{}, err
}

// outcomeOf names what compare has found.
func outcomeOf(err error) Outcome {
	if errors.Is(err, ErrMismatch) {
		return Mismatch
	}
	return Unavailable
}

func (p *passage) unreadable(err error) (Result, error) {
	err = unreadable(p.key, err)
	p.engine.cfg.Logger.Error("replay: a value under a key can't be read; it is left as it is", "key", p.key, "err", err)
	return p.refuse(Unreadable, err)
}

// replay answers with a record.
func (p *passage) replay(ctx context.Context, value string) (Result, error) {
	record, err := p.engine.codec.Open(p.key, value)
	if err != nil {
		return p.unreadable(err)
	}
	if err := p.compare(record.Fingerprint); err != nil {
		return p.refuse(outcomeOf(err), err)
	}
	if p.req.Authorize != nil {
		p.event.Outcome = Refused // if it panics, too
		if err := p.req.Authorize(ctx); err != nil {
			return p.refuse(Refused, fmt.Errorf("%w: %w", ErrRefused, err))
		}
	}
	if record.Tombstone {
		return p.refuse(NotKept, ErrNotKept)
	}
	p.event.Outcome = Replayed
	return Result{Replayed: true, Stored: true, Guarded: true, record: record}, nil
}

// runUnguarded runs the work without a claim.
func (p *passage) runUnguarded(ctx context.Context) (Result, error) {
	free := context.WithValue(ctx, attemptKey{}, nil) // the attempt of an outer engine is not this work's
	if p.engine.cfg.Shadow {
		free = context.WithValue(free, shadowKey{}, p.event.Outcome)
	}
	if p.engine.cfg.OnHangup == RunOn {
		free = context.WithoutCancel(free)
	}
	free, cancel := context.WithTimeoutCause(free, p.engine.cfg.Lock.MaxHold, lock.ErrMaxHold)
	defer cancel()
	begun := time.Now()
	defer func() { p.event.Work = time.Since(begun) }()
	_, err := p.work(free)
	return Result{}, err
}
