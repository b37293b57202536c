package main

import (
	"context"
	"time"

	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"
	"github.com/vmihailenco/msgpack/v5"
)

// naive is a lock and a cache beside each other, on two keys. It renews nothing, tells no requests
// apart, and a lost reply reads as another's lock.
func naive(client redis.UniversalClient, a *answer) contender {
	rs := redsync.New(goredis.NewPool(client))
	mutex := func(key string) *redsync.Mutex {
		// Its own limit of 750 ms is too short for the last of 1,024 callers on a busy machine.
		return rs.NewMutex("naive:lock:"+key, redsync.WithExpiry(lease), redsync.WithTries(1), redsync.WithTimeoutFactor(0.9))
	}
	first := func(ctx context.Context, key string) error {
		m := mutex(key)
		if err := m.LockContext(ctx); err != nil {
			return err
		}
		if err := client.Get(ctx, "naive:"+key).Err(); err != redis.Nil {
			return check(err, false)
		}
		b, err := msgpack.Marshal(a)
		if err != nil {
			return err
		}
		if err := client.Set(ctx, "naive:"+key, b, retention).Err(); err != nil {
			return err
		}
		_, err = m.UnlockContext(ctx)
		return err
	}
	replay := func(ctx context.Context, key string) error {
		m := mutex(key)
		if err := m.LockContext(ctx); err != nil {
			return err
		}
		b, err := client.Get(ctx, "naive:"+key).Bytes()
		if err != nil {
			return err
		}
		var got answer
		if err := msgpack.Unmarshal(b, &got); err != nil {
			return err
		}
		if _, err = m.UnlockContext(ctx); err != nil {
			return err
		}
		return check(nil, got.equal(a))
	}
	conflict := func(ctx context.Context, key string) error {
		return check(nil, mutex(key).LockContext(ctx) != nil)
	}
	hold := func(ctx context.Context, keys []string) (func(), error) {
		for _, key := range keys {
			if err := client.Set(ctx, "naive:lock:"+key, "another", time.Hour).Err(); err != nil {
				return nil, err
			}
		}
		return func() {}, nil
	}
	return contender{name: "naive", ready: each(first, replay, conflict), hold: hold}
}
