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

// An error names the variable and what is accepted, and never repeats a part of the URL.
func TestClientFromEnvRefuses(t *testing.T) {
	for _, url := range []string{
		"s3cret", "host-s3cret:6379", "http://user:s3cret@host", "redis://user:s3cret@host:port",
		"redis://user:s3cret@host/notadb", "redis://user:s3%zzcret@host", "redis://user:s3cret@host?dial_timeout=soon",
		"redis://user:s3cret@host?no_such_option=1", "redis://user:s3cret@host?addr=", "redis://user:s3cret@a?cluster=yes",
		"redis://user:s3cret@a,", "redis://user:s3cret@a,b:2", "redis://a,redis://user:s3cret@b:port",
		"redis://user:s3,cret@a", "rediss://user:s3cret@a,redis://b", "redis://user:s3cret@a,rediss://b",
		"redis://user:s3cret@a\n", "redis://user:s3cret@a?addr=b&addr=c&db=x",
	} {
		client, err := lock.ClientFromEnv("X_", []string{"X_REDIS_URL=" + url})
		e, ok := errors.AsType[*lock.ConfigError](err)
		if client != nil || !ok {
			t.Errorf("%s: got %v, %v, want a *ConfigError", url, client, err)
			continue
		}
		if e.Name != "X_REDIS_URL" || e.Value != "" || !strings.Contains(e.Want, "redis://") {
			t.Errorf("%s: %+v", url, e)
		}
		for _, part := range []string{"s3", "cret", "user:s", "zz"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q gives %q away", url, err, part)
			}
		}
	}
}
