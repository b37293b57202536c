package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/lock"
)

var (
	// ErrChanged is lock.ErrChanged: what stands under the key isn't what was inspected. The error is
	// this package's *ChangedError.
	ErrChanged = lock.ErrChanged

	// ErrUnfit is lock.ErrUnfit: what was asked for is nothing to do about what was inspected. The error
	// is this package's *UnfitError.
	ErrUnfit = lock.ErrUnfit

	// ErrSealed: the record is sealed, and this engine has no Config.Cache.SealKeys.
	ErrSealed = errors.New("replay: the record is sealed, and there are no seal keys here")
)

// A ChangedError says what stands under the key instead. It has been left alone.
//
// If a connection broke on the way, then a first sending may have done what was asked, and Now be what
// came after it.
type ChangedError struct {
	Now Entry
}

func (e *ChangedError) Error() string {
	if e.Now.Attempt > 0 {
		return fmt.Sprintf("replay: %v: now it is %s, attempt %d", ErrChanged, e.Now.State, e.Now.Attempt)
	}
	return fmt.Sprintf("replay: %v: now it is %s", ErrChanged, e.Now.State)
}

// Unwrap returns ErrChanged.
func (e *ChangedError) Unwrap() error { return ErrChanged }

// An UnfitError says what can be done instead.
type UnfitError struct {
	Act   string // "release", "abandon", "forget" or "reveal"
	State KeyState
	Fit   []string // the acts that fit; may be empty
}

func (e *UnfitError) Error() string {
	fit := "nothing"
	if len(e.Fit) > 0 {
		fit = strings.Join(e.Fit, " or ")
	}
	return fmt.Sprintf("replay: %s: %v: it is %s; what fits: %s", e.Act, ErrUnfit, e.State, fit)
}

// Unwrap returns ErrUnfit.
func (e *UnfitError) Unwrap() error { return ErrUnfit }

// Fit returns what can be done about an entry: "release", "abandon", "forget", "reveal", or nothing.
func (e Entry) Fit() (acts []string) {
	for _, a := range e.seen.Fit() {
		acts = append(acts, string(a))
	}
	if e.State == KeyDone && !e.Tombstone {
		acts = append(acts, "reveal")
	}
	return acts
}

// Release frees the key of a claim, live or abandoned, as if no request had come: the next one runs as
// attempt 1. It is for work of which you know that it did nothing, or that may be done again.
//
// Of a live claim it takes the lease away: the work's context ends at its next renewal, within
// Config.Lock.Renew, with cause lock.ErrLost. Until then the next request can run beside it. An answer
// that it has by then is stored if the key is still free (Event.Vanished), and gives way otherwise.
//
// It acts only on the very claim that was inspected, renewed or not. The errors are a *ChangedError, an
// *UnfitError for what is no claim, and ErrUnavailable, after which nobody knows whether it was done:
// inspect again. The end of ctx doesn't stop it on its way.
func (e *Engine) Release(ctx context.Context, entry Entry) error {
	return e.act(ctx, lock.ReleaseClaim, entry)
}

// Abandon ends the lease of a live claim now, as if its machine had died: the next request is told that
// it is the next attempt, or is refused or reconciled, as Config.OnAbandoned says. It is for work that
// hangs.
//
// The work's context ends as Release says. An answer that it has by then is stored, unless another
// attempt has begun. The errors are those of Release.
func (e *Engine) Abandon(ctx context.Context, entry Entry) error {
	return e.act(ctx, lock.AbandonClaim, entry)
}

// Forget frees the key of a record or of a foreign value: the next request runs, whatever was answered
// before. A value of another type than a string is for its owner to remove. It acts only on the very
// value that was inspected: its size and its first 512 and last 16 bytes are compared, which for a record
// are its whole header and the checksum of all of it. The errors are those of Release.
func (e *Engine) Forget(ctx context.Context, entry Entry) error {
	return e.act(ctx, lock.ForgetValue, entry)
}

func (e *Engine) act(ctx context.Context, act lock.Act, entry Entry) error {
	if entry.seen.Key == "" {
		return errNoEntry
	}
	err := e.locker.Act(ctx, act, entry.seen)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, lock.ErrUnfit):
		return &UnfitError{Act: string(act), State: entry.State, Fit: entry.Fit()}
	}
	return e.operatorError(err)
}

var errNoEntry error = &ConfigError{Name: "entry", Value: "a zero Entry", Want: "one of Inspect or Scan"}

// Reveal fetches the value of a record and decodes it, for an operator who may see what a client was
// answered: a map[string]any, a []any, a string, a number and so on, as msgpack has it. Of an HTTP
// answer its fields are status, header, body and trailer.
//
// It reads the very record that was inspected, within Config.Cache's bounds. The errors are a
// *ChangedError, an *UnfitError for what is no record, ErrReplayUnavailable for a tombstone, ErrSealed,
// ErrUnreadable for a record that is damaged or that no key opens, and ErrUnavailable.
func (e *Engine) Reveal(ctx context.Context, entry Entry) (any, error) {
	switch {
	case entry.seen.Key == "":
		return nil, errNoEntry
	case entry.State != KeyDone:
		return nil, &UnfitError{Act: "reveal", State: entry.State, Fit: entry.Fit()}
	case entry.Tombstone:
		return nil, ErrReplayUnavailable
	case entry.Sealed && len(e.cfg.Cache.SealKeys) == 0:
		return nil, ErrSealed
	case entry.seen.Size > e.cfg.Lock.MaxValue:
		return nil, unreadable(entry.seen.Key, &lock.TooLongError{Size: entry.seen.Size, Limit: e.cfg.Lock.MaxValue})
	}
	seen, err := e.locker.Inspect(ctx, entry.seen.Key, int(entry.seen.Size))
	if err != nil {
		return nil, e.operatorError(err)
	}
	if !seen.Same(entry.seen) {
		return nil, &ChangedError{Now: e.entryOf(seen)}
	}
	record, err := e.codec.Open(entry.seen.Key, seen.Head)
	if err != nil {
		return nil, unreadable(entry.seen.Key, err)
	}
	var value any
	if err := record.Decode(&value); errors.Is(err, cache.ErrCorrupt) {
		return nil, unreadable(entry.seen.Key, err)
	} else if err != nil {
		return nil, fmt.Errorf("replay: reveal: %w", err)
	}
	return value, nil
}
