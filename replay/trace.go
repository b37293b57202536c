package replay

import (
	"context"
	"time"

	"github.com/reprise-go/reprise/cache"
)

// A Trace is told what becomes of requests. Its functions may be nil, are called on the request's
// own goroutine unless they say otherwise, and must not block.
type Trace struct {
	// Started is called when Do begins. What it returns takes the place of ctx in all that follows:
	// the other functions of the Trace, those of the Request, and the work.
	Started func(ctx context.Context, e Event) context.Context

	// Working is called before the work, or Reconcile in its place; what it returns is their context.
	// Worked is called with it after them: Err is the work's, and the outcome is WorkPanicked if they
	// panic, and yet to come if they don't.
	Working func(ctx context.Context, e Event) context.Context
	Worked  func(ctx context.Context, e Event)

	// Effect is called for each effect that package effect has done, or has found done by an earlier
	// attempt, on the goroutine of its caller, with the context of the work.
	Effect func(ctx context.Context, e Effect)

	// CommitFailed is called for each failed try to store an answer, before the next one.
	CommitFailed func(context.Context, error)

	// Origin returns what is to be stored with an answer, at most cache.MaxOrigin bytes, so that an Event of its
	// replay has it: where to find the request whose answer it is, such as the context of its trace.
	// Empty stores nothing, and longer is left out. A release before this one takes a record with an
	// origin for one that it can't read.
	Origin func(context.Context) string

	// Finished is called once for every request, before Do returns or carries a panic on, and for
	// those of Engine.Refused.
	Finished func(context.Context, Event)
}

// An Event is one request, as far as it has come: all of it for Finished.
type Event struct {
	Key     string // the Redis key: Config.Prefix, a colon, a digest of scope and key; empty for Engine.Refused
	Scope   string // as Request.Scope
	Route   string // as Request.Route
	Dialect string // as Request.Dialect

	Outcome Outcome // empty until Finished
	Attempt int     // of the work that runs or ran, or 0

	Acquire time.Duration // asking for the key, and waiting for it
	Work    time.Duration // the work itself; 0 if it did not run
	Commit  time.Duration // storing the answer, or giving the key up

	// Origin is what Trace.Origin returned for the request whose answer this is: of a replay, or of an
	// answer that was not kept. Empty for all others.
	Origin string

	// Vanished means that the claim had gone from Redis by the time of the commit, through eviction
	// or a failover. The answer is stored, but another may have run meanwhile.
	Vanished bool

	// Repeated means that the work ran, and that its answer comes of an effect of an earlier
	// attempt: see Work.Repeated.
	Repeated bool

	// Shadow means that the outcome is what would have been. The work ran all the same, unless the
	// outcome is CallerGone.
	Shadow bool

	// Err is what Do returns, or would have returned if Shadow or Unguarded had not run the work.
	Err error
}

// An Effect is one that package effect remembers.
type Effect struct {
	Name     string // as given to effect.Do or effect.Join
	Repeated bool   // it was done before, and its value is the one of then
}

// Refused tells Trace of a request that an adapter refuses by itself, or in shadow mode would refuse,
// because its key is missing or malformed, say, so that Do is not called. Of req, the Scope, Route and
// Dialect are told, as far as they are known. The outcome is a word of dialect.Outcome.
func (e *Engine) Refused(ctx context.Context, req Request, o Outcome) {
	event := e.event(req)
	ctx = e.started(ctx, event)
	event.Outcome = o
	e.finished(ctx, event)
}

// event is what is known of a request before Redis is asked.
func (e *Engine) event(req Request) Event {
	return Event{Scope: req.Scope, Route: req.Route, Dialect: req.Dialect, Shadow: e.cfg.Shadow}
}

// started tells Trace that a request begins, and returns the context to go on with.
func (e *Engine) started(ctx context.Context, event Event) context.Context {
	if t := e.cfg.Trace; t != nil && t.Started != nil {
		return t.Started(ctx, event)
	}
	return ctx
}

func (e *Engine) finished(ctx context.Context, event Event) {
	if t := e.cfg.Trace; t != nil && t.Finished != nil {
		t.Finished(ctx, event)
	}
}

// trace runs the work, or Reconcile, and tells Trace of both ends, a panic's too.
func (c *call) trace(ctx context.Context, work func(context.Context) workResult) (done workResult) {
	t := c.engine.cfg.Trace
	if t != nil && t.Working != nil {
		ctx = t.Working(ctx, c.event)
	}
	begun, returned := time.Now(), false
	defer func() {
		c.event.Work = time.Since(begun)
		if t != nil && t.Worked != nil {
			e := c.event
			e.Err = done.err
			if !returned {
				e.Outcome = WorkPanicked
			}
			t.Worked(ctx, e)
		}
	}()
	done = work(ctx)
	returned = true
	return done
}

// origin is what Trace has to say about where this request's answer comes from.
func (c *call) origin(ctx context.Context) string {
	t := c.engine.cfg.Trace
	if t == nil || t.Origin == nil {
		return ""
	}
	origin := t.Origin(ctx)
	if len(origin) > cache.MaxOrigin {
		return "" // a trace must not cost an answer
	}
	return origin
}
