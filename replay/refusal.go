package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/lock"
)

// answerFor gives a request that was not granted its key, or lost it, what the state of the key calls
// for: the record's answer, or a refusal. Here alone a state becomes an answer, and always after
// Authorize.
func (c *call) answerFor(ctx context.Context, err error) (Result, error) {
	if refused := c.authorize(ctx, err); refused != nil {
		return c.refuse(refused)
	}
	if done, ok := errors.AsType[*lock.DoneError](err); ok {
		return c.replay(done.Value)
	}
	return c.refuse(c.refusalFor(err))
}

// replay answers with a record.
func (c *call) replay(value string) (Result, error) {
	record, err := c.codec.Open(c.redisKey, value)
	if err != nil {
		return c.refuse(c.unreadable(err))
	}
	if err := c.compare(record.Fingerprint); err != nil {
		return c.refuse(err)
	}
	c.event.Origin = record.Origin
	if record.Tombstone {
		return c.refuse(ErrReplayUnavailable)
	}
	c.event.Outcome = Replayed
	return Result{Replayed: true, Stored: true, Guarded: true, record: record}, nil
}

// refusalFor returns the error for a state of the key that has no answer.
func (c *call) refusalFor(err error) error {
	held, isHeld := errors.AsType[*lock.HeldError](err)
	left, isAbandoned := errors.AsType[*lock.AbandonedError](err)
	switch {
	case isHeld && !errors.Is(err, lock.ErrUnavailable):
		// Reused comes before in progress: another request never succeeds by waiting.
		if err := c.compare(held.Claim.Fingerprint); err != nil {
			return err
		}
		lost := errors.Is(err, lock.ErrLost)
		return &InProgressError{Left: held.Left, Attempt: held.Claim.Attempt, Lost: lost}
	case isAbandoned:
		if err := c.compare(left.Claim.Fingerprint); err != nil {
			return err
		}
		if c.req.OnAbandoned == RefuseUnknown {
			return ErrOutcomeUnknown
		}
		// Only work that lost its lease gets here: another took over and failed in its turn, and a retry
		// runs again.
		return &InProgressError{Attempt: left.Claim.Attempt, Lost: true}
	case errors.Is(err, errNested):
		c.engine.log.Write(logNested, "nested", slog.String("key", c.redisKey))
		return &InProgressError{Nested: true}
	case errors.Is(err, lock.ErrCorrupt):
		return c.unreadable(err)
	case errors.Is(err, lock.ErrUnavailable):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err // the caller's mistake: a fingerprint that can't be used
}

// unreadable logs and returns the error for a value that can't be read here. It names the Redis
// key, a digest, so that an operator can look at the value.
func (c *call) unreadable(err error) error {
	err = unreadable(c.redisKey, err)
	c.engine.log.Write(logForeign, "unreadable",
		slog.String("key", c.redisKey), slog.Any("err", err))
	return err
}

func unreadable(redisKey string, err error) error {
	if long, ok := errors.AsType[*lock.TooLongError](err); ok { // than any record within the codec's bounds
		tooLarge := &cache.TooLargeError{Unit: "bytes", Size: long.Size, Limit: long.Limit}
		err = fmt.Errorf("%w: %w", tooLarge, err)
	}
	if !errors.Is(err, cache.ErrCorrupt) {
		err = fmt.Errorf("%w: %w", cache.ErrCorrupt, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreadable, redisKey, err)
}
