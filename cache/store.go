package cache

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Client sends the four commands that a Store needs; an ACL has to allow these. Every
// [redis.UniversalClient] is one: of a single server, of Sentinel, of a cluster.
type Client interface {
	GetRange(ctx context.Context, key string, start, end int64) *redis.StringCmd
	Set(ctx context.Context, key string, value any, ttl time.Duration) *redis.StatusCmd
	Del(ctx context.Context, keys ...string) *redis.IntCmd
	PTTL(ctx context.Context, key string) *redis.DurationCmd
}

// A Store keeps values of type T in Redis, each under its own key and for its own time. It is safe
// for concurrent use. A miss is never an error, and an error is never a miss: a caller that took an
// outage for a miss would do its work again. An error is a [ConfigError] for an argument, a
// [CorruptError], a [TooLargeError], an [EncodeError], or wraps the error of Redis or of the
// context.
type Store[T any] struct {
	client Client
	codec  *Codec
}

// New returns a Store on client. The error names every fault of the arguments.
func New[T any](client Client, cfg Config) (*Store[T], error) {
	var missing error
	// An interface that holds a nil *redis.Client isn't nil itself.
	if v := reflect.ValueOf(client); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		missing = fmt.Errorf("cache: %w", &ConfigError{Name: "client", Value: "nil", Want: "a Redis client"})
	}
	codec, err := NewCodec(cfg)
	if err := errors.Join(missing, err); err != nil {
		return nil, err
	}
	return &Store[T]{client: client, codec: codec}, nil
}

// Get returns the value under key, and whether there is one. A value takes one round trip, a miss
// two: the second makes sure that the key doesn't exist.
func (s *Store[T]) Get(ctx context.Context, key string) (v T, found bool, err error) {
	var none T
	if err := checkKey(key); err != nil {
		return none, false, err
	}
	value, found, err := s.fetch(ctx, key)
	if err != nil || !found {
		return none, false, err
	}
	record, err := s.codec.Open(key, value)
	if err != nil {
		return none, false, err
	}
	if err := record.Decode(&v); err != nil {
		return none, false, err
	}
	return v, true, nil
}

// fetch returns what is under key, but no more bytes than a record can have: the length of a
// foreign value must not decide what reading it costs.
func (s *Store[T]) fetch(ctx context.Context, key string) (value string, found bool, err error) {
	limit := s.codec.maxRecord
	for range 2 {
		value, err := s.client.GetRange(ctx, key, 0, limit).Result() // limit+1 bytes: one too many shows that there are more
		switch {
		case redis.HasErrorPrefix(err, "WRONGTYPE"):
			return "", false, &CorruptError{Reason: "the key holds another type than a string", Err: err}
		case err != nil:
			return "", false, failed(ctx, "get", err)
		case int64(len(value)) > limit:
			large := &TooLargeError{Unit: "bytes", Size: int64(len(value)), Limit: limit}
			return "", false, &CorruptError{Reason: fmt.Sprintf("longer than %d bytes, which no record is", limit), Err: large}
		case value != "":
			return value, true, nil
		}
		// The reply of GETRANGE is empty for a missing key and for an empty value, which is no
		// miss.
		ttl, err := s.client.PTTL(ctx, key).Result()
		switch {
		case err != nil:
			return "", false, failed(ctx, "get", err)
		case ttl == absent:
			return "", false, nil
		}
		// The value may have been written between the two commands: look once more.
	}
	return "", true, nil
}

// Put stores v under key for ttl, which is rounded down to whole milliseconds and is at least one;
// [Never] is not accepted.
// It replaces whatever the key held, foreign values included.
func (s *Store[T]) Put(ctx context.Context, key string, v T, ttl time.Duration) error {
	if ttl < time.Millisecond {
		// Redis has nothing shorter, and 0 would mean that the key never expires.
		return &ConfigError{Name: "ttl", Value: ttl.String(), Want: "at least 1ms"}
	}
	value, err := s.codec.Encode(key, Header{}, &v) // a pointer: marshalers may have pointer receivers
	if err != nil {
		return err
	}
	if err := s.client.Set(ctx, key, value, ttl).Err(); err != nil {
		return failed(ctx, "put", err)
	}
	return nil
}

// Delete removes the key, whatever it holds, and reports whether it existed. When a reply is lost,
// go-redis sends the command again, and the second reply is false: the key is gone by then.
func (s *Store[T]) Delete(ctx context.Context, key string) (bool, error) {
	if err := checkKey(key); err != nil {
		return false, err
	}
	n, err := s.client.Del(ctx, key).Result()
	if err != nil {
		return false, failed(ctx, "delete", err)
	}
	return n > 0, nil
}

// absent is PTTL's reply for a missing key. go-redis returns it as it is, without a unit.
const absent = -2

// TTL returns how long the key will live, to the millisecond, and whether it exists. It doesn't
// look at the value. It is [Never] for a key that doesn't expire; Put writes no such key.
func (s *Store[T]) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	if err := checkKey(key); err != nil {
		return 0, false, err
	}
	ttl, err := s.client.PTTL(ctx, key).Result()
	switch {
	case err != nil:
		return 0, false, failed(ctx, "ttl", err)
	case ttl == absent:
		return 0, false, nil
	}
	return ttl, true, nil
}
