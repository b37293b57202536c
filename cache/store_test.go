package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/reprise-go/reprise/cache"
)

// fakeRedis implements the four commands of a Client. It has no clock: a key's TTL stays as SET
// made it. If err is set, every command fails with it.
type fakeRedis struct {
	values map[string]string
	ttls   map[string]time.Duration
	err    error
	calls  int

	fetched int // bytes of values
}

func newFakeRedis() *fakeRedis {
	return &fakeRedis{values: map[string]string{}, ttls: map[string]time.Duration{}}
}

// finish completes cmd as go-redis does.
func finish[C interface{ SetErr(error) }](f *fakeRedis, cmd C, reply func()) C {
	f.calls++
	if f.err != nil {
		cmd.SetErr(f.err)
		return cmd
	}
	reply()
	return cmd
}

func (f *fakeRedis) GetRange(ctx context.Context, key string, start, end int64) *redis.StringCmd {
	cmd := redis.NewStringCmd(ctx)
	return finish(f, cmd, func() {
		value := f.values[key]
		from := min(start, int64(len(value)))
		cmd.SetVal(value[from:min(end+1, int64(len(value)))])
		f.fetched += len(cmd.Val())
	})
}

func (f *fakeRedis) Set(ctx context.Context, key string, value any, ttl time.Duration) *redis.StatusCmd {
	cmd := redis.NewStatusCmd(ctx)
	return finish(f, cmd, func() { f.values[key], f.ttls[key] = string(value.([]byte)), ttl })
}

func (f *fakeRedis) Del(ctx context.Context, keys ...string) *redis.IntCmd {
	cmd := redis.NewIntCmd(ctx)
	return finish(f, cmd, func() {
		for _, key := range keys {
			if _, ok := f.values[key]; ok {
				cmd.SetVal(cmd.Val() + 1)
			}
			delete(f.values, key)
			delete(f.ttls, key)
		}
	})
}

func (f *fakeRedis) PTTL(ctx context.Context, key string) *redis.DurationCmd {
	cmd := redis.NewDurationCmd(ctx, time.Millisecond)
	return finish(f, cmd, func() {
		_, there := f.values[key]
		switch ttl, ok := f.ttls[key]; {
		case ok:
			cmd.SetVal(ttl)
		case there:
			cmd.SetVal(-1)
		default:
			cmd.SetVal(-2)
		}
	})
}

// replyError is an error that Redis itself answered.
type replyError string

func (e replyError) Error() string { return string(e) }
func (replyError) RedisError()     {}

