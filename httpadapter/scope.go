package httpadapter

import (
	"errors"
	"net/http"

	"github.com/reprise-go/reprise/internal/field"
)

// A Scope says whose key a request carries: the same key in another scope is another key. It must
// come from what has been authenticated, for whoever chooses their own scope can ask for others'
// answers. An error means that the caller can't be told: the request is refused.
type Scope func(*http.Request) (string, error)

// GlobalScope puts all callers into one scope: for an API with one client, or with keys that nobody
// can guess.
func GlobalScope(*http.Request) (string, error) { return "", nil }

// ScopeHeader takes the scope from a request header, which an authenticating proxy or handler must
// set. White space around it is no part of it. A request without it, or with several, is refused.
func ScopeHeader(name string) Scope {
	name = http.CanonicalHeaderKey(name)
	return func(r *http.Request) (string, error) {
		if values := r.Header[name]; len(values) == 1 {
			if scope := field.Trim(values[0]); scope != "" {
				return scope, nil
			}
		}
		return "", errUnscoped
	}
}

// ScopeFunc takes the scope from wherever f finds it, such as the context of an authenticated
// request. An f that reads a header must trim its value, as ScopeHeader does.
func ScopeFunc(f func(*http.Request) (string, error)) Scope { return f }

var errUnscoped = errors.New("httpadapter: want exactly one value in the scope's header")
