package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/lock"
)

// A passage is one request on its way through the engine.
type passage struct {
	engine *Engine
	req    Request
	work   func(context.Context) (Answer, error)
	key    string // in Redis
	codec  cache.Codec
	start  time.Time
	event  Event

	answered   bool  // Redis has said something of the key
	authorized bool  // Authorize has been asked,
	refused    error // and said so

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
		result, err = p.refuse(&callerGoneError{err}) // while it waited for a holder, perhaps
	} else {
		result, err = p.standing(ctx, err)
	}
	p.event.Err = err
	switch {
	case p.engine.cfg.Shadow && p.event.Outcome != CallerGone:
		if p.event.Outcome == Unavailable {
			p.engine.logFault(slog.LevelError, logUnseen, err)
		}
	case p.event.Outcome == Unavailable && p.req.OnStoreDown == RunUnguarded && p.neverAnswered(ctx, err):
		p.event.Outcome = Unguarded
		p.engine.logFault(slog.LevelError, logUnguarded, err)
	default:
		if p.event.Outcome == Unavailable {
			p.engine.logFault(slog.LevelError, logRefused, err)
		}
		return result, err
	}
	return p.runUnguarded(ctx)
}

var errNested = errors.New("replay: nested")

// neverAnswered reports whether Redis gave no answer about this key at all, through a fault of Redis or
// of the network. Only then may the work run unguarded.
//
// After an answer, somebody may be at work, or done: a holder was waited for until Redis went away, or
// it went before a long answer could be fetched, or a fingerprint can't be compared here. And without a
// fault of that kind, Redis is well and serves others, one of whom may hold the key: the client's pool was
// used up, say, or its password is wrong. (See fault.Prober.)
func (p *passage) neverAnswered(ctx context.Context, err error) bool {
	if p.answered || errors.Is(err, lock.ErrHeld) || errors.Is(err, lock.ErrDone) {
		return false
	}
	return errors.Is(err, lock.ErrUnavailable) && p.engine.prober.Down(ctx, p.key, err)
}

func (p *passage) tell(ctx context.Context) {
	if t := p.engine.cfg.Trace; t != nil && t.Finished != nil {
		t.Finished(ctx, p.event)
	}
}

// acquire asks for the key. Where Authorize has a say, a first question neither waits nor takes over:
// a caller who is refused must not learn by a delay that the key is held, nor be the next attempt. So it is
// where work around this one may hold the key: to wait for that would be to wait for one's own end.
func (p *passage) acquire(ctx context.Context) (*lock.Lease, error) {
	if p.engine.holds(ctx, p.key) {
		return nil, errNested
	}
	around := heldAround(ctx, p.key)
	asks := p.req.Authorize != nil || around != 0
	lease, err := p.ask(ctx, asks)
	if held, ok := errors.AsType[*lock.HeldError](err); ok && around != 0 && held.Claim.Fence == around {
		return nil, errNested // under another engine, on the same Redis
	}
	known, open := p.openTo(err)
	switch {
	case p.authorize(ctx, err) != nil, !open:
		return lease, err
	case p.compare(known) != nil, known == p.req.Fingerprint && !asks:
		return lease, err // nothing would come of asking again
	}
	p.answered = true
	// Redis compares fingerprints as they stand: ask by the one that the key has this request by.
	p.req.Fingerprint = known
	return p.ask(ctx, false)
}

func (p *passage) ask(ctx context.Context, onlyLook bool) (*lock.Lease, error) {
	terms := lock.Terms{
		Fingerprint:    p.req.Fingerprint,
		Scope:          p.req.Scope,
		LeaveAbandoned: p.req.OnAbandoned == RefuseUnknown || onlyLook,
		Wait:           p.req.Wait,
		Detached:       true, // the lease must outlive a caller who hangs up: the answer is stored yet
	}
	if p.req.Wait <= 0 || p.engine.cfg.Shadow || onlyLook {
		return p.engine.locker.TryAcquire(ctx, p.key, terms)
	}
	return p.engine.locker.Acquire(ctx, p.key, terms)
}

// openTo returns the fingerprint of a claim that this request could wait for, or take over from.
func (p *passage) openTo(err error) (fingerprint string, open bool) {
	if held, ok := errors.AsType[*lock.HeldError](err); ok && p.req.Wait > 0 {
		return held.Claim.Fingerprint, true
	}
	if left, ok := errors.AsType[*lock.AbandonedError](err); ok && p.req.OnAbandoned != RefuseUnknown {
		return left.Claim.Fingerprint, true
	}
	return "", false
}

