package grpcadapter

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/metadata"
)

// A Scope says whose key a call carries: the same key in another scope is another key. It must
// come from what has been authenticated, for whoever chooses their own scope can ask for others'
// answers. An error means that the caller can't be told: the call is refused.
type Scope func(context.Context) (string, error)

// GlobalScope puts all callers into one scope: for an API with one client, or with keys that nobody
// can guess.
func GlobalScope(context.Context) (string, error) { return "", nil }

// ScopeMetadata takes the scope from incoming metadata, which an authenticating proxy must set: a
// client can send any. A call without it, or with several values, is refused. Blanks around a value
// are no part of it, as with keys: whether they arrive depends on the way (gRPC's HTTP/2 mapping
// lets them be stripped, net/http's HTTP/1 strips them), and the same caller must have the same
// scope. The bytes of metadata whose name ends in -bin are left as they are.
func ScopeMetadata(name string) Scope {
	binary := strings.HasSuffix(strings.ToLower(name), "-bin")
	return func(ctx context.Context) (string, error) {
		values := metadata.ValueFromIncomingContext(ctx, name)
		if len(values) != 1 {
			return "", errUnscoped
		}
		scope := values[0]
		if !binary {
			scope = strings.Trim(scope, blanks)
		}
		if scope == "" {
			return "", errUnscoped
		}
		return scope, nil
	}
}

// blanks are optional white space (RFC 9110 §5.6.3).
const blanks = " \t"

// ScopeFunc takes the scope from wherever f finds it, such as what an authenticating interceptor
// around this one left in the context.
func ScopeFunc(f func(context.Context) (string, error)) Scope { return f }

var errUnscoped = errors.New("grpcadapter: want exactly one value, and not only blanks, in the scope's metadata")
