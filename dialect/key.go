package dialect

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/reprise-go/reprise/internal/charset"
	"github.com/reprise-go/reprise/internal/field"
)

// KeyHeader carries the key (draft-ietf-httpapi-idempotency-key-header-07 §2), in HTTP's canonical form.
const KeyHeader = "Idempotency-Key"

// maxKey is the longest key in bytes, unescaped, that Lenient and Strict accept.
const maxKey = 255

// A KeySyntax says which header field values are keys. It is a plain value that can be compared with ==; the zero
// value parses as [Lenient].
//
// In every syntax a key has one field line, and white space around it is no part of it.
type KeySyntax struct {
	quoted, raw bool        // which forms are accepted
	max         int         // longest key in bytes
	set         charset.Set // of a raw key
	want        string      // what is accepted, in words for an API client
}

var (
	// Lenient accepts a structured-field String (RFC 9651 §3.3.3), whose parameters must be well-formed and are
	// ignored, or a raw key: 1 to 255 visible ASCII characters without comma and double quote. "abc" in quotes and abc
	// without are one key, so that a client may take up the standard's form between two tries.
	Lenient = KeySyntax{quoted: true, raw: true, max: maxKey, set: charset.New("!", "#-+", "--~"),
		want: "1 to 255 visible ASCII characters without comma or double quote, " +
			"or 1 to 255 characters as an RFC 9651 String in double quotes"}

	// Strict accepts the String only, as draft-ietf-httpapi-idempotency-key-header-07 §2.1 has it.
	Strict = KeySyntax{quoted: true, max: maxKey, want: "1 to 255 characters as an RFC 9651 String in double quotes"}
)

// Raw accepts 1 to max bytes of a set as they stand, as most vendors' APIs do: a double quote is then a character like
// any other, part of the key where the set has it and a fault where not. The length is checked before the characters.
// The set is the union of ranges, each one byte ("-") or the first and last of a run ("A-Z"); without any it is every
// byte that a field value can have (RFC 9110 §5.5).
//
// Raw panics if max is less than 1 or a range is neither form.
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

// Max returns the longest key in bytes.
func (s KeySyntax) Max() int { return s.orLenient().max }

// Want says what is accepted, in words for an API client.
func (s KeySyntax) Want() string { return s.orLenient().want }

func (s KeySyntax) orLenient() KeySyntax {
	if s == (KeySyntax{}) {
		return Lenient
	}
	return s
}

// Parse returns the key that a header's field lines carry, lines being what [http.Header.Values] gives. Its error is
// always a *[KeyError]. It allocates for a String with escapes only.
func (s KeySyntax) Parse(lines []string) (string, error) {
	s = s.orLenient()
	switch len(lines) {
	case 0:
		return "", &KeyError{Outcome: KeyMissing, Want: s.want}
	case 1:
	default: // even if they agree: a proxy may join them with a comma, and then they would not
		return "", &KeyError{Outcome: KeyRepeated, Want: "one field line"}
	}
	// An empty value is malformed and not missing: the client meant to send a key, and must not go unprotected on a
	// route where keys are optional.
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

// A KeyError says why a request has no key that can be used. It never holds what the client sent.
type KeyError struct {
	Outcome Outcome // KeyMissing, KeyMalformed, KeyTooLong or KeyRepeated
	Header  string  // the header field at fault; empty from KeySyntax.Parse, which is not told
	Want    string  // what is accepted, in words for an API client
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
