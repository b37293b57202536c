package lock

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

const healthy = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\nconnected_slaves:2\r\nmaxmemory_policy:noeviction\r\n"

func settings(findings []*SettingError) (names []string) {
	for _, f := range findings {
		names = append(names, f.Setting)
	}
	return names
}

// Where replicas that don't confirm have taken all the time, that is what is amiss, and the end of the time
// is no finding of its own.
func TestTimeoutIsNoFaultOfRedis(t *testing.T) {
	p := &probe{}
	p.report("replicas", "a", "0", "1", "more")
	p.reportTimeout("a", "a replay", context.DeadlineExceeded)
	p.reportTimeout("b", "a replay", context.DeadlineExceeded)
	if got := settings(p.findings.close()); !slices.Equal(got, []string{"replicas", "Timeout"}) {
		t.Errorf("got %q", got)
	}
}

func TestNodeFindings(t *testing.T) {
	for _, tc := range []struct {
		name     string
		old, new string
		acks     int
		cluster  bool // the client is one for clusters
		want     []string
		unfit    bool
	}{
		{name: "healthy", acks: 2},
		{name: "a cluster's node, to a cluster's client", old: "standalone", new: "cluster", cluster: true},
		{name: "a cluster's node, to another", old: "standalone", new: "cluster", want: []string{"redis_mode"}, unfit: true},
		{name: "a cluster's node of Valkey", old: "redis_mode:standalone", new: "server_mode:cluster", want: []string{"redis_mode"}, unfit: true},
		{name: "a Sentinel", old: healthy, new: "redis_version:7.0.15\r\nredis_mode:sentinel\r\n", want: []string{"redis_mode"}, unfit: true},
		{name: "active replicas", old: "role:master", new: "role:active-replica", want: []string{"role"}, unfit: true},
		{name: "evicts any key", old: "noeviction", new: "allkeys-lru", want: []string{"maxmemory-policy"}},
		{name: "evicts keys that expire, as ours do", old: "noeviction", new: "volatile-ttl", want: []string{"maxmemory-policy"}},
		{name: "no sharded channels", old: "7.0.15", new: "6.2.14", want: []string{"redis_version"}},
		{name: "later", old: "7.0.15", new: "10.1.0"},
		{name: "no number", old: "7.0.15", new: "unstable", want: []string{"redis_version"}},
		{name: "a replica", old: "role:master", new: "role:slave", want: []string{"role"}, unfit: true},
		{name: "too few replicas", acks: 3, want: []string{"replicas"}},
		{name: "no replicas are no fault where none is asked", old: "slaves:2", new: "slaves:0"},
		{name: "tells nothing", old: healthy, new: "", acks: 1, want: []string{"maxmemory-policy", "redis_version", "role", "replicas"}, unfit: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			info := parseInfo(strings.Replace(healthy, tc.old, tc.new, 1))
			found, fit := nodeFindings("10.0.0.1:6379", info, Config{Acks: tc.acks}, tc.cluster)
			if !slices.Equal(settings(found), tc.want) || fit == tc.unfit {
				t.Errorf("found %v, fit %v, want %v, %v", settings(found), fit, tc.want, !tc.unfit)
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
		{"any certificate", redis.NewClient(&redis.Options{ContextTimeoutEnabled: true, TLSConfig: &tls.Config{InsecureSkipVerify: true}}), []string{"InsecureSkipVerify"}},
		{"any certificate, behind Sentinel", redis.NewFailoverClient(&redis.FailoverOptions{ContextTimeoutEnabled: true, TLSConfig: &tls.Config{InsecureSkipVerify: true}}),
			[]string{"InsecureSkipVerify"}},
		{"any certificate, in a cluster", cluster(redis.ClusterOptions{ContextTimeoutEnabled: true, DisableRoutingPolicies: true, TLSConfig: &tls.Config{InsecureSkipVerify: true}}),
			[]string{"InsecureSkipVerify"}},
		{"certificates that the program looks at itself", redis.NewClient(&redis.Options{ContextTimeoutEnabled: true, TLSConfig: &tls.Config{
			InsecureSkipVerify: true, VerifyConnection: func(tls.ConnectionState) error { return nil }}}), nil},
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

// Whatever INFO says, it is read without a panic, and every finding is complete.
func FuzzParseInfo(f *testing.F) {
	f.Add(healthy, 1, false)
	f.Add("redis_mode:sentinel\nredis_version", 0, true)
	f.Add(":\r\n::\r\nredis_version:7.\r\nrole:\r\nconnected_slaves:99999999999999999999", 100, true)
	f.Add("server_mode:cluster\rrole:master\n\n", 0, false)
	f.Fuzz(func(t *testing.T, text string, acks int, cluster bool) {
		info := parseInfo(text)
		for name, value := range info {
			if strings.Contains(name, ":") || strings.ContainsAny(name+value, "\n") || !strings.Contains(text, name+":") || !strings.Contains(text, value) {
				t.Errorf("%q is %q", name, value)
			}
		}
		found, fit := nodeFindings("here", info, Config{Acks: acks}, cluster)
		for _, e := range found {
			if e.Setting == "" || e.Where != "here" || e.Got == "" || e.Want == "" || e.Cure == "" {
				t.Errorf("incomplete: %+v", e)
			}
		}
		if fit && info["role"] != "master" {
			t.Error("fit for requests, and no primary")
		}
	})
}
