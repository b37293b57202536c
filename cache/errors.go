package cache

import (
	"context"
	"errors"
	"fmt"

	"github.com/reprise-go/reprise/internal/config"
)

var (
	// ErrCorrupt means that a value under the key is not a record that this
	// codec can read. It is not a miss: something is there, and what it was
	// meant to say is unknown.
	ErrCorrupt = errors.New("cache: corrupt record")

	// ErrTooLarge means that a value is over a bound. It was not stored; or,
	// together with ErrCorrupt, it was, and by the reader's bounds is too large.
	ErrTooLarge = errors.New("cache: value too large")
)

// A CorruptError wraps [ErrCorrupt].
type CorruptError struct {
	// Reason says what is wrong, in words and numbers of our own: nothing of the
	// key or the value is quoted, so it may be logged.
	Reason string

	// Err is what a decoder said, or nil. It may quote the stored value, so it
	// is no part of the text.
	Err error
}

// Error says what is wrong with the value, and nothing of what it holds.
func (e *CorruptError) Error() string { return ErrCorrupt.Error() + ": " + e.Reason }

// Unwrap returns ErrCorrupt, and Err if there is one.
func (e *CorruptError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrCorrupt}
	}
	return []error{ErrCorrupt, e.Err}
}

// corrupt is for faults that have nothing to add but their reason.
func corrupt(format string, args ...any) *CorruptError {
	return &CorruptError{Reason: fmt.Sprintf(format, args...)}
}

// A TooLargeError wraps [ErrTooLarge]. Beside the length, Encode bounds what
// makes a short encoding large or costly once it is decoded: the number of
// values and how deep they are nested.
type TooLargeError struct {
	Unit        string // "bytes", "values" or "levels"
	Size, Limit int64  // Size is a lower bound: nobody counts on when it is too large
}

// Error says how large it is and how large it may be.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%v: %d %s, at most %d", ErrTooLarge, e.Size, e.Unit, e.Limit)
}

// Unwrap returns ErrTooLarge.
func (e *TooLargeError) Unwrap() error { return ErrTooLarge }

// An EncodeError is a value that can't be kept: it can't be encoded, or what it
// was encoded to could not be decoded again.
type EncodeError struct {
	Type string // the value's Go type

	// Err is what the encoder or the decoder said. That of the decoder is a
	// [CorruptError], and what it wraps may quote the value, so of that only
	// CorruptError.Reason is in the text.
	Err error
}

// Error names the value's type and says what is wrong with it.
func (e *EncodeError) Error() string {
	if corrupt, ok := errors.AsType[*CorruptError](e.Err); ok {
		return fmt.Sprintf("cache: encode: a %s could not be decoded again: %s", e.Type, corrupt.Reason)
	}
	return fmt.Sprintf("cache: encode: a %s: %v", e.Type, e.Err)
}

// Unwrap returns Err.
func (e *EncodeError) Unwrap() error { return e.Err }

// A ConfigError is a setting or an argument that isn't accepted: a bug or a
// misconfiguration at the caller. Name is the field, argument or environment
// variable; Value what was given, empty where that is secret; Want what is
// accepted; Other the second setting of a rule across two.
type ConfigError = config.Error

// failed says that Redis or the way to it failed. The context's error stays
// reachable even where the client reports its own timeout instead.
func failed(ctx context.Context, op string, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("cache: %s: %w: %w", op, ended, err)
	}
	return fmt.Errorf("cache: %s: %w", op, err)
}
