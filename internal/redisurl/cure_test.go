package redisurl_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/internal/redisurl"
)

func TestCure(t *testing.T) {
	secret := &tls.Config{}
	plain, cluster := redis.NewClient(&redis.Options{}), redis.NewClusterClient(&redis.ClusterOptions{TLSConfig: secret})
	private := redis.NewClient(&redis.Options{TLSConfig: secret})
	for _, c := range []redis.UniversalClient{plain, cluster, private} {
		defer c.Close()
	}
	for _, tt := range []struct {
		says   string
		client redis.UniversalClient
		want   string
	}{
		{"WRONGPASS invalid username-password pair or user is disabled.", private, "refused"},
		{"NOAUTH Authentication required.", plain, "refused"},
		{"ERR invalid password", plain, "refused"},
		{"ERR AUTH <password> called without any password configured for the default user.", plain, "refused"},
		{"tls: first record does not look like a TLS handshake", private, "speaks TLS"},
		{"tls: first record does not look like a TLS handshake", cluster, "speaks TLS"},
		{"dial tcp 127.0.0.1:1: connect: connection refused", plain, "leads to it from here"},
	} {
		if got := redisurl.Cure(tt.client, errors.New(tt.says)); !strings.Contains(got, tt.want) || strings.Contains(got, "TLS") && tt.client == plain {
			t.Errorf("%s: got %s, want %s", tt.says, got, tt.want)
		}
	}
}
