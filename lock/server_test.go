package lock

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestNewRefusesClientsThatCannotKeepThePromise(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	for _, tc := range []struct {
		name   string
		client redis.UniversalClient
		says   string
	}{
		{"nil", nil, "got nil"},
		{"typed nil", (*redis.Client)(nil), "got nil"},
		{"typed nil of a cluster", (*redis.ClusterClient)(nil), "got nil"},
		{"typed nil of a ring", (*redis.Ring)(nil), "got nil"},
		{"ring", ring, "got a *redis.Ring"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, err := New(tc.client, Config{})
			if l != nil || err == nil || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "want a *redis.Client") {
				t.Errorf("got %v, %v", l, err)
			}
		})
	}
}

// A client that sends GET to replicas would fetch a long value from one that lags behind.
func TestLongValuesAreFetchedApartOnlyFromPrimaries(t *testing.T) {
	for _, tc := range []struct {
		name   string
		client redis.UniversalClient
		want   int64
	}{
		{"single", redis.NewClient(&redis.Options{}), inlineLimit},
		{"sentinel", redis.NewFailoverClient(&redis.FailoverOptions{}), inlineLimit},
		{"cluster", redis.NewClusterClient(&redis.ClusterOptions{}), inlineLimit},
		{"read-only", redis.NewClusterClient(&redis.ClusterOptions{ReadOnly: true}), 16 << 20},
		{"by latency", redis.NewClusterClient(&redis.ClusterOptions{RouteByLatency: true}), 16 << 20},
		{"randomly", redis.NewClusterClient(&redis.ClusterOptions{RouteRandomly: true}), 16 << 20},
		{"another kind", struct{ *redis.Client }{redis.NewClient(&redis.Options{})}, inlineLimit},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer tc.client.Close()
			l, err := New(tc.client, Config{})
			if err != nil {
				t.Fatal(err)
			}
			if l.server.inline != tc.want || l.inline != tc.want {
				t.Errorf("inline limit %d, sent as %v, want %d", l.server.inline, l.inline, tc.want)
			}
			// Nor does a script bring what would not be fetched.
			if l, err = New(tc.client, Config{MaxValue: 2048}); err != nil || l.inline != int64(2048) {
				t.Errorf("inline limit %v, %v, want MaxValue", l.inline, err)
			}
		})
	}
}

func TestWarnsOfClientsThatOutwaitTheirContext(t *testing.T) {
	for _, enabled := range []bool{true, false} {
		for name, client := range map[string]redis.UniversalClient{
			"single":   redis.NewClient(&redis.Options{ContextTimeoutEnabled: enabled}),
			"sentinel": redis.NewFailoverClient(&redis.FailoverOptions{ContextTimeoutEnabled: enabled}),
			"cluster":  redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: enabled}),
		} {
			t.Run(fmt.Sprint(name, enabled), func(t *testing.T) {
				defer client.Close()
				var logged bytes.Buffer
				l, err := New(client, Config{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
				if err != nil {
					t.Fatal(err)
				}
				if l.server.obedient != enabled {
					t.Errorf("obedient: %v", l.server.obedient)
				}
				warned := strings.Contains(logged.String(), "level=WARN") && strings.Contains(logged.String(), "ContextTimeoutEnabled")
				if warned == enabled {
					t.Errorf("logged %q", logged.String())
				}
			})
		}
	}
}

func TestParseReply(t *testing.T) {
	for _, tc := range []struct {
		name string
		v    any
		want reply
	}{
		{"not ours", int64(0), reply{status: notOurs}},
		{"extended, stored, released", int64(1), reply{status: ok}},
		{"granted", plain, reply{status: ok, value: plain}},
		{"held", []any{int64(2), plain, int64(1500)}, reply{status: held, value: plain, left: 1500}},
		{"abandoned", []any{int64(3), plain}, reply{status: abandoned, value: plain}},
		{"done", []any{int64(4), "Rx"}, reply{status: done, value: "Rx"}},
		{"done, and long", []any{int64(5), int64(1 << 20)}, reply{status: doneLong, size: 1 << 20}},
		{"already stored", int64(6), reply{status: alreadyStored}},
		{"stored though missing", int64(7), reply{status: restored}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := parseReply(tc.v); err != nil || got != tc.want {
				t.Errorf("got %+v, %v, want %+v", got, err, tc.want)
			}
		})
	}
}

