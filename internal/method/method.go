// Package method knows which HTTP methods can need an idempotency key.
package method

import (
	"net/http"
	"slices"
	"strings"

	"github.com/reprise-go/reprise/internal/field"
)

// safeMethods are those of RFC 9110 §9.2.1, which need no key.
var safeMethods = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}

// IsUnsafe reports whether m is a method that may need a key: any but the safe ones. One in lower case is another method
// (RFC 9110 §9.1), and none that anybody means.
func IsUnsafe(m string) bool {
	return field.IsToken(m) && m == strings.ToUpper(m) && !slices.Contains(safeMethods, m)
}

// Want says what a list of such methods may have.
const Want = "methods in upper case other than GET, HEAD, OPTIONS and TRACE, each once"

// Default returns those that take part where nothing is said.
func Default() []string { return []string{http.MethodPost, http.MethodPatch} }
