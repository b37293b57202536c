package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/redis/go-redis/v9"
	"github.com/vmihailenco/msgpack/v5"
)

// floor sends reprise's own scripts by go-redis over its pool, and does nothing else: no lease, no
// codec, no bound of its own in time.
func floor(client redis.UniversalClient, a *answer) (contender, error) {
	return scripts("floor", client, a, func(ctx context.Context, cmd *redis.Cmd) error { return client.Process(ctx, cmd) })
}

// shared is the floor on go-redis's own shared pipelines, in place of the pool: a floor for
// reprise's that is nobody's of this repository.
func shared(client redis.UniversalClient, a *answer) (contender, error) {
	pipeline, err := client.(interface {
		AsyncAutoPipeline() (*redis.AutoPipeliner, error)
	}).AsyncAutoPipeline()
	if err != nil {
		return contender{}, err
	}
	return scripts("shared", client, a, func(ctx context.Context, cmd *redis.Cmd) error {
		return pipeline.Submit(ctx, cmd).WaitContext(ctx)
	})
}

// inline is up to which length begin brings an answer along.
const inline = 32 << 10

func scripts(name string, client redis.UniversalClient, a *answer, process func(context.Context, *redis.Cmd) error) (contender, error) {
	value, err := msgpack.Marshal(a)
	if err != nil {
		return contender{}, err
	}
	value = append([]byte("R"), value...)
	begin, err := load(client, "begin.lua")
	if err != nil {
		return contender{}, err
	}
	commit, err := load(client, "commit.lua")
	if err != nil {
		return contender{}, err
	}
	run := func(ctx context.Context, sha, key string, args ...any) (any, error) {
		cmd := redis.NewCmd(ctx, slices.Concat([]any{"evalsha", sha, 1, key}, args)...)
		cmd.SetFirstKeyPos(3)
		err := process(ctx, cmd)
		return cmd.Val(), err
	}
	ask := func(ctx context.Context, key, token string) (any, error) {
		return run(ctx, begin, key, token, lease.Milliseconds(), retention.Milliseconds(), printed, "1", inline)
	}
	first := func(ctx context.Context, key string) error {
		t := token()
		reply, err := ask(ctx, key, t)
		if _, granted := reply.(string); err != nil || !granted {
			return check(err, false)
		}
		reply, err = run(ctx, commit, key, t, value, retention.Milliseconds(), inline)
		return check(err, reply == int64(1))
	}
	// found asks for a key that is not free.
	found := func(ctx context.Context, key string) (status, with any, err error) {
		reply, err := ask(ctx, key, token())
		if list, ok := reply.([]any); ok && len(list) > 1 {
			return list[0], list[1], err
		}
		return nil, nil, check(err, false)
	}
	replay := func(ctx context.Context, key string) error {
		status, with, err := found(ctx, key)
		if err != nil {
			return err
		}
		if status == int64(5) { // longer than begin brings along
			got, err := client.Get(ctx, key).Bytes()
			return check(err, bytes.Equal(got, value))
		}
		got, _ := with.(string)
		return check(nil, status == int64(4) && got == string(value))
	}
	conflict := func(ctx context.Context, key string) error {
		status, _, err := found(ctx, key)
		return check(err, status == int64(2))
	}
	key := func(key string) string { return redisKey(name, key) }
	do := each(first, replay, conflict)
	return contender{
		name: name,
		ready: func(ctx context.Context, op string, keys []string) func(int) error {
			names := make([]string, len(keys))
			for i := range keys {
				names[i] = key(keys[i])
			}
			return do(ctx, op, names)
		},
		hold: holder(client, key),
	}, nil
}

func token() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// load has every server know one of lock's scripts, which are no part of its API, and returns its
// digest.
func load(client redis.UniversalClient, name string) (sha string, err error) {
	var source []byte
	for _, file := range []string{"claim.lua", name} {
		b, err := os.ReadFile(filepath.Join("lock", "script", file))
		if err != nil {
			return "", fmt.Errorf("%w (run it from the repository's root)", err)
		}
		source = append(source, b...)
	}
	return client.ScriptLoad(context.Background(), string(source)).Result()
}
