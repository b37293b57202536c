package httpclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/charset"
	"github.com/reprise-go/reprise/internal/derive"
	"github.com/reprise-go/reprise/internal/field"
)

// NewKey returns a new key: a random UUID (version 4, RFC 9562 §5.4) from crypto/rand. A program
// whose calls must survive its own restart makes the key first, stores it in the row of the
// operation, and then calls, with [WithKey]. After a restart, the same row has the same key.
func NewKey() string { return derive.Random() }

// A given is what WithKey or WithDerivedKey leaves in a context.
type given struct {
	key string
	err error // why no key could be derived
}

type givenKey struct{}

// WithKey returns a context that gives a request its key, if the request's header has none. A key
// is for one operation: a second request with another body is refused ([ErrReused]). An empty key
// counts as none.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, givenKey{}, given{key: key})
}

// WithDerivedKey is WithKey for a call from within work under a key, such as the handler of an
// httpadapter: the key is replay.DeriveKey's for this name, the same in every attempt of the
// request that is at work. So a service that heeds keys does once what several attempts ask of it.
//
// Outside of such work, and with an empty name, a call fails with ErrNoDerivedKey before anything
// is sent: a random key in its place would have the service do it again for each attempt.
func WithDerivedKey(ctx context.Context, name string) context.Context {
	var derived given
	if name == "" {
		derived.err = fmt.Errorf("%w: the name is empty", ErrNoDerivedKey)
	} else if derived.key, derived.err = derive.Key(ctx, name); derived.err != nil {
		derived.err = fmt.Errorf("%w: %w", ErrNoDerivedKey, derived.err)
	}
	return context.WithValue(ctx, givenKey{}, derived)
}

// ErrNoDerivedKey: there is no key to derive one from. See WithDerivedKey.
var ErrNoDerivedKey = errors.New("httpclient: no derived key")

// chooseKey sets the key of all tries: the one in the header, that of WithKey, that of the redirect
// which led here, or a new one. Its error is a *dialect.KeyError, which doesn't hold the key, or
// ErrNoDerivedKey.
func (c *call) chooseKey() (err error) {
	name := http.CanonicalHeaderKey(c.Header)
	if c.headerValue, err = keyLine(c.r.Header, name); err != nil {
		return err
	}
	if c.headerValue != "" {
		c.reply.Key = keyOf(c.headerValue)
		return nil
	}
	given, _ := c.r.Context().Value(givenKey{}).(given)
	if given.err != nil {
		return given.err
	}
	// A client that follows a 307 or 308 is still making the same call: with another key, both
	// servers could do the work.
	key := cmp.Or(given.key, ReplyOf(c.r.Response).Key)
	if key == "" {
		key = NewKey()
	}
	c.reply.Key, c.headerValue = key, key
	set, want := visible, "visible ASCII characters, as Quoted is not set"
	if c.Quoted {
		set, want = printable, "printable ASCII characters"
		c.headerValue = `"` + escapes.Replace(key) + `"`
	}
	if set.Span(key) < len(key) {
		return &dialect.KeyError{Outcome: dialect.KeyMalformed, Header: name, Want: want}
	}
	return nil
}

// keyLine returns the field line in which a request carries its key, or "" if it carries none. It
// refuses lines that somebody would have to choose between, replace or join: the server could take
// another key from them than the caller means, and the caller would ask again with the wrong one.
func keyLine(h http.Header, name string) (value string, err error) {
	lines, canonical := 0, true
	for other, values := range h {
		if len(values) > 0 && http.CanonicalHeaderKey(other) == name {
			lines += len(values)
			value, canonical = values[0], other == name
		}
	}
	fault := &dialect.KeyError{Outcome: dialect.KeyMalformed, Header: name}
	switch {
	case lines == 0:
		return "", nil
	case lines > 1:
		fault.Outcome, fault.Want = dialect.KeyRepeated, "one field line"
	case !canonical: // net/http would send it in addition to the line that every try gets
		fault.Want = "its name spelled " + name + " in the Header, as Set does"
	case field.Trim(value) == "":
		fault.Want = "a key, or no such header"
	default:
		return value, nil
	}
	return "", fault
}

// keyOf returns the key in a field value, without white space around it and without the quotes of
// an RFC 9651 String: the same key as WithKey would take.
func keyOf(value string) string {
	value = field.Trim(value)
	if key, rest, ok := field.CutString(value); ok && field.ValidParams(rest) {
		return key
	}
	return value
}

// These are the characters that a key may have. How long it may be is up to the server.
var (
	visible   = charset.New("!-~") // what a field value can hold as it is
	printable = charset.New(" -~") // and within quotes (RFC 9651 §3.3.3)
	escapes   = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
)
