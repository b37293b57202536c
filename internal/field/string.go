package field

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/reprise-go/reprise/internal/charset"
)

// This file parses as much of RFC 9651 as a String item needs. The value of a parameter may be any
// bare item, and by §4.2 a malformed one makes the whole field fail. So each kind of bare item has
// to be parsed, if only to be skipped.

var (
	sfDigits   = charset.New("0-9")
	sfLowerHex = charset.New("0-9", "a-f")
	sfBase64   = charset.New("A-Z", "a-z", "0-9", "+", "/")
	sfParamKey = charset.New("a-z", "0-9", "_", "-", ".", "*")
	sfToken    = charset.New("!", "#-'", "*-+", "--:", "A-Z", "^-z", "|", "~")
)

// CutString returns the String that s begins with, unescaped, and what follows it (§4.2.5).
func CutString(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", "", false
	}
	var unescaped []byte // nil until the first escape: up to there, the value is a part of s
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

// ValidParams reports whether s consists of well-formed parameters, or is empty (§4.2.3.2).
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
	case c == ':': // Byte Sequence, §4.2.7: padding is optional, but must not be wrong
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

// skipNumber skips an Integer, or a Decimal with at most so many digits of fraction (§4.2.4).
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

// validDisplay reports whether s is ASCII text that is UTF-8 once its percent-encoded bytes, in
// lower case, are decoded.
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
