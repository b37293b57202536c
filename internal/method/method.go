package method

import (
	"net/http"
	"slices"
	"strings"

	"github.com/reprise-go/reprise/internal/field"
)

var safeMethods = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}

func IsUnsafe(m string) bool {
	return field.IsToken(m) && m == strings.ToUpper(m) && !slices.Contains(safeMethods, m)
}

// wantMethods says what a list of such methods may have.
const Want = "methods in upper case other than GET, HEAD, OPTIONS and TRACE, each once"
