package dialect

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/reprise-go/reprise/internal/charset"
	"github.com/reprise-go/reprise/internal/field"
)

// KeyHeader carries the key (draft-ietf-httpapi-idempotency-key-header-07 §2), in HTTP's canonical
// form.
const KeyHeader = "Idempotency-Key"

// maxKey is the longest key that Lenient and Strict accept, in bytes, unescaped.
const maxKey = 255

// A KeySyntax says which values of the header are keys. It can be compared with ==, and its zero
// value parses like [Lenient].
//
// In every syntax, the key is in one field line, and white space around it doesn't belong to it.
type KeySyntax struct {
	quoted, raw bool        // which forms are accepted
	max         int         // the longest key, in bytes
	set         charset.Set // the characters of a raw key
	want        string      // what is accepted, in words for API clients
}

var (
	// Lenient accepts a structured-field String (RFC 9651 §3.3.3), whose parameters must be
	// well-formed and are ignored, or a raw key: 1 to 255 visible ASCII characters without comma
	// and double quote. "abc" with quotes and abc without them are the same key, so that a client
	// may change to the standard's form between two tries.
	Lenient = KeySyntax{quoted: true, raw: true, max: maxKey, set: charset.New("!", "#-+", "--~"),
		want: "1 to 255 visible ASCII characters without comma or double quote, " +
			"or 1 to 255 characters as an RFC 9651 String in double quotes"}

	// Strict accepts only the String, as draft-ietf-httpapi-idempotency-key-header-07 §2.1 demands.
	Strict = KeySyntax{quoted: true, max: maxKey, want: "1 to 255 characters as an RFC 9651 String in double quotes"}
)

// Raw returns the syntax of most vendors' APIs: a key is 1 to max bytes of a set of characters, as
// they are. A double quote is a character like any other, and part of the key if the set has it.
// The length is checked before the characters. The set is the union of ranges, each one byte ("-")
// or the first and last of a range ("A-Z"). Without ranges it is every byte that a field value can
// have (RFC 9110 §5.5).
//
// Raw panics if max is less than 1, or if a range has neither form.
func Raw(max int, ranges ...string) KeySyntax {
	if max < 1 {
		panic("dialect: Raw: max is " + strconv.Itoa(max) + ", want at least 1")
	}
	s := KeySyntax{raw: true, max: max, set: charset.New(ranges...), want: "1 to " + strconv.Itoa(max)}
	switch {
	case len(ranges) == 0:
		s.set = charset.New("\t", " -~", "\x80-\xff")
		s.want += " characters"
	case s.set == charset.New("!-~"):
		s.want += " visible ASCII characters"
	default:
		s.want += " characters of " + strings.Join(ranges, " ")
	}
	return s
}

// Max returns the length of the longest key, in bytes.
func (s KeySyntax) Max() int { return s.orLenient().max }

// Want says what is accepted, in words for API clients.
func (s KeySyntax) Want() string { return s.orLenient().want }

func (s KeySyntax) orLenient() KeySyntax {
	if s == (KeySyntax{}) {
		return Lenient
	}
	return s
}

// Parse returns the key in the field lines of a header, which [http.Header.Values] returns. Its
// error is always a *[KeyError]. It allocates memory only for a String with escapes.
func (s KeySyntax) Parse(lines []string) (string, error) {
	s = s.orLenient()
	switch len(lines) {
	case 0:
		return "", &KeyError{Outcome: KeyMissing, Want: s.want}
	case 1:
	default: // even if they agree: a proxy that joins them with a comma would make another key
		return "", &KeyError{Outcome: KeyRepeated, Want: "one field line"}
	}
	// An empty value is malformed, not missing: the client meant to send a key, and must not go
	// unprotected on a route where keys are optional.
	key, fault := s.parse(field.Trim(lines[0]))
	if fault != 0 {
		return "", &KeyError{Outcome: fault, Want: s.want}
	}
	return key, nil
}

func (s *KeySyntax) parse(value string) (key string, fault Outcome) {
	if s.quoted && (!s.raw || strings.HasPrefix(value, `"`)) {
		key, rest, ok := field.CutString(value)
		switch {
		case !ok || key == "" || !field.ValidParams(rest):
			return "", KeyMalformed
		case len(key) > s.max:
			return "", KeyTooLong
		}
		return key, 0
	}
	if len(value) > s.max {
		return "", KeyTooLong
	}
	if value == "" || s.set.Span(value) < len(value) {
		return "", KeyMalformed
	}
	return value, 0
}

// A KeyError says why a request has no valid key. It never quotes what the client sent.
type KeyError struct {
	Outcome Outcome // KeyMissing, KeyMalformed, KeyTooLong or KeyRepeated
	Header  string  // the header field at fault; KeySyntax.Parse leaves it empty
	Want    string  // what is accepted, in words for API clients
}

func (e *KeyError) Error() string {
	return "dialect: " + cmp.Or(e.Header, "key") + " is " + keyFaults[e.Outcome] + ": want " + e.Want
}

var keyFaults = map[Outcome]string{
	KeyMissing: "missing", KeyMalformed: "malformed", KeyTooLong: "too long", KeyRepeated: "one of several",
}

// UnmarshalText reads lenient or strict.
func (s *KeySyntax) UnmarshalText(text []byte) error {
	switch string(text) {
	case "lenient":
		*s = Lenient
	case "strict":
		*s = Strict
	default:
		return fmt.Errorf("lenient or strict")
	}
	return nil
}
