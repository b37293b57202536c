package lock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNoInspect: a quorum lock has no one state to look at. Look at each deployment with a Locker of
// its own, made by New.
var ErrNoInspect = errors.New("a quorum lock can't be inspected: inspect each deployment by itself")

// ErrChanged: what stands under the key isn't what was inspected. The error is a *ChangedError.
var ErrChanged = errors.New("the key has changed since it was inspected")

// A ChangedError says what stands under the key instead. It has been left alone.
//
// If Now is Free or another's claim, and a connection broke on the way, then the act itself may have
// been done by a first sending whose reply was lost.
type ChangedError struct {
	Now Sight
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("lock: %v: now %s", ErrChanged, e.Now.Standing)
}

// Unwrap returns ErrChanged.
func (e *ChangedError) Unwrap() error { return ErrChanged }

// ErrUnfit: the act is none for what was inspected. The error is an *UnfitError.
var ErrUnfit = errors.New("the act doesn't fit what stands under the key")

// An UnfitError says which acts fit.
type UnfitError struct {
	Act      Act
	Standing Standing
	Fit      []Act // may be empty
}

func (e *UnfitError) Error() string {
	fit := "none does"
	if len(e.Fit) > 0 {
		words := make([]string, len(e.Fit))
		for i, a := range e.Fit {
			words[i] = string(a)
		}
		fit = strings.Join(words, " or ") + " does"
	}
	return fmt.Sprintf("lock: %s: %v: it is %s, and %s", e.Act, ErrUnfit, e.Standing, fit)
}

// Unwrap returns ErrUnfit.
func (e *UnfitError) Unwrap() error { return ErrUnfit }

// An Act is what an operator can do about a key.
type Act string

const (
	// ReleaseClaim frees the key of a claim, live or abandoned, as if it had never been held. The
	// next holder is told that it is attempt 1, whatever the earlier ones did.
	ReleaseClaim Act = "release"

	// AbandonClaim ends a live lease now. The next holder is told of it, as of one that died.
	AbandonClaim Act = "abandon"

	// ForgetValue frees the key of a value, committed or foreign.
	ForgetValue Act = "forget"
)

// fitting are the acts for what stands under a key. What is of another type than a string hasn't been
// seen, and is for its owner to remove.
var fitting = map[Standing][]Act{
	Claimed:   {ReleaseClaim, AbandonClaim},
	Abandoned: {ReleaseClaim},
	Valued:    {ForgetValue},
}

// minHead is the least that is taken of a value's beginning: a claim is never cut, nor the header of a
// cache record, so that two sights of one record have the same Identity.
const minHead = 512

// Inspect looks at a key in one round trip, and changes nothing. Of a value it takes the first bytes,
// as many as head says: at least 512 and at most Config.MaxValue. Left and Remembered are by Redis's
// clock, as is the time of the reading.
//
// Its errors are a *KeyError, ErrUnavailable, the cause of ctx, and ErrNoInspect for a quorum lock. After
// the end of ctx it takes Config.Timeout at most. Redis has to allow GETRANGE beside what a Locker needs.
func (l *Locker) Inspect(ctx context.Context, key string, head int) (Sight, error) {
	if key == "" {
		return Sight{}, &KeyError{Field: "key", Want: "at least one byte"}
	}
	s, isSingle := l.store.(*single)
	switch {
	case !isSingle:
		return Sight{}, failed("inspect", ErrNoInspect)
	case ctx.Err() != nil:
		return Sight{}, failed("inspect", context.Cause(ctx))
	}
	bounded, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	r, err := s.server.runUntraced(bounded, s.server.requests.inspect(key, l.headOf(head)))
	switch {
	case err != nil && ctx.Err() != nil: // no fault of Redis, as far as anybody knows
		return Sight{}, failed("inspect", context.Cause(ctx))
	case err == nil && r.seen == nil:
		err = errOddReply
	}
	if err != nil {
		l.cfg.Trace.failed(ctx, inspectScript.name, err)
		return Sight{}, failed("inspect", err)
	}
	return r.seen.of(key), nil
}

func (l *Locker) headOf(head int) int64 { return min(max(int64(head), minHead), l.cfg.MaxValue) }

var errOddReply = fmt.Errorf("%w: unexpected reply", ErrUnavailable)

// Act does what an operator asks for, if what was inspected still stands under the key: a claim is
// compared whole, and so with its owner, fence and attempt (a renewal changes none of them); a value
// by its size and by what Inspect took of it, its first and last 16 bytes at least. Those who wait for
// the key are woken. It takes one round trip, and isn't stopped by the end of ctx.
//
// A live holder whose claim is released or abandoned loses its lease at its next renewal, at the
// latest after Config.Renew: its context ends with cause ErrLost. Until then another may work beside it:
// whoever acts on a live claim waives for this key that one holder works at a time. A commit of that
// holder that comes before it knows
//
//   - finds the released key free, and is stored (StoredUnclaimed),
//   - finds its own abandoned claim, and is stored (StoredNow),
//   - finds the key another's by then, or done, and is refused (ErrLost).
//
// The errors are a *ChangedError, an *UnfitError, ErrUnavailable, after which nobody knows whether it
// was done, the cause of a ctx that has ended before, and ErrNoInspect.
func (l *Locker) Act(ctx context.Context, act Act, seen Sight) error {
	s, isSingle := l.store.(*single)
	switch {
	case !isSingle:
		return failed(string(act), ErrNoInspect)
	case !slices.Contains(seen.Fit(), act):
		return &UnfitError{Act: act, Standing: seen.Standing, Fit: seen.Fit()}
	case ctx.Err() != nil:
		return failed(string(act), context.Cause(ctx))
	}
	bounded := s.server.bounded(ctx)
	defer bounded.end()
	req := s.server.requests.act(act, seen)
	r, err := s.server.run(bounded, req)
	switch {
	case err != nil:
		return failed(string(act), err)
	case r.status == statusOK:
		return nil
	case r.seen == nil:
		return failed(string(act), errOddReply)
	}
	now := r.seen.of(seen.Key)
	if now.Standing == Free && act != AbandonClaim && req.sent.several() {
		return nil // the first sending may have done it, and the key is as it was to be
	}
	return &ChangedError{Now: now}
}
