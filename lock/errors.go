package lock

import (
	"errors"
	"fmt"
	"time"
)

// The branches of a failed call, for errors.Is. Each but ErrUnavailable is an answer of Redis;
// ErrUnavailable is the lack of one.
var (
	// ErrHeld: another holder's lease is live. The error is a *HeldError.
	ErrHeld = errors.New("held by another")

	// ErrAbandoned: an earlier holder failed or died, and Terms forbid taking over from it. The
	// error is an *AbandonedError.
	ErrAbandoned = errors.New("abandoned by an earlier holder")

	// ErrDone: a value has been committed under the key. The error is a *DoneError.
	ErrDone = errors.New("already committed")

	// ErrLost: the lease ended before its holder did. It is the cause of the lease's context, and
	// joined with ErrHeld, ErrAbandoned or ErrDone it says what stands under the key instead.
	ErrLost = errors.New("lease lost")

	// ErrMaxHold: the holder held the key for Config.MaxHold, and renewal has stopped. It is the
	// cause of the lease's context. The lease itself runs on to its end, so that the holder can
	// still commit or abandon.
	ErrMaxHold = errors.New("longest hold exceeded")

	// ErrCorrupt: the key holds something that this package did not write. It is left untouched.
	ErrCorrupt = errors.New("the key holds a value that reprise did not write")

	// ErrUnavailable: Redis did not answer, or refused the command. Whether the command took
	// effect is unknown; what it may have left behind ends with its lease.
	ErrUnavailable = errors.New("redis unavailable")
)

// A HeldError says who holds the key, and for how much longer unless they renew.
type HeldError struct {
	Claim Claim
	Left  time.Duration // of the lease, by Redis's clock
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("lock: %v (attempt %d, %v of its lease left)", ErrHeld, e.Claim.Attempt, e.Left)
}

// Unwrap returns ErrHeld.
func (e *HeldError) Unwrap() error { return ErrHeld }

// An AbandonedError carries the claim of the holder that failed.
type AbandonedError struct {
	Claim Claim
}

func (e *AbandonedError) Error() string {
	return fmt.Sprintf("lock: %v (attempt %d)", ErrAbandoned, e.Claim.Attempt)
}

// Unwrap returns ErrAbandoned.
func (e *AbandonedError) Unwrap() error { return ErrAbandoned }

// A DoneError carries the value that was committed under the key.
type DoneError struct {
	Value string
}

func (e *DoneError) Error() string { return "lock: " + ErrDone.Error() }

// Unwrap returns ErrDone.
func (e *DoneError) Unwrap() error { return ErrDone }

// failed names the call that an error comes from. The typed errors say enough by themselves.
func failed(op string, err error) error {
	switch err.(type) {
	case *HeldError, *AbandonedError, *DoneError:
		return err
	}
	return fmt.Errorf("lock: %s: %w", op, err)
}

// A KeyError reports a key or a fingerprint that can't be used. It does not carry the key, which
// must not reach a log.
type KeyError struct {
	Field string // "key" or "fingerprint"
	Want  string // what is accepted
}

func (e *KeyError) Error() string { return fmt.Sprintf("lock: %s: want %s", e.Field, e.Want) }
