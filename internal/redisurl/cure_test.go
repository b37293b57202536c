package redisurl_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/internal/redisurl"
)

func TestCure(t *testing.T) {
	for _, tt := range []struct {
		says string
		tls  bool
		want string
	}{
		{"WRONGPASS invalid username-password pair or user is disabled.", true, "refused"},
		{"NOAUTH Authentication required.", false, "refused"},
		{"ERR invalid password", false, "refused"},
		{"ERR AUTH <password> called without any password configured for the default user.", false, "refused"},
		{"tls: first record does not look like a TLS handshake", true, "speaks TLS"},
		{"dial tcp 127.0.0.1:1: connect: connection refused", false, "leads to it from here"},
	} {
		if got := redisurl.Cure(errors.New(tt.says), tt.tls); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %s, want %s", tt.says, got, tt.want)
		}
	}
}
