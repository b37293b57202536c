package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/lock"
)

// A contender does the same three things in its own way.
type contender struct {
	name   string
	client redis.UniversalClient // of its own

	// ready makes everything beforehand that is not to be measured, and returns what does op (first,
	// replay or conflict) under the i-th key. It fails if the key is in another state.
	ready func(ctx context.Context, op string, keys []string) func(i int) error

	// hold has somebody hold the keys who is not measured, until end.
	hold func(ctx context.Context, keys []string) (end func(), err error)
}

// answer is what the work answers.
type answer struct {
	Status int    `msgpack:"status"`
	Body   []byte `msgpack:"body"`
}

func (a *answer) equal(b *answer) bool { return a.Status == b.Status && bytes.Equal(a.Body, b.Body) }

const (
	lease     = 15 * time.Second
	retention = time.Hour
	printed   = "1:fingerprint"
)

var errNotSo = errors.New("the key is not in the state that is measured, or the answer is another")

func check(err error, so bool) error {
	if err == nil && !so {
		return errNotSo
	}
	return err
}

// each is a contender's ready, by what it does with one key.
func each(first, replay, conflict func(ctx context.Context, key string) error) func(context.Context, string, []string) func(int) error {
	return func(ctx context.Context, op string, keys []string) func(int) error {
		do := map[string]func(context.Context, string) error{"first": first, "replay": replay, "conflict": conflict}[op]
		return func(i int) error { return do(ctx, keys[i]) }
	}
}

// holder holds keys by leases that last.
func holder(client redis.UniversalClient, redisKey func(string) string) func(context.Context, []string) (func(), error) {
	return func(ctx context.Context, keys []string) (func(), error) {
		l, err := lock.New(client, lock.Config{TTL: time.Hour, Renew: 20 * time.Minute, MaxHold: time.Hour})
		if err != nil {
			return nil, err
		}
		var held []*lock.Lease
		end := func() {
			for _, lease := range held {
				_ = lease.Release(ctx)
			}
		}
		for _, key := range keys {
			lease, err := l.TryAcquire(ctx, redisKey(key), lock.Terms{Fingerprint: printed, Detached: true})
			if err != nil {
				end()
				return nil, err
			}
			held = append(held, lease)
		}
		return end, nil
	}
}

// redisKey is the Redis key of a request without a scope, to an engine of this prefix.
func redisKey(prefix, key string) string {
	b := binary.BigEndian.AppendUint64(nil, 0)
	b = append(append(b, 0), key...)
	sum := sha256.Sum256(b)
	return prefix + ":" + hex.EncodeToString(sum[:])
}

// payments is JSON of a size, as an API would answer it: half of it repeats, half of it is random.
func payments(size int) []byte {
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, `{"id":"pay_%s","amount":%d,"currency":"GBP","status":"succeeded"},`, rand.Text(), b.Len())
	}
	return b.Bytes()[:size]
}
