package httpadapter

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxKey is the longest key in bytes, unescaped, that Lenient and Strict accept.
const maxKey = 255

// A KeySyntax says which header field values are keys. It is a plain value that can be compared with ==; the zero
// value parses as [Lenient].
//
// In every syntax a key has one field line, and white space around it is no part of it.
type KeySyntax struct {
	quoted, raw bool    // which forms are accepted
	max         int     // longest key in bytes
	set         charset // of a raw key
	want        string  // what is accepted, in words for an API client
}

var (
	// Lenient accepts a structured-field String (RFC 9651 §3.3.3), whose parameters must be well-formed and are
	// ignored, or a raw key: 1 to 255 visible ASCII characters without comma and double quote. "abc" in quotes and abc
	// without are one key, so that a client may take up the standard's form between two tries.
	Lenient = KeySyntax{quoted: true, raw: true, max: maxKey, set: newCharset("!", "#-+", "--~"),
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
		panic("httpadapter: Raw: max is " + strconv.Itoa(max) + ", want at least 1")
	}
	s := KeySyntax{raw: true, max: max, set: newCharset(ranges...), want: "1 to " + strconv.Itoa(max)}
	switch {
	case len(ranges) == 0:
		s.set = newCharset("\t", " -~", "\x80-\xff")
		s.want += " characters"
	case s.set == newCharset("!-~"):
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
	key, fault := s.parse(trimValue(lines[0]))
	if fault != 0 {
		return "", &KeyError{Outcome: fault, Want: s.want}
	}
	return key, nil
}

func (s *KeySyntax) parse(value string) (key string, fault Outcome) {
	if s.quoted && (!s.raw || strings.HasPrefix(value, `"`)) {
		key, rest, ok := cutString(value)
		switch {
		case !ok || key == "" || !validParams(rest):
			return "", KeyMalformed
		case len(key) > s.max:
			return "", KeyTooLong
		}
		return key, 0
	}
	if len(value) > s.max {
		return "", KeyTooLong
	}
	if value == "" || s.set.span(value) < len(value) {
		return "", KeyMalformed
	}
	return value, 0
}

// trimValue returns a field's value without the white space around it, which is no part of it (RFC 9110 §5.5). net/http
// trims it from HTTP/1 but not from HTTP/2, where the same request must have the same key, scope and fingerprint. So
// whatever reads a header field, of a request or of an answer, must trim it.
func trimValue(v string) string { return strings.Trim(v, " \t") }

// A KeyError says why a request has no key that can be used. It never holds what the client sent.
type KeyError struct {
	Outcome Outcome // KeyMissing, KeyMalformed, KeyTooLong or KeyRepeated
	Header  string  // the header field at fault; empty from KeySyntax.Parse, which is not told
	Want    string  // what is accepted, in words for an API client
}

func (e *KeyError) Error() string {
	return "httpadapter: " + cmp.Or(e.Header, "key") + " is " + keyFaults[e.Outcome] + ": want " + e.Want
}

var keyFaults = map[Outcome]string{
	KeyMissing: "missing", KeyMalformed: "malformed", KeyTooLong: "too long", KeyRepeated: "one of several",
}

// readKey returns the key of a request and the first of names, of which there is at least one, that carries it. Every
// accepted header that is there must be valid, and all must agree once parsed: of two keys, nobody could tell which the
// client will send again. Its error is a *KeyError.
func readKey(h http.Header, names []string, syntax KeySyntax) (key, header string, err error) {
	for _, name := range names {
		lines := h.Values(name)
		if len(lines) == 0 {
			continue
		}
		k, err := syntax.Parse(lines)
		if err != nil {
			err.(*KeyError).Header = name
			return "", "", err
		}
		if header == "" {
			key, header = k, name
		} else if k != key {
			return "", "", &KeyError{Outcome: KeyRepeated, Header: name, Want: "the same key as in " + header}
		}
	}
	if header == "" {
		return "", "", &KeyError{Outcome: KeyMissing, Header: names[0], Want: syntax.Want()}
	}
	return key, header, nil
}

// charset is a set of bytes, one bit each.
type charset [4]uint64

// newCharset panics if a range is neither one byte nor two with a hyphen between.
func newCharset(ranges ...string) (set charset) {
	for _, r := range ranges {
		if len(r) != 1 && (len(r) != 3 || r[1] != '-' || r[0] > r[2]) {
			panic("httpadapter: " + strconv.Quote(r) + " is no range of bytes, want one byte or two with a hyphen between")
		}
		for b := int(r[0]); b <= int(r[len(r)-1]); b++ {
			set[b>>6] |= 1 << (b & 63)
		}
	}
	return set
}

// span returns how many bytes s begins with that are in the set.
func (c *charset) span(s string) int {
	for i := range len(s) {
		if c[s[i]>>6]>>(s[i]&63)&1 == 0 {
			return i
		}
	}
	return len(s)
}

// What follows is as much of RFC 9651 as a String item needs. A parameter's value may be any bare item, so each kind
// has to be known to be skipped: §4.2 has the whole field fail with a bad one.

var (
	sfDigits   = newCharset("0-9")
	sfLowerHex = newCharset("0-9", "a-f")
	sfBase64   = newCharset("A-Z", "a-z", "0-9", "+", "/")
	sfParamKey = newCharset("a-z", "0-9", "_", "-", ".", "*")
	// tokenChars are RFC 9110's tchar, of which field names are made.
	tokenChars = newCharset("!", "#-'", "*-+", "-", ".", "0-9", "A-Z", "^-z", "|", "~")
	sfToken    = newCharset("!", "#-'", "*-+", "--:", "A-Z", "^-z", "|", "~")
)

// cutString unescapes the String that s begins with and returns what follows it (§4.2.5).
func cutString(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", "", false
	}
	var unescaped []byte // nil until the first escape: without one the value is a part of s
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && unescaped == nil:
			return s[1:i], s[i+1:], true
		case c == '"':
			return string(unescaped), s[i+1:], true
		case c < ' ' || c > '~':
			return "", "", false
		case c == '\\':
			if unescaped == nil {
				unescaped = append(make([]byte, 0, maxKey), s[1:i]...)
			}
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", "", false
			}
			unescaped = append(unescaped, s[i])
		case unescaped != nil:
			unescaped = append(unescaped, c)
		}
	}
	return "", "", false
}