func newStore[T any](t *testing.T, client cache.Client) *cache.Store[T] {
	t.Helper()
	store, err := cache.New[T](client, cache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestStore(t *testing.T) {
	ctx := t.Context()
	fake := newFakeRedis()
	store := newStore[payment](t, fake)

	if got, found, err := store.Get(ctx, key); err != nil || found || !reflect.DeepEqual(got, payment{}) {
		t.Fatalf("before: got %+v, %v, %v", got, found, err)
	}
	if ttl, found, err := store.TTL(ctx, key); err != nil || found || ttl != 0 {
		t.Fatalf("before: TTL %v, %v, %v", ttl, found, err)
	}
	if found, err := store.Delete(ctx, key); err != nil || found {
		t.Fatalf("before: deleted %v, %v", found, err)
	}

	want := newPayment()
	if err := store.Put(ctx, key, want, 90*time.Second); err != nil {
		t.Fatal(err)
	}
	got, found, err := store.Get(ctx, key)
	got.When = got.When.UTC()
	if err != nil || !found || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v, %v", got, found, err)
	}
	if ttl, found, err := store.TTL(ctx, key); err != nil || !found || ttl != 90*time.Second {
		t.Fatalf("TTL %v, %v, %v", ttl, found, err)
	}
	if got, found, err := store.Get(ctx, key+"0"); err != nil || found {
		t.Fatalf("another key: got %+v, %v, %v", got, found, err)
	}

	// Put overwrites anything.
	fake.values[key] = "L1 a claim"
	if err := store.Put(ctx, key, payment{ID: "2"}, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if got, found, err := store.Get(ctx, key); err != nil || !found || got.ID != "2" {
		t.Fatalf("got %+v, %v, %v", got, found, err)
	}

	if found, err := store.Delete(ctx, key); err != nil || !found {
		t.Fatalf("deleted %v, %v", found, err)
	}
	if _, found, err := store.Get(ctx, key); err != nil || found {
		t.Fatalf("after: %v, %v", found, err)
	}
	fake.values[key] = "for ever"
	if ttl, found, err := store.TTL(ctx, key); err != nil || !found || ttl != cache.Never {
		t.Fatalf("TTL %v, %v, %v", ttl, found, err)
	}
}

// A value that Put did not write is neither a hit nor a miss, and Get leaves it alone.
func TestStoreCorrupt(t *testing.T) {
	fake := newFakeRedis()
	store := newStore[payment](t, fake)
	for name, value := range map[string]string{
		"a claim":      "L1 2 1732233600000000 86400000 fp owner",
		"nothing":      "",
		"another T":    frame(key, 0, cache.Header{}, []byte("\xa6secret")),
		"half a value": frame(key, 0, cache.Header{}, []byte("\x82\xa2ID\xa6secret\xa4Tags\x05")),
		"a tombstone":  frame(key, tombstone, cache.Header{}, nil),
		"another key":  frame("other", 0, cache.Header{}, []byte("\x80")),
	} {
		fake.values[key] = value
		got, found, err := store.Get(t.Context(), key)
		wantCorrupt(t, err, "")
		if found || !reflect.DeepEqual(got, payment{}) {
			t.Errorf("%s: got %+v, %v", name, got, found)
		}
		if fake.values[key] != value {
			t.Errorf("%s: the value was changed", name)
		}
	}

	fake.err = replyError("WRONGTYPE Operation against a key holding the wrong kind of value")
	_, found, err := store.Get(t.Context(), key)
	wantCorrupt(t, err, "another type")
	if found || !errors.Is(err, fake.err) {
		t.Errorf("got %v, %v", found, err)
	}
}

// An error is never a miss, and its cause stays reachable.
func TestStoreFailing(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, fault := range []error{
		io.ErrUnexpectedEOF,
		context.DeadlineExceeded,
		replyError("OOM command not allowed when used memory > 'maxmemory'."),
		replyError("READONLY You can't write against a read only replica."),
		fmt.Errorf("no WRONGTYPE: %w", redis.ErrClosed),
	} {
		for _, ctx := range []context.Context{t.Context(), cancelled} {
			fake := newFakeRedis()
			store := newStore[string](t, fake)
			if err := store.Put(ctx, key, "v", time.Minute); err != nil {
				t.Fatal(err)
			}
			fake.err = fault
			v, got, getErr := store.Get(ctx, key)
			putErr := store.Put(ctx, key, "w", time.Minute)
			deleted, deleteErr := store.Delete(ctx, key)
			ttl, lives, ttlErr := store.TTL(ctx, key)
			if v != "" || got || deleted || ttl != 0 || lives {
				t.Errorf("%v: claims %q, %v, %v, %v, %v", fault, v, got, deleted, ttl, lives)
			}
			for op, err := range map[string]error{"get": getErr, "put": putErr, "delete": deleteErr, "ttl": ttlErr} {
				if !errors.Is(err, fault) || errors.Is(err, cache.ErrCorrupt) || !strings.HasPrefix(err.Error(), "cache: "+op+": ") {
					t.Errorf("%s: got %v, want %v", op, err, fault)
				}
				if errors.Is(err, context.Canceled) != (ctx.Err() != nil) {
					t.Errorf("%s: the context's error: %v", op, err)
				}
				if strings.Contains(err.Error(), key) {
					t.Errorf("%s: the key is in %v", op, err)
				}
			}
		}
	}
}

func TestStoreRefuses(t *testing.T) {
	fake := newFakeRedis()
	store := newStore[string](t, fake)
	ctx := t.Context()
	_, _, get := store.Get(ctx, "")
	_, deleted := store.Delete(ctx, "")
	_, _, ttl := store.TTL(ctx, "")
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"get":      {get, `key: got "\"\"", want a Redis key`},
		"put":      {store.Put(ctx, "", "v", time.Minute), `key: got "\"\"", want a Redis key`},
		"delete":   {deleted, `key: got "\"\"", want a Redis key`},
		"ttl":      {ttl, `key: got "\"\"", want a Redis key`},
		"no ttl":   {store.Put(ctx, key, "v", 0), `ttl: got "0s", want at least 1ms`},
		"ttl < 1":  {store.Put(ctx, key, "v", 999*time.Microsecond), `ttl: got "999µs", want at least 1ms`},
		"keep ttl": {store.Put(ctx, key, "v", redis.KeepTTL), `ttl: got "-1ns", want at least 1ms`},
		"too large": {store.Put(ctx, key, strings.Repeat("v", 16<<20), time.Minute),
			"cache: value too large: 16777221 bytes, at most 16777216"},
	} {
		var invalid *cache.ConfigError
		if text(tc.err) != tc.want || !errors.As(tc.err, &invalid) && !errors.Is(tc.err, cache.ErrTooLarge) {
			t.Errorf("%s: got %v, want %s", name, tc.err, tc.want)
		}
	}
	if fake.calls != 0 {
		t.Errorf("%d commands were sent", fake.calls)
	}
}

func TestNewRefuses(t *testing.T) {
	var none *redis.Client
	for name, client := range map[string]cache.Client{"nil": nil, "a nil *redis.Client": none} {
		store, err := cache.New[string](client, cache.Config{MaxDecoded: -1})
		var invalid *cache.ConfigError
		want := "cache: client: got \"nil\", want a Redis client\ncache: MaxDecoded: got \"-1\", want a size from 1KiB to 512MiB"
		if store != nil || text(err) != want || !errors.As(err, &invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	var _ cache.Client = redis.UniversalClient(nil)
}

// lateRedis writes a value between GETRANGE and PTTL.
type lateRedis struct {
	*fakeRedis
	come func()
}

func (f *lateRedis) PTTL(ctx context.Context, key string) *redis.DurationCmd {
	if come := f.come; come != nil {
		f.come = nil
		come()
	}
	return f.fakeRedis.PTTL(ctx, key)
}
