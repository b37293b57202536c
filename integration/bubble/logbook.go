package bubble

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// A Logbook is a writer for a logger. It fails the test for a line that tells a secret: an idempotency
// key, say, or a scope. Its zero value knows no secrets.
type Logbook struct {
	t       *testing.T
	secrets []string

	mu   sync.Mutex
	text bytes.Buffer
}

// NewLogbook makes an empty Logbook.
func NewLogbook(t *testing.T, secrets ...string) *Logbook {
	return &Logbook{t: t, secrets: secrets}
}

// Write checks b and writes it down.
func (l *Logbook) Write(b []byte) (int, error) {
	l.Check("a log line", string(b))
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns all that was written.
func (l *Logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Check fails the test if text, which stands in what ("an answer"), tells a secret.
func (l *Logbook) Check(what, text string) {
	for _, secret := range l.secrets {
		if strings.Contains(text, secret) {
			l.t.Errorf("%s tells %q: %s", what, secret, text)
		}
	}
}

// CheckRedis fails the test if a key or a value in Redis tells a secret.
func (l *Logbook) CheckRedis(f *Fleet) {
	l.t.Helper()
	for key, value := range f.Values() {
		l.Check("Redis", fmt.Sprintf("%q: %q", key, value))
	}
}
