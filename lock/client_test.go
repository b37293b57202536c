package lock_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/lock"
)

func TestClientFromEnv(t *testing.T) {
	for _, tc := range []struct {
		name, url string
		addrs     []string // more than one, or cluster: a cluster client
		cluster   bool
		tls       bool
		timeout   time.Duration
	}{
		{name: "one server", url: "redis://user:secret@host:7001/2", addrs: []string{"host:7001"}},
		{name: "default port", url: "redis://host", addrs: []string{"host:6379"}},
		{name: "TLS", url: "rediss://user:secret@host:7001", addrs: []string{"host:7001"}, tls: true},
		{name: "an option", url: "redis://user:secret@host?read_timeout=7s", addrs: []string{"host:6379"}, timeout: 7 * time.Second},
		{name: "cluster by addr", url: "redis://user:secret@a:1?addr=b:2&addr=c:3&read_timeout=7s", addrs: []string{"a:1", "b:2", "c:3"},
			cluster: true, timeout: 7 * time.Second},
		{name: "cluster by commas", url: "redis://user:secret@a:1,redis://b:2,redis://c:3", addrs: []string{"a:1", "b:2", "c:3"}, cluster: true},
		{name: "cluster by both", url: "redis://user:secret@a:1?addr=b:2,redis://c:3", addrs: []string{"a:1", "b:2", "c:3"}, cluster: true},
		{name: "cluster of one", url: "redis://user:secret@a:1?cluster=true", addrs: []string{"a:1"}, cluster: true},
		{name: "cluster with TLS", url: "rediss://a:1,rediss://b:2", addrs: []string{"a:1", "b:2"}, cluster: true, tls: true},
		{name: "not a cluster", url: "redis://user:secret@a:1?cluster=false", addrs: []string{"a:1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, err := lock.ClientFromEnv("X_", []string{"X_REDIS_URL=" + tc.url, "REDIS_URL=junk"})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			switch c := client.(type) {
			case *redis.Client:
				o := c.Options()
				if tc.cluster || o.Addr != tc.addrs[0] || !o.ContextTimeoutEnabled || (o.TLSConfig != nil) != tc.tls {
					t.Errorf("got a client of %q, ContextTimeoutEnabled %v", o.Addr, o.ContextTimeoutEnabled)
				}
				if strings.Contains(tc.url, "secret") && (o.Username != "user" || o.Password != "secret") {
					t.Error("not the user and password of the URL")
				}
				if tc.timeout != 0 && o.ReadTimeout != tc.timeout {
					t.Errorf("ReadTimeout %v, want %v", o.ReadTimeout, tc.timeout)
				}
			case *redis.ClusterClient:
				o := c.Options()
				slices.Sort(o.Addrs)
				if !tc.cluster || !slices.Equal(o.Addrs, tc.addrs) || !o.ContextTimeoutEnabled || (o.TLSConfig != nil) != tc.tls {
					t.Errorf("got a cluster client of %q, ContextTimeoutEnabled %v", o.Addrs, o.ContextTimeoutEnabled)
				}
				if strings.Contains(tc.url, "secret") && (o.Username != "user" || o.Password != "secret") {
					t.Error("not the user and password of the URL")
				}
				if tc.timeout != 0 && o.ReadTimeout != tc.timeout {
					t.Errorf("ReadTimeout %v, want %v", o.ReadTimeout, tc.timeout)
				}
			default:
				t.Errorf("got a %T", client)
			}
		})
	}
}

func TestClientFromEnvWithoutURL(t *testing.T) {
	for _, environ := range [][]string{nil, {"X_REDIS_URL="}, {"REDIS_URL=redis://host"}} {
		if client, err := lock.ClientFromEnv("X_", environ); client != nil || err != nil {
			t.Errorf("%q: got %v, %v, want neither", environ, client, err)
		}
	}
}

func TestClientFromEnvBehindSentinel(t *testing.T) {
	for _, url := range []string{
		"redis+sentinel://user:secret@s1,s2:26380/name/2?sentinel_password=other&read_timeout=7s",
		"rediss+sentinel://user:secret@s1,s2:26380/name/2?sentinel_password=other&read_timeout=7s",
	} {
		client, err := lock.ClientFromEnv("X_", []string{"X_REDIS_URL=" + url})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		c, ok := client.(*redis.Client)
		if !ok {
			t.Fatalf("got a %T", client)
		}
		if o := c.Options(); o.Addr != "FailoverClient" || o.Username != "user" || o.Password != "secret" || o.DB != 2 ||
			o.ReadTimeout != 7*time.Second || !o.ContextTimeoutEnabled || (o.TLSConfig != nil) != strings.HasPrefix(url, "rediss") {
			t.Errorf("%s: got a client of %q", url, o.Addr)
		}
	}
}

func TestClientFromEnvOnASocket(t *testing.T) {
	client, err := lock.ClientFromEnv("X_", []string{"X_REDIS_URL=unix://user:secret@/run/redis.sock?db=3"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if o := client.(*redis.Client).Options(); o.Network != "unix" || o.Addr != "/run/redis.sock" || o.DB != 3 || o.Password != "secret" || !o.ContextTimeoutEnabled {
		t.Errorf("got a client of %s %q", o.Network, o.Addr)
	}
}

// An error names the variable, what is wrong and what is accepted, and never repeats a password. What
// can be wrong is internal/redisurl's to list.
func TestClientFromEnvRefuses(t *testing.T) {
	for url, want := range map[string][]string{
		"s3cret": {`X_REDIS_URL: got "a URL without a scheme", want redis://`},
		"redis://user:s3cret@host?pool_size=many&no_such_option=1": {
			`X_REDIS_URL: got "option pool_size", want a whole number`, `X_REDIS_URL: got "an unknown option, no_such_option", want one of `},
		"redis://user:s3%zzcret@host": {`X_REDIS_URL: got "an unescaped % in the user or the password", want %2F for /`},
	} {
		client, err := lock.ClientFromEnv("X_", []string{"X_REDIS_URL=" + url})
		if e, ok := errors.AsType[*lock.ConfigError](err); client != nil || !ok || e.Name != "X_REDIS_URL" {
			t.Errorf("%s: got %v, %v, want a *ConfigError", url, client, err)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		for i, line := range lines {
			if len(lines) != len(want) || !strings.HasPrefix(line, want[i]) {
				t.Errorf("%s: got\n%s\nwant\n%s", url, err, strings.Join(want, "\n"))
			}
		}
		if strings.Contains(err.Error(), "cret") {
			t.Errorf("%s: %q gives the password away", url, err)
		}
	}
}
