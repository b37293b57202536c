// Package field reads the names and values of HTTP header fields: the rules of RFC 9110 for all
// fields, and as much of structured fields (RFC 9651) as an idempotency key needs.
package field

import (
	"slices"
	"strings"

	"github.com/reprise-go/reprise/internal/charset"
)

// Trim returns the value of a field without the white space around it, which doesn't belong to it
// (RFC 9110 §5.5). net/http trims the values of HTTP/1 but not those of HTTP/2, and a request must
// have the same key, scope and fingerprint over both. So all code that reads a header field, of a
// request or of an answer, must trim it.
func Trim(v string) string { return strings.Trim(v, " \t") }

// OfConnection are the header fields that belong to one connection (RFC 9110 §7.6.1), and
// Content-Length, which net/http writes for each message: a stale one would cut the body short.
var OfConnection = []string{
	"Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length",
}

// IsOfRequest reports whether a handler can find a request header of this name. It can't find those
// of a connection, nor Host: net/http removes Host from the headers, and a retry may use another
// name of the same API anyway. RFC 9110 §5.6.2 allows an asterisk in a name, but whoever configures
// one means a pattern, and there are none.
func IsOfRequest(name string) bool {
	same := func(other string) bool { return strings.EqualFold(other, name) }
	return IsToken(name) && !strings.Contains(name, "*") && !same("Host") && !slices.ContainsFunc(OfConnection, same)
}

// WantOfRequest says what a list of such headers may have.
const WantOfRequest = "names of request headers other than Host and those of one connection, each once"

// IsToken reports whether s is a token (RFC 9110 §5.6.2). Field names and methods are tokens.
func IsToken(s string) bool { return s != "" && tokenChars.Span(s) == len(s) }

// MediaType returns a Content-Type in lower case and without its parameters, which may be
// malformed.
func MediaType(contentType string) string {
	essence, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(Trim(essence))
}

// CutElement returns the first element of a comma-separated list, and the rest of the list. A comma
// inside a quoted string ends no element.
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

// tokenChars are the characters of a token, tchar in RFC 9110.
var tokenChars = charset.New("!", "#-'", "*-+", "-", ".", "0-9", "A-Z", "^-z", "|", "~")
