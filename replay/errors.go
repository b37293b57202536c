package replay

import (
	"fmt"
	"time"

	"github.com/reprise-go/reprise/lock"
)

// Why Do gives no answer, for errors.Is. With [WithholdUnstored], or after a lost lease, the work has
// run. [OutcomeOf] returns the outcome of each.
var (
	// ErrInProgress: another request holds the key. The error is an *InProgressError.
	ErrInProgress error = &sentinel{InProgress, "replay: in progress"}

	// ErrReused: the key belongs to a request of another fingerprint, done or in progress.
	ErrReused error = &sentinel{Reused, "replay: key used for another request"}

	// ErrOutcomeUnknown: an earlier attempt died or failed, and the policy is not to run again.
	ErrOutcomeUnknown error = &sentinel{OutcomeUnknown, "replay: outcome of an earlier attempt unknown"}

	// ErrReplayUnavailable: the request ran, and its answer was not stored (too large, for example).
	ErrReplayUnavailable error = &sentinel{ReplayUnavailable, "replay: ran once, answer not kept"}

	// ErrReplayRefused: Request.Authorize refused the replay. Its error is wrapped too.
	ErrReplayRefused error = &sentinel{ReplayRefused, "replay: replay refused"}

	// ErrUnavailable: Redis can't be reached or refuses writes. Before the work, with [Refuse], it
	// means that nothing ran; after the work, with [WithholdUnstored], that the answer isn't stored.
	ErrUnavailable error = &sentinel{Unavailable, "replay: store unavailable"}

	// ErrUnreadable: the value under the key is none that reprise wrote, or none that this
	// configuration can read. It wraps cache.ErrCorrupt.
	ErrUnreadable error = &sentinel{Unreadable, "replay: unreadable"}
)

// An InProgressError says how long the holder's lease lasts unless it is renewed.
type InProgressError struct {
	Left    time.Duration
	Attempt int  // the holder's
	Lost    bool // it is our own lease that the holder took over; our answer is not stored
	Nested  bool // the holder is the very work that asks: see Engine.Holds
}

func (e *InProgressError) Error() string {
	if e.Nested {
		return fmt.Sprintf("%v: the key is held by the work that asks for it", ErrInProgress)
	}
	if e.Lost {
		return fmt.Sprintf("%v: lease lost to attempt %d", ErrInProgress, e.Attempt)
	}
	return fmt.Sprintf("%v: attempt %d, %v of its lease left", ErrInProgress, e.Attempt, e.Left)
}

// Unwrap returns ErrInProgress and, of a lost lease, lock.ErrLost.
func (e *InProgressError) Unwrap() []error {
	if e.Lost {
		return inProgressLost
	}
	return inProgress
}

// Made once: every conflict is unwrapped, to find its outcome.
var (
	inProgress     = []error{ErrInProgress}
	inProgressLost = []error{ErrInProgress, lock.ErrLost}
)

// Clean marks an error of the work as one that came before any effect: the key is released, and a
// retry runs as if for the first time.
func Clean(err error) error { return &cleanError{err} }

type cleanError struct{ error }

func (e *cleanError) Unwrap() error { return e.error }
