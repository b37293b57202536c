package lock

import (
	"errors"
	"fmt"
	"time"
)

// Errors of this package, for errors.Is. ErrUnavailable means that Redis did not answer or refused.
var (
	// ErrHeld: another holder's lease is live. The error is a *HeldError.
	ErrHeld = errors.New("held by another")

	// ErrAbandoned: an earlier holder failed or died, and Terms forbid taking over from it. The
	// error is an *AbandonedError.
	ErrAbandoned = errors.New("abandoned by an earlier holder")

	// ErrDone: a value has been committed under the key. The error is a *DoneError, unless it is
	// joined with ErrUnavailable: then the value is a long one, and could not be fetched.
	ErrDone = errors.New("already committed")

	// ErrLost: the lease ended before its holder did. It is the cause of the lease's context, and
	// joined with ErrHeld, ErrAbandoned or ErrDone it says what stands under the key instead.
	ErrLost = errors.New("lease lost")

	// ErrMaxHold: Config.MaxHold is all but over, and renewal has stopped. It is the cause of the
	// lease's context. The lease itself runs on to the end of MaxHold, so that the holder can still
	// commit or abandon.
	ErrMaxHold = errors.New("longest hold exceeded")

	// ErrNoCommit: a quorum lock keeps no value. Use Release or Abandon.
	ErrNoCommit = errors.New("a quorum lock can't keep a value")

	// ErrCorrupt: what the key holds can't be read here. This package did not write it, or the value
	// is longer than Config.MaxValue, and the error is a *TooLongError. It is left untouched.
	ErrCorrupt = errors.New("the key holds a value that reprise did not write")

	// ErrUnavailable: Redis did not answer, or refused the command. Whether the command took
	// effect is unknown; what it may have left behind ends with its lease.
	ErrUnavailable = errors.New("redis unavailable")

	// ErrUnconfirmed: too few replicas confirmed. The error is an *UnconfirmedError.
	ErrUnconfirmed = errors.New("not confirmed")
)

// A HeldError says who holds the key, and for how much longer unless they renew.
//
// That of a quorum lock has the claim that most deployments hold, as one of them holds it, and in
// Left the time until enough of them are free for a majority. It may be nobody who holds the key:
// rivals who ask at the same time can each win too few deployments, and all give back what they
// have won. Asking again after a pause, as Acquire does, decides between them.
type HeldError struct {
	Claim Claim
	Left  time.Duration // of the lease, by Redis's clock

	split bool // of a quorum lock: the claim is on too few deployments to be a lease
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

// A TooLongError says that the value under a key is longer than Config.MaxValue. It has not been
// fetched.
type TooLongError struct {
	Size, Limit int64 // bytes
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("%v: it has %d bytes, at most %d are fetched", ErrCorrupt, e.Size, e.Limit)
}

// Unwrap returns ErrCorrupt.
func (e *TooLongError) Unwrap() error { return ErrCorrupt }

// An UnconfirmedError says that fewer replicas than Config.Acks confirmed within Config.AckWithin.
// From TryAcquire and Acquire it comes with ErrUnavailable: the claim has been given back. From
// Commit it comes alone: the value is stored, and a failover may forget it.
type UnconfirmedError struct {
	Acks int // replicas that have confirmed
	Want int // Config.Acks
}

func (e *UnconfirmedError) Error() string {
	return fmt.Sprintf("%v: %d of %d replicas", ErrUnconfirmed, e.Acks, e.Want)
}

// Unwrap returns ErrUnconfirmed.
func (e *UnconfirmedError) Unwrap() error { return ErrUnconfirmed }

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
