// Package derive makes idempotency keys for calls to other services from the key of the request at
// work. It is apart from replay, which knows that key, so that httpclient can make one without
// linking a Redis client.
package derive

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/reprise-go/reprise/internal/uuid"
)

// ErrNoWork: the context is not that of work under a key.
var ErrNoWork = errors.New("replay: the context is not that of work under a key")

// A Source is what a key is derived from.
type Source struct {
	RedisKey string // a digest of the request's scope and key
	Shadow   bool   // the key is only observed
}

// SourceKey is the key under which the context of work has its Source.
type SourceKey struct{}

// Key returns the key of the work that ctx belongs to for the call of that name.
//
// In shadow mode the key is random: a client that gives two requests one key would otherwise have
// the second one refused by the other service, and shadow mode is there to find such clients
// without harm.
func Key(ctx context.Context, name string) (string, error) {
	source, ok := ctx.Value(SourceKey{}).(Source)
	if !ok {
		return "", ErrNoWork
	}
	if source.Shadow {
		return Random(), nil
	}
	// The label keeps these digests apart from all others; the length keeps any two pairs of Redis key
	// and name from being the same bytes.
	b := append(make([]byte, 0, 256), "reprise derived key 1"...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(source.RedisKey)))
	b = append(b, source.RedisKey...)
	b = append(b, name...)
	sum := sha256.Sum256(b)
	return uuid.Format(8, [16]byte(sum[:16])), nil // version 8: custom, RFC 9562 §5.8
}

// Random returns a new random key.
func Random() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return uuid.Format(4, b)
}
