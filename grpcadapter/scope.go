package grpcadapter

import (
	"context"
	"errors"

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
// client can send any. A call without it, or with several values, is refused.
func ScopeMetadata(name string) Scope {
	return func(ctx context.Context) (string, error) {
		if values := metadata.ValueFromIncomingContext(ctx, name); len(values) == 1 && values[0] != "" {
			return values[0], nil
		}
		return "", errUnscoped
	}
}

// ScopeFunc takes the scope from wherever f finds it, such as what an authenticating interceptor
// around this one left in the context.
func ScopeFunc(f func(context.Context) (string, error)) Scope { return f }

var errUnscoped = errors.New("grpcadapter: want exactly one value in the scope's metadata")
