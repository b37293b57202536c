package replay

import (
	"errors"
	"fmt"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/lock"
)

// Why a request did not run and has no answer, for errors.Is. A value under the key that reprise
// did not write is cache.ErrCorrupt.
var (
	// ErrInFlight: another request holds the key. The error is an *InFlightError.
	ErrInFlight = errors.New("replay: in flight")

	// ErrMismatch: the key belongs to a request of another fingerprint, done or in flight.
	ErrMismatch = errors.New("replay: key used for another request")

	// ErrOutcomeUnknown: an earlier attempt died or failed, and the policy is not to run again.
	ErrOutcomeUnknown = errors.New("replay: outcome of an earlier attempt unknown")

	// ErrNotKept: the request has run, but its answer was too large to keep.
	ErrNotKept = errors.New("replay: ran once, answer not kept")

	// ErrRefused: Request.Authorize refused the replay. Its error is wrapped too.
	ErrRefused = errors.New("replay: replay refused")

	// ErrUnavailable: Redis can't be reached or refuses writes, and the policy is not to run
	// without it.
	ErrUnavailable = errors.New("replay: store unavailable")
)

// An InFlightError says how long the holder's lease lasts unless it is renewed.
type InFlightError struct {
	Left    time.Duration
	Attempt int  // the holder's
	Lost    bool // it is our own lease that the holder took over; our answer is not stored
	Nested  bool // the holder is the very work that asks: see Engine.Holds
}

func (e *InFlightError) Error() string {
	if e.Nested {
		return fmt.Sprintf("%v: the key is held by the work that asks for it", ErrInFlight)
	}
	if e.Lost {
		return fmt.Sprintf("%v: lease lost to attempt %d", ErrInFlight, e.Attempt)
	}
	return fmt.Sprintf("%v: attempt %d, %v of its lease left", ErrInFlight, e.Attempt, e.Left)
}

// Unwrap returns ErrInFlight and, of a lost lease, lock.ErrLost.
func (e *InFlightError) Unwrap() []error {
	if e.Lost {
		return []error{ErrInFlight, lock.ErrLost}
	}
	return []error{ErrInFlight}
}

// Clean marks an error of the work as one that came before any effect: the key is released, and a
// retry runs as if for the first time.
func Clean(err error) error { return &cleanError{err} }

type cleanError struct{ error }

func (e *cleanError) Unwrap() error { return e.error }

// unreadable is the error for a value that reprise did not write. It names the Redis key, a digest,
// so that an operator can look at it.
func unreadable(key string, err error) error {
	if long, ok := errors.AsType[*lock.TooLongError](err); ok { // than the codec's bounds, by which it was set
		err = fmt.Errorf("%w: %w", &cache.TooLargeError{Unit: "bytes", Size: long.Size, Limit: long.Limit}, err)
	}
	if errors.Is(err, cache.ErrCorrupt) {
		return fmt.Errorf("replay: %s: %w", key, err)
	}
	return fmt.Errorf("replay: %s: %w: %w", key, cache.ErrCorrupt, err)
}
