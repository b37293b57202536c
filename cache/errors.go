package cache

import (
	"context"
	"errors"
	"fmt"

	"github.com/reprise-go/reprise/internal/config"
)

var (
	// ErrCorrupt means that the value under the key is no record that this codec can read. It is
	// not a miss: something is stored there, and nobody can tell what.
	ErrCorrupt = errors.New("cache: corrupt record")

	// ErrTooLarge means that a value is over a bound. If the error is ErrCorrupt as well, the value
	// is stored and over the reader's bounds; if not, it was not stored.
	ErrTooLarge = errors.New("cache: value too large")
)

// A CorruptError wraps [ErrCorrupt].
type CorruptError struct {
	// Reason says what is wrong. It quotes nothing of the key or the value, so it may be logged.
	Reason string

	// Err is the decoder's error, or nil. It may quote the stored value, so Error leaves it out.
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

// corrupt returns a CorruptError that has a reason and no underlying error.
func corrupt(format string, args ...any) *CorruptError {
	return &CorruptError{Reason: fmt.Sprintf(format, args...)}
}

// A TooLargeError wraps [ErrTooLarge]. A codec bounds the length of a payload, and also what makes
// a short payload costly to decode: the number of its values and how deep they are nested.
type TooLargeError struct {
	Unit        string // "bytes", "values" or "levels"
	Size, Limit int64  // Size is a lower bound: counting stops above Limit
}

// Error says how large the value is and how large it may be.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%v: %d %s, at most %d", ErrTooLarge, e.Size, e.Unit, e.Limit)
}

// Unwrap returns ErrTooLarge.
func (e *TooLargeError) Unwrap() error { return ErrTooLarge }

// An EncodeError is a value that can't be stored: it can't be encoded, or it could not be decoded
// again.
type EncodeError struct {
	Type string // the value's Go type

	// Err is the error of the encoder or of the decoder. The decoder's is a [CorruptError] and may
	// wrap one that quotes the value, so the text has CorruptError.Reason alone.
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

// A ConfigError is one setting that isn't accepted. Its fields are strings: Name (the variable, field
// or argument), Value (what was given; empty for a secret), Want (what is accepted) and Other (the
// second setting of a rule across two, or empty).
type ConfigError = config.Error

// failed wraps an error of Redis or of the network. If the context has ended, errors.Is finds the
// context's error too, even where the client reports a timeout of its own instead.
func failed(ctx context.Context, op string, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("cache: %s: %w: %w", op, ended, err)
	}
	return fmt.Errorf("cache: %s: %w", op, err)
}
