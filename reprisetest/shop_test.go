package reprisetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/replay"
)

// A shop sells once per key, whatever Redis forgets, unless it has a flaw. All its processes share it,
// as they would a database.
type shop struct {
	flaw flaw

	mu      sync.Mutex
	charges int
	sold    map[string]sale // by key
}

type sale struct {
	number  int
	body    string
	attempt int
	fence   int64
}

// A flaw makes the shop charge again, or answer otherwise, under one condition.
type flaw struct {
	// again is asked when the key has been sold before.
	again func(before sale, attempt replay.Attempt, guarded bool) bool
	// instead answers in place of the shop's own handler, if it wants to.
	instead func(s *shop, w http.ResponseWriter, r *http.Request) bool
	// around is middleware outside of the adapter, of one process.
	around func(s *shop, guarded, bare http.Handler) http.Handler
	// anyBody sells what was sold before to a request of another body.
	anyBody bool
	config  replay.Config
	adapter httpadapter.Config
}

func (f flaw) subject() Subject {
	s := &shop{flaw: f, sold: map[string]sale{}}
	return Subject{
		Handler: s.serve,
		Request: func(key string) *http.Request { return order(key, `{"amount":1999}`) },
		Another: func(key string) *http.Request { return order(key, `{"amount":2999}`) },
		Effects: func(*testing.T) map[string]int {
			s.mu.Lock()
			defer s.mu.Unlock()
			return map[string]int{"charges": s.charges}
		},
		Config: f.config,
	}
}

func order(key, body string) *http.Request {
	r := httptest.NewRequest("POST", "/orders", strings.NewReader(body))
	r.Header.Set("Idempotency-Key", key)
	r.Header.Set("Content-Type", "application/json")
	return r
}

func (s *shop) serve(t *testing.T, engine *replay.Engine) http.Handler {
	cfg := s.flaw.adapter
	cfg.Scope = httpadapter.GlobalScope
	adapter, err := httpadapter.New(engine, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.start(t.Context(), engine); err != nil {
		t.Fatal(err)
	}
	bare := http.HandlerFunc(s.sell)
	if s.flaw.around != nil {
		return s.flaw.around(s, adapter.Handler(bare), bare)
	}
	return adapter.Handler(bare)
}

// start does what programs do at their start: they check Redis, and have work under keys of its own.
func (s *shop) start(ctx context.Context, engine *replay.Engine) error {
	if err := engine.Check(ctx); err != nil {
		return err
	}
	request := replay.Request{Key: rand.Text(), OnAbandoned: replay.RunAgain}
	_, _, err := replay.Do(ctx, engine, request, func(context.Context) (int, error) { return 0, nil })
	return err
}

func (s *shop) sell(w http.ResponseWriter, r *http.Request) {
	if s.flaw.instead != nil && s.flaw.instead(s, w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	number, ok := s.charge(r.Context(), r.Header.Get("Idempotency-Key"), string(body))
	if !ok {
		http.Error(w, "the key is another order's", http.StatusConflict) // which isn't stored
		return
	}
	w.Header().Set("Location", fmt.Sprint("/orders/", number))
	w.WriteHeader(http.StatusCreated)
}

// charge returns the sale's number, and charges unless the key has been sold before.
func (s *shop) charge(ctx context.Context, key, body string) (number int, ok bool) {
	attempt, guarded := replay.AttemptFrom(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	before, isSold := s.sold[key]
	switch {
	case isSold && before.body != body && !s.flaw.anyBody:
		return 0, false
	case isSold && (s.flaw.again == nil || !s.flaw.again(before, attempt, guarded)):
		return before.number, true
	}
	s.charges++
	s.sold[key] = sale{s.charges, body, attempt.Number, attempt.Fence}
	return s.charges, true
}
