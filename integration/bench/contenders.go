package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/go-redis/v9"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/reprise-go/reprise/replay"
)

// answer is what the work answers.
type answer struct {
	Status int    `msgpack:"status"`
	Body   []byte `msgpack:"body"`
}

// A contender does the same three things in its own way.
type contender struct {
	name     string
	first    func(ctx context.Context, key string) error // runs the work and stores its answer
	replay   func(ctx context.Context, key string) error // finds the answer
	conflict func(ctx context.Context, key string) error // finds the key held
}

var errNotSo = errors.New("the key is not in the state that is measured")

const (
	lease     = 15 * time.Second
	retention = time.Hour
)

func reprise(client redis.UniversalClient, a *answer) (contender, error) {
	engine, err := replay.New(client, replay.Config{Retention: retention})
	if err != nil {
		return contender{}, err
	}
	work := func(context.Context) (replay.Answer, error) { return replay.Answer{Value: a}, nil }
	do := func(ctx context.Context, key string) (replay.Result, error) {
		return engine.Do(ctx, replay.Request{Key: key, Fingerprint: "1:fingerprint"}, work)
	}
	return contender{
		name: "reprise",
		first: func(ctx context.Context, key string) error {
			r, err := do(ctx, key)
			return check(err, r.Stored && !r.Replayed)
		},
		replay: func(ctx context.Context, key string) error {
			r, err := do(ctx, key)
			if err != nil || !r.Replayed {
				return check(err, false)
			}
			var got answer
			return r.Decode(&got)
		},
		conflict: func(ctx context.Context, key string) error {
			_, err := do(ctx, key)
			return check(nil, errors.Is(err, replay.ErrInProgress))
		},
	}, nil
}

// naive is a lock and a cache beside each other, on two keys. It renews nothing, tells no requests
// apart, and a lost reply reads as another's lock.
func naive(client redis.UniversalClient, a *answer) contender {
	rs := redsync.New(goredis.NewPool(client))
	return contender{
		name: "naive",
		first: func(ctx context.Context, key string) error {
			m := rs.NewMutex("lock:"+key, redsync.WithExpiry(lease), redsync.WithTries(1))
			if err := m.LockContext(ctx); err != nil {
				return err
			}
			if err := client.Get(ctx, key).Err(); err != redis.Nil {
				return check(err, false)
			}
			b, err := msgpack.Marshal(a)
			if err != nil {
				return err
			}
			if err := client.Set(ctx, key, b, retention).Err(); err != nil {
				return err
			}
			_, err = m.UnlockContext(ctx)
			return err
		},
		replay: func(ctx context.Context, key string) error {
			m := rs.NewMutex("lock:"+key, redsync.WithExpiry(lease), redsync.WithTries(1))
			if err := m.LockContext(ctx); err != nil {
				return err
			}
			b, err := client.Get(ctx, key).Bytes()
			if err != nil {
				return err
			}
			var got answer
			if err := msgpack.Unmarshal(b, &got); err != nil {
				return err
			}
			_, err = m.UnlockContext(ctx)
			return err
		},
		conflict: func(ctx context.Context, key string) error {
			m := rs.NewMutex("lock:"+key, redsync.WithExpiry(lease), redsync.WithTries(1))
			return check(nil, m.LockContext(ctx) != nil)
		},
	}
}

// floor sends the scripts and does nothing else.
func floor(client redis.UniversalClient, a *answer) (contender, error) {
	begin, err := script("begin.lua")
	if err != nil {
		return contender{}, err
	}
	commit, err := script("commit.lua")
	if err != nil {
		return contender{}, err
	}
	value, err := msgpack.Marshal(a)
	if err != nil {
		return contender{}, err
	}
	value = append([]byte("R"), value...)
	const inline = 32 << 10
	ask := func(ctx context.Context, key, token string) *redis.Cmd {
		return begin.Run(ctx, client, []string{key}, token, lease.Milliseconds(), retention.Milliseconds(), "1:fingerprint", "1", inline)
	}
	found := func(ctx context.Context, key string, want int64) error {
		reply, err := ask(ctx, key, token()).Slice()
		if err != nil {
			return err
		}
		if reply[0] == int64(5) && want == 4 { // longer than begin brings along
			return client.Get(ctx, key).Err()
		}
		return check(nil, reply[0] == want)
	}
	return contender{
		name: "floor",
		first: func(ctx context.Context, key string) error {
			t := token()
			if claim, err := ask(ctx, key, t).Text(); err != nil || claim == "" {
				return check(err, false)
			}
			n, err := commit.Run(ctx, client, []string{key}, t, value, retention.Milliseconds(), inline).Int64()
			return check(err, n == 1)
		},
		replay:   func(ctx context.Context, key string) error { return found(ctx, key, 4) },
		conflict: func(ctx context.Context, key string) error { return found(ctx, key, 2) },
	}, nil
}

func token() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func check(err error, so bool) error {
	if err == nil && !so {
		return errNotSo
	}
	return err
}

// script reads one of lock's scripts, which are no part of its API.
func script(name string) (*redis.Script, error) {
	var source []byte
	for _, file := range []string{"claim.lua", name} {
		b, err := os.ReadFile(filepath.Join("lock", "script", file))
		if err != nil {
			return nil, fmt.Errorf("%w (run it from the repository's root)", err)
		}
		source = append(source, b...)
	}
	return redis.NewScript(string(source)), nil
}
