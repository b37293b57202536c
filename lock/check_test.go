package lock

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

const healthy = "# Server\r\nredis_version:7.0.15\r\nrole:master\r\nconnected_slaves:2\r\nmaxmemory_policy:noeviction\r\n"

func settings(findings []*SettingError) (names []string) {
	for _, f := range findings {
		names = append(names, f.Setting)
	}
	return names
}

func TestNodeFindings(t *testing.T) {
	for _, tc := range []struct {
		name     string
		old, new string
		acks     int
		want     []string
	}{
		{name: "healthy", acks: 2},
		{name: "evicts any key", old: "noeviction", new: "allkeys-lru", want: []string{"maxmemory-policy"}},
		{name: "evicts keys that expire, as ours do", old: "noeviction", new: "volatile-ttl", want: []string{"maxmemory-policy"}},
		{name: "no sharded channels", old: "7.0.15", new: "6.2.14", want: []string{"redis_version"}},
		{name: "later", old: "7.0.15", new: "10.1.0"},
		{name: "no number", old: "7.0.15", new: "unstable", want: []string{"redis_version"}},
		{name: "a replica", old: "role:master", new: "role:slave", want: []string{"role"}},
		{name: "too few replicas", acks: 3, want: []string{"replicas"}},
		{name: "no replicas are no fault where none is asked", old: "slaves:2", new: "slaves:0"},
		{name: "tells nothing", old: healthy, new: "", acks: 1, want: []string{"maxmemory-policy", "redis_version", "role", "replicas"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			info := parseInfo(strings.Replace(healthy, tc.old, tc.new, 1))
			found := nodeFindings("10.0.0.1:6379", info, Config{Acks: tc.acks})
			if !slices.Equal(settings(found), tc.want) {
				t.Errorf("found %v, want %v", settings(found), tc.want)
			}
			for _, f := range found {
				if f.Where != "10.0.0.1:6379" || f.Got == "" || f.Want == "" || f.Cure == "" {
					t.Errorf("incomplete: %+v", f)
				}
			}
		})
	}
}

func TestClientFindings(t *testing.T) {
	cluster := func(o redis.ClusterOptions) redis.UniversalClient {
		o.Addrs = []string{"a:1"}
		return redis.NewClusterClient(&o)
	}
	const reads = "ReadOnly, RouteByLatency, RouteRandomly"
	for _, tc := range []struct {
		name   string
		client redis.UniversalClient
		want   []string
	}{
		{"single", redis.NewClient(&redis.Options{}), []string{"ContextTimeoutEnabled"}},
		{"single, as it should be", redis.NewClient(&redis.Options{ContextTimeoutEnabled: true}), nil},
		{"cluster", cluster(redis.ClusterOptions{}), []string{"ContextTimeoutEnabled", "DisableRoutingPolicies"}},
		{"cluster, as it should be", cluster(redis.ClusterOptions{ContextTimeoutEnabled: true, DisableRoutingPolicies: true}), nil},
		{"reads of replicas", cluster(redis.ClusterOptions{ContextTimeoutEnabled: true, DisableRoutingPolicies: true, ReadOnly: true}), []string{reads}},
		{"by latency", cluster(redis.ClusterOptions{ContextTimeoutEnabled: true, DisableRoutingPolicies: true, RouteByLatency: true}), []string{reads}},
		{"at random", cluster(redis.ClusterOptions{ContextTimeoutEnabled: true, DisableRoutingPolicies: true, RouteRandomly: true}), []string{reads}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var logged bytes.Buffer
			cfg := Config{Logger: slog.New(slog.NewTextHandler(&logged, nil))}
			if _, err := New(tc.client, cfg); err != nil {
				t.Errorf("not strict: %v", err)
			}
			if n := strings.Count(logged.String(), "level=WARN"); n != len(tc.want) {
				t.Errorf("%d warnings, want %d:\n%s", n, len(tc.want), &logged)
			}

			cfg.Strict = true
			logged.Reset()
			_, err := New(tc.client, cfg)
			var found []*SettingError
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				for _, e := range joined.Unwrap() {
					f, _ := errors.AsType[*SettingError](e)
					found = append(found, f)
				}
			}
			if !slices.Equal(settings(found), tc.want) || logged.Len() > 0 {
				t.Errorf("strict: %v, logged %q, want %v", err, &logged, tc.want)
			}
		})
	}
}
