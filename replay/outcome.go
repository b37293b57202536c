package replay

import "errors"

// An Outcome names what became of a request: to [Trace], to [ShadowFrom] and, where the request has
// no answer, to its client. There is one word for each, everywhere: it is also the code of an HTTP
// error (dialect.Outcome) and, in upper case, the reason of a gRPC error.
type Outcome string

// The outcomes of requests that ran, or were answered.
const (
	Stored       Outcome = "stored"      // ran; the answer is kept
	Unconfirmed  Outcome = "unconfirmed" // ran; the answer is kept, but too few replicas confirmed it
	NotStored    Outcome = "not-stored"  // ran; the answer could not be stored
	Failed       Outcome = "failed"      // ran; the answer or error is not one to keep
	Unguarded    Outcome = "unguarded"   // ran without a claim: Redis was down
	Replayed     Outcome = "replayed"    // did not run; answered with the record
	LostLease    Outcome = "lost"        // ran, lost its lease, and another decides
	CallerGone   Outcome = "caller-gone" // the caller's context ended before the work began
	WorkPanicked Outcome = "panicked"    // ran and panicked, or called runtime.Goexit
)

// The outcomes of requests that got no answer. [OutcomeOf] has them from the error that Do
// returned. In an [Event] they mean that the work did not run or, in shadow mode, would not have
// run: an Event of work that ran has one of those above, unless the work itself found by
// [Work.Match] that the request is to be refused.
const (
	InProgress        Outcome = "in-progress"        // ErrInProgress
	Reused            Outcome = "reused"             // ErrReused
	OutcomeUnknown    Outcome = "outcome-unknown"    // ErrOutcomeUnknown
	ReplayUnavailable Outcome = "replay-unavailable" // ErrReplayUnavailable
	ReplayRefused     Outcome = "replay-refused"     // ErrReplayRefused
	Unavailable       Outcome = "unavailable"        // ErrUnavailable
	Unreadable        Outcome = "unreadable"         // ErrUnreadable
	Unknown           Outcome = "unknown"            // any other error, such as a *lock.KeyError
)

// OutcomeOf returns the outcome that an error of Do stands for, also if the error has been wrapped:
// one of those of requests that got no answer, or CallerGone. An error of the work's own is
// Unknown. Without an error there is none to return, and it is empty.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return ""
	}
	// The first in the chain counts: what Do refuses with may wrap the error of a function of the
	// request's, which may itself be from an engine.
	if s, ok := errors.AsType[*sentinel](err); ok {
		return s.outcome
	}
	return Unknown
}

// A sentinel is an error to compare with by errors.Is. It carries its outcome, so that no error of
// this package can be without one.
type sentinel struct {
	outcome Outcome
	text    string
}

func (s *sentinel) Error() string { return s.text }

// callerGoneError is the cause of a caller's context that ended before the work began.
type callerGoneError struct{ cause error }

var errCallerGone error = &sentinel{CallerGone, "replay: caller gone"}

func (e *callerGoneError) Error() string { return e.cause.Error() }

func (e *callerGoneError) Unwrap() []error { return []error{errCallerGone, e.cause} }
