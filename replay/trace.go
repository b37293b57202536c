package replay

import (
	"context"
	"time"
)

// A Trace is told what becomes of requests. Its functions may be nil, are called on the request's
// own goroutine, and must not block.
type Trace struct {
	// Finished is called once for every request, before Do returns or carries a panic on.
	Finished func(context.Context, Event)

	// CommitFailed is called for each failed try to store an answer, before the next one.
	CommitFailed func(context.Context, error)
}

// An Event is the outcome of one request.
type Event struct {
	Outcome Outcome
	Attempt int // of the work that ran, or 0

	Acquire time.Duration // asking for the key, and waiting for it
	Work    time.Duration // the work itself; 0 if it did not run
	Commit  time.Duration // storing the answer, or giving the key up

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