// validParams reports whether s is nothing but parameters (§4.2.3.2).
func validParams(s string) bool {
	for ok := true; s != ""; {
		if s[0] != ';' {
			return false
		}
		s = strings.TrimLeft(s[1:], " ")
		n := sfParamKey.span(s)
		if n == 0 || s[0] != '*' && (s[0] < 'a' || s[0] > 'z') {
			return false
		}
		if s = s[n:]; strings.HasPrefix(s, "=") {
			if s, ok = skipBareItem(s[1:]); !ok {
				return false
			}
		}
	}
	return true
}

// skipBareItem returns what follows the bare item that s begins with (§4.2.3.1).
func skipBareItem(s string) (rest string, ok bool) {
	if s == "" {
		return "", false
	}
	switch c := s[0]; {
	case c == '"':
		_, rest, ok = cutString(s)
		return rest, ok
	case c == '*', 'a' <= c|0x20 && c|0x20 <= 'z': // Token, §4.2.6
		return s[sfToken.span(s):], true
	case c == ':': // Byte Sequence, §4.2.7: padding may be left out, but not be wrong
		body, rest, ok := strings.Cut(s[1:], ":")
		n := sfBase64.span(body)
		pad := body[n:]
		return rest, ok && n%4 != 1 && (pad == "" || pad == "==="[:-n&3])
	case c == '?': // Boolean, §4.2.8
		return s[min(2, len(s)):], strings.HasPrefix(s, "?0") || strings.HasPrefix(s, "?1")
	case c == '%' && strings.HasPrefix(s, `%"`): // Display String, §4.2.10: its own quotes are percent-encoded
		body, rest, ok := strings.Cut(s[2:], `"`)
		return rest, ok && validDisplay(body)
	case c == '@': // Date, §4.2.9: an Integer
		return skipNumber(s[1:], 0)
	}
	return skipNumber(s, 3)
}

// skipNumber skips an Integer or, with a fraction of so many digits at most, a Decimal (§4.2.4).
func skipNumber(s string, fraction int) (rest string, ok bool) {
	s = strings.TrimPrefix(s, "-")
	whole := sfDigits.span(s)
	rest, point := strings.CutPrefix(s[whole:], ".")
	if !point {
		return rest, 1 <= whole && whole <= 15
	}
	n := sfDigits.span(rest)
	return rest[n:], 1 <= whole && whole <= 12 && 1 <= n && n <= fraction
}

// validDisplay reports whether s is ASCII text whose percent-encoded bytes, in lower case, make it UTF-8.
func validDisplay(s string) bool {
	var text []byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) || sfLowerHex.span(s[i+1:i+3]) < 2 {
				return false
			}
			b, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			c, i = byte(b), i+2
		} else if c < ' ' || c > '~' {
			return false
		}
		text = append(text, c)
	}
	return utf8.Valid(text)
}
