package replay

import (
	"context"
	"errors"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/lock"
)

// A call is one call of Engine.Do.
type call struct {
	engine   *Engine
	req      Request
	work     func(context.Context) (Answer, error)
	redisKey string
	codec    cache.Codec
	start    time.Time
	event    Event

	answered   bool  // Redis has told the state of the key
	authorized bool  // Request.Authorize has been asked,
	refused    error // and this is its refusal, if it refused

	lease   *lock.Lease    // once the key is granted
	working attemptContext // the work's, under the lease
	found   findings       // what the work has told us through its Work
}

// do follows the state table: it asks for the key, and then runs the work, replays or refuses. It
// tells Trace on every way out, a panic's too.
func (c *call) do(ctx context.Context) (Result, error) {
	c.event = c.engine.event(c.req)
	c.event.Key = c.redisKey
	ctx = c.engine.started(ctx, c.event)
	defer func() { c.engine.finished(ctx, c.event) }()
	lease, err := c.acquire(ctx)
	c.event.Acquire = time.Since(c.start)
	if err == nil {
		c.lease = lease
		return c.runUnderLease(ctx)
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return c.refuse(&callerGoneError{err}) // while it waited for a holder, perhaps
	}
	result, err := c.answerFor(ctx, err)
	if c.decideUnguarded(ctx, err) {
		return c.runUnguarded(ctx)
	}
	return result, err
}

func (c *call) refuse(err error) (Result, error) {
	c.event.Outcome, c.event.Err = OutcomeOf(err), err
	return Result{}, err
}

// decideUnguarded decides whether the work runs without a claim, in place of a refusal or, in shadow
// mode, of a replay. It logs the decision and, if the policy is to run, sets the outcome.
func (c *call) decideUnguarded(ctx context.Context, err error) bool {
	unavailable := c.event.Outcome == Unavailable
	switch {
	case c.engine.cfg.Shadow:
		if unavailable {
			c.engine.logFault(logUnseen, err)
		}
		return true
	case !unavailable:
		return false
	case c.req.OnStoreDown == RunUnguarded && c.neverAnswered(ctx, err):
		c.event.Outcome = Unguarded
		c.engine.logFault(logUnguarded, err)
		return true
	}
	c.engine.logFault(logRefused, err)
	return false
}

// neverAnswered reports whether Redis gave no answer about this key at all, through a fault of Redis
// or of the network. Only then may the work run unguarded: any answer could mean that another request
// is running or done. It may have been that
//
//   - a holder was waited for until Redis went away,
//   - Redis went away before a long record could be fetched,
//   - the key has a fingerprint that can't be compared here.
//
// Nor may the work run after a fault of the client's own, such as a pool that is used up or a wrong
// password: Redis is well then and serves others, one of whom may hold the key. fault.Prober tells
// the two apart.
func (c *call) neverAnswered(ctx context.Context, err error) bool {
	if c.answered || errors.Is(err, lock.ErrHeld) || errors.Is(err, lock.ErrDone) {
		return false
	}
	return errors.Is(err, lock.ErrUnavailable) && c.engine.prober.Down(ctx, c.redisKey, err)
}

// runUnguarded runs the work without a claim.
func (c *call) runUnguarded(ctx context.Context) (Result, error) {
	// The work has no attempt, even where work around it has one.
	free := context.Context(&attemptContext{Context: ctx, call: c})
	if c.engine.cfg.Shadow {
		free = context.WithValue(free, shadowKey{}, c.event.Outcome)
	}
	if c.engine.cfg.OnHangup == RunOn {
		free = context.WithoutCancel(free)
	}
	free, cancel := context.WithTimeoutCause(free, c.engine.cfg.Lock.MaxHold, lock.ErrMaxHold)
	defer cancel()
	done := c.conclude(c.trace(free, func(ctx context.Context) workResult {
		_, err := c.work(ctx)
		return workResult{err: err}
	}))
	if done.refused {
		return c.refuse(done.err)
	}
	return Result{Repeated: c.event.Repeated}, done.err
}
