// Package field reads the values of HTTP header fields: what RFC 9110 says of all of them, and as much of structured
// fields (RFC 9651) as a key needs.
package field

import (
	"slices"
	"strings"

	"github.com/reprise-go/reprise/internal/charset"
)

// Trim returns a field's value without the white space around it, which is no part of it (RFC 9110 §5.5). net/http
// trims it from HTTP/1 but not from HTTP/2, where the same request must have the same key, scope and fingerprint. So
// whatever reads a header field, of a request or of an answer, must trim it.
func Trim(v string) string { return strings.Trim(v, " \t") }

// OfConnection are the header fields that belong to one connection (RFC 9110 §7.6.1), or that net/http makes for each
// message, where a stale Content-Length would cut the body short.
var OfConnection = []string{"Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length"}

// IsOfRequest reports whether a handler can find a request header that goes from end to end. net/http takes Host out of the
// headers, and a retry may come by another name of the same API anyway. An asterisk could be in a name by RFC 9110
// §5.6.2, but whoever writes one means many, which these lists can't say.
func IsOfRequest(name string) bool {
	same := func(other string) bool { return strings.EqualFold(other, name) }
	return IsToken(name) && !strings.Contains(name, "*") && !same("Host") && !slices.ContainsFunc(OfConnection, same)
}

// IsToken reports whether s is a token (RFC 9110 §5.6.2), as field names and methods are.
func IsToken(s string) bool { return s != "" && tokenChars.Span(s) == len(s) }

// MediaType returns a Content-Type in lower case and without its parameters, be they well-formed or not.
func MediaType(contentType string) string {
	essence, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(Trim(essence))
}

// CutElement returns the first element of a comma-separated list and the rest. A comma in a quoted string ends nothing.
func CutElement(list string) (element, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}

// tokenChars are RFC 9110's tchar, of which field names are made.
var tokenChars = charset.New("!", "#-'", "*-+", "-", ".", "0-9", "A-Z", "^-z", "|", "~")
