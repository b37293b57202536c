package field

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/reprise-go/reprise/internal/charset"
)

// What follows is as much of RFC 9651 as a String item needs. A parameter's value may be any bare item, so each kind
// has to be known to be skipped: §4.2 has the whole field fail with a bad one.

var (
	sfDigits   = charset.New("0-9")
	sfLowerHex = charset.New("0-9", "a-f")
	sfBase64   = charset.New("A-Z", "a-z", "0-9", "+", "/")
	sfParamKey = charset.New("a-z", "0-9", "_", "-", ".", "*")
	sfToken    = charset.New("!", "#-'", "*-+", "--:", "A-Z", "^-z", "|", "~")
)

// CutString unescapes the String that s begins with and returns what follows it (§4.2.5).
func CutString(s string) (value, rest string, ok bool) {
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
				unescaped = append(make([]byte, 0, len(s)), s[1:i]...)
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

// ValidParams reports whether s is nothing but parameters (§4.2.3.2).
func ValidParams(s string) bool {
	for ok := true; s != ""; {
		if s[0] != ';' {
			return false
		}
		s = strings.TrimLeft(s[1:], " ")
		n := sfParamKey.Span(s)
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
		_, rest, ok = CutString(s)
		return rest, ok
	case c == '*', 'a' <= c|0x20 && c|0x20 <= 'z': // Token, §4.2.6
		return s[sfToken.Span(s):], true
	case c == ':': // Byte Sequence, §4.2.7: padding may be left out, but not be wrong
		body, rest, ok := strings.Cut(s[1:], ":")
		n := sfBase64.Span(body)
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
	whole := sfDigits.Span(s)
	rest, point := strings.CutPrefix(s[whole:], ".")
	if !point {
		return rest, 1 <= whole && whole <= 15
	}
	n := sfDigits.Span(rest)
	return rest[n:], 1 <= whole && whole <= 12 && 1 <= n && n <= fraction
}

// validDisplay reports whether s is ASCII text whose percent-encoded bytes, in lower case, make it UTF-8.
func validDisplay(s string) bool {
	var text []byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) || sfLowerHex.Span(s[i+1:i+3]) < 2 {
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
