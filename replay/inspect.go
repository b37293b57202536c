package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/lock"
)

// A KeyState is what stands under a key, for an operator: a lock.Standing in which a value is told to be
// a record or not.
type KeyState string

const (
	KeyFree      KeyState = "free"      // nothing: the next request is the first
	KeyClaimed   KeyState = "claimed"   // a request is in progress
	KeyAbandoned KeyState = "abandoned" // a request has failed, or its machine died, and what it did is unknown
	KeyDone      KeyState = "done"      // a record: an answer, or a tombstone
	KeyForeign   KeyState = "foreign"   // what reprise did not write, or not this release
)

// Words returns every KeyState.
func (KeyState) Words() []KeyState {
	return []KeyState{KeyFree, KeyClaimed, KeyAbandoned, KeyDone, KeyForeign}
}

// An Entry is what has stood under a key at one moment.
type Entry struct {
	Key    string   // the Redis key
	Digest string   // of scope and key, 64 hex digits; empty if the Redis key isn't of this engine's prefix
	Node   string   // by Scan: the address of the primary that has it
	State  KeyState // for KeyForeign, Fault says why

	Attempt     int    // of a claim
	Fence       int64  // of a claim or record
	Fingerprint string // of a claim or record; a record's may be of any bytes, if it is forged
	Owner       string // the token of the claim, or of the claim that the record was written under

	Left       time.Duration // of the lease, unless it is renewed; 0 if it isn't live
	Remembered time.Duration // until Redis forgets the key, or lock.Never
	Age        time.Duration // since the key was granted to the claim's or the record's owner
	At         time.Time     // of the reading; like all times here, by Redis's clock
	Size       int64         // bytes of the value in Redis

	// Of a record. Compressed and Sealed are what became of its value.
	Version                       int
	Compressed, Sealed, Tombstone bool

	// Fault says why a value is KeyForeign, and quotes nothing of it.
	Fault string

	seen lock.Sight
}

// Mark tells what was seen from whatever may stand under the key at another time: an Entry of the same
// mark is of the same claim, renewed or not, or of the same record or foreign value. It is for programs
// that show an Entry now and act on it later: they inspect again, compare, and act on what they have
// just seen. It is 32 hex digits.
func (e Entry) Mark() string {
	sum := sha256.Sum256([]byte(e.seen.Key + "\x00" + e.seen.Identity()))
	return hex.EncodeToString(sum[:16])
}

// Digest returns what stands in the Redis key for a scope and a key: 64 hex digits, from which neither
// can be read.
func (e *Engine) Digest(scope, key string) string {
	return strings.TrimPrefix(e.redisKey(scope, key), e.cfg.Prefix+":")
}

// Inspect looks at what stands under a request's key, in one round trip, and changes nothing. It
// decodes no value and needs no seal keys: Reveal does.
//
// The errors are a *lock.KeyError, ErrUnavailable, and the cause of ctx. Redis has to allow more than
// for requests: docs/redis.md has an operator's rights.
func (e *Engine) Inspect(ctx context.Context, scope, key string) (Entry, error) {
	if key == "" {
		return Entry{}, &lock.KeyError{Field: "key", Want: "at least one byte"}
	}
	return e.inspect(ctx, e.redisKey(scope, key))
}

// InspectDigest is Inspect by the digest of scope and key. The error is a *ConfigError for what can't
// be one.
func (e *Engine) InspectDigest(ctx context.Context, digest string) (Entry, error) {
	if !isDigest(digest) {
		return Entry{}, &ConfigError{Name: "digest", Value: fmt.Sprintf("%d bytes", len(digest)),
			Want: "64 hex digits, in lower case"}
	}
	return e.inspect(ctx, e.cfg.Prefix+":"+digest)
}

func isDigest(s string) bool {
	_, err := hex.DecodeString(s)
	return len(s) == 2*sha256.Size && err == nil && s == strings.ToLower(s)
}

func (e *Engine) inspect(ctx context.Context, redisKey string) (Entry, error) {
	seen, err := e.locker.Inspect(ctx, redisKey, cache.MaxHeader)
	if err != nil {
		return Entry{}, e.operatorError(err)
	}
	return e.entryOf(seen), nil
}

// operatorError is an error of package lock as this package's.
func (e *Engine) operatorError(err error) error {
	if changed, ok := errors.AsType[*lock.ChangedError](err); ok {
		return &ChangedError{Now: e.entryOf(changed.Now)}
	}
	if errors.Is(err, lock.ErrUnavailable) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("replay: %w", err)
}

// entryOf reads what has been seen.
func (e *Engine) entryOf(seen lock.Sight) Entry {
	entry := Entry{Key: seen.Key, Node: seen.Node, Left: seen.Left, Remembered: seen.Remembered, At: seen.At, Size: seen.Size, seen: seen}
	// Another engine's digest would be looked for under this one's prefix, and be another key.
	if digest, ours := strings.CutPrefix(seen.Key, e.cfg.Prefix+":"); ours && isDigest(digest) {
		entry.Digest = digest
	}
	switch seen.Standing {
	case lock.Free:
		entry.State = KeyFree
	case lock.Claimed, lock.Abandoned:
		entry.State = KeyClaimed
		if seen.Standing == lock.Abandoned {
			entry.State = KeyAbandoned
		}
		entry.Attempt, entry.Fence = seen.Claim.Attempt, seen.Claim.Fence
		entry.Fingerprint, entry.Owner = seen.Claim.Fingerprint, seen.Claim.Owner
	case lock.OtherType:
		entry.State, entry.Fault = KeyForeign, "of another type than a string"
	default:
		entry.readLabel(seen.Head)
	}
	if entry.Fence > 0 {
		entry.Age = max(0, entry.At.Sub(time.UnixMicro(entry.Fence)))
	}
	return entry
}

func (e *Entry) readLabel(head string) {
	label, err := cache.Peek(head)
	if err != nil {
		e.State, e.Fault = KeyForeign, err.Error()
		if corrupt, ok := errors.AsType[*cache.CorruptError](err); ok {
			e.Fault = corrupt.Reason
		}
		return
	}
	e.State = KeyDone
	e.Fence, e.Fingerprint, e.Owner = label.Fence, label.Fingerprint, label.Owner
	e.Version, e.Compressed, e.Sealed, e.Tombstone = label.Version, label.Compressed, label.Sealed, label.Tombstone
}
