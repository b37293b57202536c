package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/reprise-go/reprise/lock"
)

// errNested is what acquire returns where the key is held by the very work that asks for it.
var errNested = errors.New("replay: nested")

// acquire asks Redis for the key. For most requests one question is enough.
//
// With Authorize the first question neither waits nor takes over: a caller who is refused must not
// learn by a delay that the key is held, nor be counted as an attempt. The same goes for a request
// from within work that may hold the key itself: it would wait for its own end.
func (c *call) acquire(ctx context.Context) (*lock.Lease, error) {
	if c.engine.holds(ctx, c.redisKey) {
		return nil, errNested
	}
	enclosing := enclosingFence(ctx, c.redisKey)
	onlyIfFree := c.req.Authorize != nil || enclosing != 0
	lease, err := c.ask(ctx, onlyIfFree)
	if err == nil {
		return lease, nil
	}
	held, isHeld := errors.AsType[*lock.HeldError](err)
	if isHeld && enclosing != 0 && held.Claim.Fence == enclosing {
		return nil, errNested // by work of another engine, on the same Redis
	}

	known, usable := c.usableClaim(err)
	if !usable || c.authorize(ctx, err) != nil || c.compare(known) != nil {
		return nil, err // answerFor finds the refusal again
	}
	if known == c.req.Fingerprint && !onlyIfFree {
		return nil, err // the question was asked to the full, and asking again would change nothing
	}
	c.answered = true
	// Redis compares fingerprints byte by byte, so the second question has the one that it knows.
	c.req.Fingerprint = known
	return c.ask(ctx, false)
}

// ask is one question to Redis: for the key as the policies say or, with onlyIfFree, for a free key
// alone.
func (c *call) ask(ctx context.Context, onlyIfFree bool) (*lock.Lease, error) {
	terms := lock.Terms{
		Fingerprint:    c.req.Fingerprint,
		Scope:          c.req.Scope,
		LeaveAbandoned: c.req.OnAbandoned == RefuseUnknown || onlyIfFree,
		Wait:           c.req.Wait,
		Detached:       true, // when the caller hangs up, the answer must still be stored
	}
	if c.req.Wait <= 0 || c.engine.cfg.Shadow || onlyIfFree {
		return c.engine.locker.TryAcquire(ctx, c.redisKey, terms)
	}
	return c.engine.locker.Acquire(ctx, c.redisKey, terms)
}

// usableClaim returns the fingerprint of a claim that this request may wait for or take over.
func (c *call) usableClaim(err error) (fingerprint string, usable bool) {
	if held, ok := errors.AsType[*lock.HeldError](err); ok && c.req.Wait > 0 {
		return held.Claim.Fingerprint, true
	}
	if left, ok := errors.AsType[*lock.AbandonedError](err); ok && c.req.OnAbandoned != RefuseUnknown {
		return left.Claim.Fingerprint, true
	}
	return "", false
}

// authorize asks Request.Authorize, once, before anything is said or done that depends on the state
// of the key, and returns its refusal. It doesn't ask while the key is free, or as long as Redis has
// told nothing: then there is nothing to hide.
func (c *call) authorize(ctx context.Context, err error) error {
	if c.req.Authorize == nil || c.authorized || !toldState(err) {
		return c.refused
	}
	c.event.Outcome = ReplayRefused // also if Authorize panics
	return c.askAuthorize(ctx)
}

func (c *call) askAuthorize(ctx context.Context) error {
	if c.req.Authorize == nil || c.authorized {
		return c.refused
	}
	// If Authorize panics, and the work goes on, it has not allowed anything.
	c.authorized, c.refused = true, ErrReplayRefused
	if err := c.req.Authorize(ctx); err != nil {
		c.refused = fmt.Errorf("%w: %w", ErrReplayRefused, err)
	} else {
		c.refused = nil
	}
	return c.refused
}

// toldState reports whether err tells what stands under the key.
func toldState(err error) bool {
	return errors.Is(err, lock.ErrHeld) || errors.Is(err, lock.ErrAbandoned) ||
		errors.Is(err, lock.ErrDone) || errors.Is(err, lock.ErrCorrupt)
}

// compare returns nil if the key's fingerprint is this request's, ErrReused if it is another's, and
// ErrUnavailable if that can't be told. A request without a fingerprint is never the same as one that
// has one, and Same isn't asked.
func (c *call) compare(known string) error {
	if known == c.req.Fingerprint {
		return nil
	}
	if c.req.Same == nil || known == "" || c.req.Fingerprint == "" {
		return ErrReused
	}
	same, err := c.req.Same(known)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case !same:
		return ErrReused
	}
	return nil
}
