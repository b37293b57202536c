package lock

import (
	"bytes"
	"fmt"
	"log/slog"
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
		{"nil", nil, "(is REDIS_URL set?)"},
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
			if inline := l.store.(*single).server.requests.inline; inline != tc.want {
				t.Errorf("inline limit %v, want %d", inline, tc.want)
			}
			// Nor does a script bring what would not be fetched.
			l, err = New(tc.client, Config{MaxValue: 2048})
			if inline := l.store.(*single).server.requests.inline; err != nil || inline != int64(2048) {
				t.Errorf("inline limit %v, %v, want MaxValue", inline, err)
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
				if honors := l.store.(*single).server.honorsContext; honors != enabled {
					t.Errorf("honorsContext: %v", honors)
				}
				warned := strings.Contains(logged.String(), "level=WARN") && strings.Contains(logged.String(), "ContextTimeoutEnabled")
				if warned == enabled {
					t.Errorf("logged %q", logged.String())
				}
			})
		}
	}
}