// authorize asks Request.Authorize, once, before anything is said or done that depends on the state of
// the key. There is none to hide while the key is free, or as long as Redis has said nothing of it.
func (p *passage) authorize(ctx context.Context, err error) error {
	used := errors.Is(err, lock.ErrHeld) || errors.Is(err, lock.ErrAbandoned) || errors.Is(err, lock.ErrDone) || errors.Is(err, lock.ErrCorrupt)
	if p.req.Authorize == nil || p.authorized || !used {
		return p.refused
	}
	p.authorized = true
	p.event.Outcome = ReplayRefused // if it panics, too
	if err := p.req.Authorize(ctx); err != nil {
		p.refused = fmt.Errorf("%w: %w", ErrReplayRefused, err)
	}
	return p.refused
}

// compare returns nil if a key's fingerprint is of this request, and otherwise ErrReused, or
// ErrUnavailable if it can't be told. A request without a fingerprint and one that has one are two,
// however the other was made.
func (p *passage) compare(known string) error {
	if known == p.req.Fingerprint {
		return nil
	}
	if p.req.Same == nil || known == "" || p.req.Fingerprint == "" {
		return ErrReused
	}
	same, err := p.req.Same(known)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case !same:
		return ErrReused
	}
	return nil
}

// standing says what a request gets that was not granted its key: the one place where a state of
// the key becomes an answer.
func (p *passage) standing(ctx context.Context, err error) (Result, error) {
	if refused := p.authorize(ctx, err); refused != nil {
		return p.refuse(refused)
	}
	if done, ok := errors.AsType[*lock.DoneError](err); ok {
		return p.replay(done.Value)
	}
	if held, ok := errors.AsType[*lock.HeldError](err); ok && !errors.Is(err, lock.ErrUnavailable) {
		// Reused comes before in progress: another request never succeeds by waiting.
		if err := p.compare(held.Claim.Fingerprint); err != nil {
			return p.refuse(err)
		}
		return p.refuse(&InProgressError{Left: held.Left, Attempt: held.Claim.Attempt, Lost: errors.Is(err, lock.ErrLost)})
	}
	if left, ok := errors.AsType[*lock.AbandonedError](err); ok {
		if err := p.compare(left.Claim.Fingerprint); err != nil {
			return p.refuse(err)
		}
		if p.req.OnAbandoned == RefuseUnknown {
			return p.refuse(ErrOutcomeUnknown)
		}
		// Only a late finisher gets here: another took over and failed in its turn, and a retry
		// runs again.
		return p.refuse(&InProgressError{Attempt: left.Claim.Attempt, Lost: true})
	}
	if errors.Is(err, errNested) {
		p.engine.log.Write(slog.LevelError, "replay: work asks for its own key, and is refused", "nested", slog.String("key", p.key))
		return p.refuse(&InProgressError{Nested: true})
	}
	if errors.Is(err, lock.ErrCorrupt) {
		return p.unreadable(err)
	}
	if errors.Is(err, lock.ErrUnavailable) {
		return p.refuse(fmt.Errorf("%w: %w", ErrUnavailable, err))
	}
	return p.refuse(err) // the caller's mistake: a fingerprint that can't be used
}

func (p *passage) refuse(err error) (Result, error) {
	p.event.Outcome = OutcomeOf(err)
	return Result{}, err
}

func (p *passage) unreadable(err error) (Result, error) {
	err = unreadable(p.key, err)
	p.engine.log.Write(slog.LevelError, logForeign, "unreadable", slog.String("key", p.key), slog.Any("err", err))
	return p.refuse(err)
}

// replay answers with a record.
func (p *passage) replay(value string) (Result, error) {
	record, err := p.codec.Open(p.key, value)
	if err != nil {
		return p.unreadable(err)
	}
	if err := p.compare(record.Fingerprint); err != nil {
		return p.refuse(err)
	}
	if record.Tombstone {
		return p.refuse(ErrReplayUnavailable)
	}
	p.event.Outcome = Replayed
	return Result{Replayed: true, Stored: true, Guarded: true, record: record}, nil
}

// runUnguarded runs the work without a claim.
func (p *passage) runUnguarded(ctx context.Context) (Result, error) {
	free := context.Context(&attemptContext{Context: ctx}) // the attempt of an outer engine is not this work's
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
