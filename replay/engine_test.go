package replay

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/lock"
)

// nobody is a client of a Redis that is never asked.
func nobody(t *testing.T) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0", ContextTimeoutEnabled: true})
	t.Cleanup(func() { client.Close() })
	return client
}

func newEngine(t *testing.T, cfg Config) *Engine {
	t.Helper()
	e, err := New(nobody(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestNewRefusesBadConfig(t *testing.T) {
	_, err := New(nobody(t), Config{Prefix: "{", Wait: -2, Lock: lock.Config{TTL: 1}})
	for _, field := range []string{"Lock.TTL", "Prefix", "Wait"} {
		if err == nil || !strings.Contains(err.Error(), field+": got ") {
			t.Errorf("%v does not name %s", err, field)
		}
	}
	if _, ok := errors.AsType[*ConfigError](err); !ok || !strings.HasPrefix(err.Error(), "replay: ") {
		t.Errorf("got %v", err)
	}
}

func TestNewRefusesNoClient(t *testing.T) {
	var none *redis.Client
	for _, client := range []redis.UniversalClient{nil, none, redis.NewRing(&redis.RingOptions{})} {
		if e, err := New(client, Config{}); e != nil || err == nil {
			t.Errorf("%T: got %v, %v", client, e, err)
		}
	}
}

func TestConfigIsWhatCounts(t *testing.T) {
	if got := newEngine(t, Config{Retention: time.Hour}).Config(); got.Retention != time.Hour || got.Prefix != "reprise" || got.Lock.TTL == 0 {
		t.Errorf("got %+v", got)
	}
}

// Known pairs have known keys: they stand in Redis longer than a release runs.
func TestKeyIsStable(t *testing.T) {
	e := newEngine(t, Config{Prefix: "p"})
	for pair, want := range map[[2]string]string{
		{"", "a"}:             "p:77a56596481d6e223f4b82b9dc1402b0a004f19cbf4fbe02da4ba7fb7ce657af",
		{"tenant", "order-1"}: "p:1a970fdb005e76216c6b67ef06641b6dfdbd4dc48a683d337d276ad25c024cc4",
	} {
		if got := e.redisKey(pair[0], pair[1]); got != want {
			t.Errorf("%q: got %s, want %s", pair, got, want)
		}
	}
}

// No two pairs of scope and key are the same bytes, whatever NULs and lengths are in them.
func FuzzKeyFraming(f *testing.F) {
	f.Add("ab", "c", "a", "bc")
	f.Add("a\x00", "b", "a", "\x00b")
	f.Add("", "\x00\x00\x00\x00\x00\x00\x00\x01a\x00b", "a", "b")
	e := &Engine{cfg: Config{Prefix: "p"}}
	f.Fuzz(func(t *testing.T, scope1, key1, scope2, key2 string) {
		same := scope1 == scope2 && key1 == key2
		if (e.redisKey(scope1, key1) == e.redisKey(scope2, key2)) != same {
			t.Errorf("%q %q and %q %q: equal keys, or not", scope1, key1, scope2, key2)
		}
		if key := e.redisKey(scope1, key1); len(key) != len("p:")+64 || !strings.HasPrefix(key, "p:") {
			t.Errorf("got %q", key)
		}
	})
}

func TestDoRefusesMisuse(t *testing.T) {
	never := func(context.Context) (Answer, error) {
		t.Error("it ran")
		return Answer{}, nil
	}
	_, err := newEngine(t, Config{}).Do(t.Context(), Request{Scope: "s"}, never)
	if e, ok := errors.AsType[*lock.KeyError](err); !ok || e.Field != "key" {
		t.Errorf("no key: got %v", err)
	}
	_, err = newEngine(t, Config{OnAbandoned: AskReconcile}).Do(t.Context(), Request{Key: "k"}, never)
	if e, ok := errors.AsType[*ConfigError](err); !ok || e.Name != "Request.Reconcile" {
		t.Errorf("no Reconcile: got %v", err)
	}
}

func TestDecodeOfAFreshResult(t *testing.T) {
	var v string
	if err := (Result{Stored: true}).Decode(&v); err == nil {
		t.Error("decoded what is not there")
	}
}

func TestCleanKeepsTheError(t *testing.T) {
	cause := errors.New("declined")
	if err := Clean(cause); !errors.Is(err, cause) || err.Error() != "declined" {
		t.Errorf("got %v", err)
	}
}

func TestInProgressError(t *testing.T) {
	for _, tc := range []struct {
		err  InProgressError
		text string
		lost bool
	}{
		{InProgressError{Left: 3 * time.Second, Attempt: 2}, "replay: in progress: attempt 2, 3s of its lease left", false},
		{InProgressError{Left: 3 * time.Second, Attempt: 2, Lost: true}, "replay: in progress: lease lost to attempt 2", true},
	} {
		if got := tc.err.Error(); got != tc.text {
			t.Errorf("got %q, want %q", got, tc.text)
		}
		if err := error(&tc.err); !errors.Is(err, ErrInProgress) || errors.Is(err, lock.ErrLost) != tc.lost {
			t.Errorf("%v: not what it should be", err)
		}
	}
}
