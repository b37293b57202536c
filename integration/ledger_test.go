package integration

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/reprise-go/reprise/replay"
)

// A ledger is the payments API of a fleet's machines, and what it has done: outside Redis, so that
// it can't be wrong for the same reason. Each charge has a number of its own, which its answer
// carries, so that no two answers are equal unless one is the replay of the other.
type ledger struct {
	mu      sync.Mutex
	charges map[string][]charge // by idempotency key; the account where it isn't the usual one goes before it
	total   int
	gates   map[string]*gate
}

// A charge is one run of the handler.
type charge struct {
	number  int
	attempt int
	fence   int64
	body    string
}

func newLedger() *ledger {
	return &ledger{charges: map[string][]charge{}, gates: map[string]*gate{}}
}

// ServeHTTP charges first and answers afterwards.
func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	attempt, _ := replay.AttemptFrom(r.Context())
	c := charge{attempt: attempt.Number, fence: attempt.Fence, body: string(body)}
	key := r.Header.Get("Idempotency-Key")
	if who := r.Header.Get("X-Account"); who != account {
		key = who + "/" + key
	}

	l.mu.Lock()
	l.total++
	c.number = l.total
	l.charges[key] = append(l.charges[key], c)
	g := l.gates[key]
	l.mu.Unlock()

	if g != nil {
		g.pass(r)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Location", fmt.Sprintf("/payments/%d", c.number))
	if status := r.Header.Get("X-Answer"); status != "" {
		var code int
		fmt.Sscan(status, &code)
		w.WriteHeader(code)
	} else {
		w.WriteHeader(http.StatusCreated)
	}
	fmt.Fprintf(w, `{"charge":%d,"attempt":%d,"fence":%d}`, c.number, c.attempt, c.fence)
}

// of returns the charges under a key.
func (l *ledger) of(key string) []charge {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]charge(nil), l.charges[key]...)
}

// once fails the test unless the handler ran exactly once under each of the keys.
func (l *ledger) once(t *testing.T, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if charges := l.of(key); len(charges) != 1 {
			t.Errorf("the handler ran %d times under %s, want once: %+v", len(charges), key, charges)
		}
	}
}

// never fails the test if the handler ran under the key.
func (l *ledger) never(t *testing.T, key string) {
	t.Helper()
	if charges := l.of(key); len(charges) != 0 {
		t.Errorf("the handler ran under %s: %+v", key, charges)
	}
}

// A gate stops the handler of one key, after it has charged, until it is opened.
type gate struct {
	entered chan struct{} // gets one for each run that has come to the gate
	opened  chan struct{}
	open    func()

	// work, if not nil, is what the handler does at the gate instead of waiting for it to open.
	work func(*http.Request)
}

// gate puts a gate before the answers under key.
func (l *ledger) gate(t *testing.T, key string, work func(*http.Request)) *gate {
	g := &gate{entered: make(chan struct{}, 100), opened: make(chan struct{}), work: work}
	g.open = sync.OnceFunc(func() {
		l.mu.Lock()
		delete(l.gates, key)
		l.mu.Unlock()
		close(g.opened)
	})
	l.mu.Lock()
	l.gates[key] = g
	l.mu.Unlock()
	t.Cleanup(g.open)
	return g
}

func (g *gate) pass(r *http.Request) {
	g.entered <- struct{}{}
	if g.work != nil {
		g.work(r)
		return
	}
	<-g.opened
}