func TestParseReplyRefusesNonsense(t *testing.T) {
	for _, v := range []any{
		nil, "", "OK", 1, 1.0, true, []byte("1"), errors.New("ERR"), map[any]any{}, []string{"1"},
		int64(-1), int64(2), int64(5), int64(8), int64(math.MaxInt64),
		[]any{}, []any{nil}, []any{"1"}, []any{1}, []any{int64(0)}, []any{int64(-1)}, []any{int64(8)}, []any{int64(math.MinInt64), plain},
		[]any{[]any{int64(1)}}, []any{int64(5)}, []any{int64(5), "1048576"}, []any{int64(4), int64(7)},
		[]any{[]any{int64(1)}}, []any{int64(2), plain}, []any{int64(2), plain, int64(0)}, []any{int64(2), plain, "1"}, []any{int64(3)},
		[]any{int64(4), int64(1)}, []any{int64(4), "R", int64(1)}, []any{int64(5), "R"},
	} {
		if r, err := parseReply(v); err == nil || r != (reply{}) {
			t.Errorf("%#v: got %+v, %v, want an error", v, r, err)
		}
	}
}

// Whatever Redis answers, reading it doesn't panic, and what is accepted is one of the replies that the
// scripts' headers define.
func FuzzParseReply(f *testing.F) {
	for _, s := range []string{plain, "R x", "", "L1 "} {
		for n := range int64(9) {
			f.Add(uint8(n%5), n, s, n*1000)
		}
	}
	f.Add(uint8(3), int64(math.MinInt64), plain, int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, shape uint8, n int64, s string, left int64) {
		v := [...]any{n, s, []any{n}, []any{n, s}, []any{n, s, left}, []any{n, left, s}, []any{s, n}, []any{n, s, left, nil}, nil}[shape%9]
		r, err := parseReply(v)
		if err != nil {
			if r != (reply{}) {
				t.Errorf("%#v: refused, and yet %+v", v, r)
			}
			return
		}
		switch r.status {
		case notOurs, alreadyStored, restored:
			if r != (reply{status: r.status}) {
				t.Errorf("%#v: %+v says more than a status", v, r)
			}
		case ok:
			if r.value != "" && !strings.HasPrefix(r.value, "L1 ") || r.left != 0 {
				t.Errorf("%#v: %+v is no grant", v, r)
			}
		case held:
			if r.left <= 0 {
				t.Errorf("%#v: %+v is a lease that is over", v, r)
			}
		case abandoned, done:
			if r.left != 0 {
				t.Errorf("%#v: %+v has a time", v, r)
			}
		case doneLong:
			if r.value != "" || r.left != 0 {
				t.Errorf("%#v: %+v has a value that is to be fetched apart", v, r)
			}
		default:
			t.Errorf("%#v: no script answers %+v", v, r)
		}
	})
}

// A script's text is part of its name for Redis: it must not change with the machine.
func TestScriptsAreComplete(t *testing.T) {
	for name, s := range map[string]*script{
		"begin": beginScript, "renew": renewScript, "commit": commitScript, "release": releaseScript, "abandon": abandonScript,
		"regain": regainScript,
	} {
		source := s.source.(string)
		if !strings.HasPrefix(source, claimSource) || !strings.Contains(source, "\n-- "+name+": ") {
			t.Errorf("%s lacks claim.lua or its own header", name)
		}
		for _, want := range []string{"-- KEYS[1]", "-- ARGV[1]", "-- reply ", "-- Safe to send twice"} {
			if !strings.Contains(source, want) {
				t.Errorf("%s.lua doesn't say %q", name, want)
			}
		}
		if strings.Contains(source, "KEYS[2]") || strings.Contains(source, "\r") {
			t.Errorf("%s.lua has a second key or carriage returns", name)
		}
		if digest, ok := s.sha.(string); !ok || len(digest) != 40 {
			t.Errorf("%s has digest %v", name, s.sha)
		}
	}
}
