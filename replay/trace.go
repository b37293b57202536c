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

	// Vanished: the claim had gone from Redis by the time of the commit, through eviction or a
	// failover. The answer is stored, but another may have run meanwhile.
	Vanished bool

	// Shadow: the outcome is what would have been; the work ran in any case but CallerGone.
	Shadow bool

	// Err is what Do returns, or would have returned if Shadow or Unguarded had not run the work.
	Err error
}

// An Outcome names what became of a request.
type Outcome string

const (
	Stored       Outcome = "stored"          // ran; the answer is kept
	Unconfirmed  Outcome = "unconfirmed"     // ran; the answer is kept, but too few replicas confirmed it
	NotStored    Outcome = "not-stored"      // ran; the answer could not be stored
	Failed       Outcome = "failed"          // ran; the answer or error is not one to keep
	Unguarded    Outcome = "unguarded"       // ran without a claim: Redis was down
	Replayed     Outcome = "replayed"        // did not run; answered with the record
	LostLease    Outcome = "lost"            // ran, lost its lease, and another decides
	InFlight     Outcome = "in-flight"       // ErrInFlight
	Mismatch     Outcome = "mismatch"        // ErrMismatch
	Unknown      Outcome = "outcome-unknown" // ErrOutcomeUnknown
	NotKept      Outcome = "not-kept"        // ErrNotKept
	Refused      Outcome = "refused"         // ErrRefused
	Unavailable  Outcome = "unavailable"     // ErrUnavailable, and nothing ran
	Unreadable   Outcome = "unreadable"      // cache.ErrCorrupt
	CallerGone   Outcome = "caller-gone"     // the caller's context ended before the work began
	WorkPanicked Outcome = "panicked"        // ran and panicked, or called runtime.Goexit
)
