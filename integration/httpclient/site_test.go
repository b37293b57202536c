package httpclient_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// A site is what a client calls: an effect behind an adapter, behind a network that can fail.
type site struct {
	fault func(r *http.Request, arrival int) fault // of each arrival of a request, from 1
	base  *http.Transport                          // reaches it

	mu       sync.Mutex
	arrivals map[string]int
	effects  map[string][]string // by key: the answers, of which there should be one
}

// newSite serves the effect on machines of f, which take connections in turn.
func newSite(t *testing.T, f *bubble.Fleet, machines int) *site {
	t.Helper()
	s := &site{arrivals: map[string]int{}, effects: map[string][]string{}, fault: func(*http.Request, int) fault { return none }}
	network := bubble.NewPipes()
	for range machines {
		server := &http.Server{Handler: s.handler(t, f.Machine().Client), ErrorLog: quiet}
		go func() { _ = server.Serve(network) }()
		t.Cleanup(func() { _ = server.Close() })
	}
	s.base = &http.Transport{DialContext: network.Dial, DisableCompression: true, MaxIdleConnsPerHost: 100}
	t.Cleanup(s.base.CloseIdleConnections)
	return s
}

var quiet = log.New(io.Discard, "", 0) // what fails here fails on purpose

func (s *site) handler(t *testing.T, client redis.UniversalClient) http.Handler {
	t.Helper()
	// Longer than any call, and no longer: miniredis looks at all its keys for every command.
	engine, err := replay.New(client, replay.Config{Retention: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	adapter, err := httpadapter.New(engine, httpadapter.Config{Scope: httpadapter.GlobalScope, RequireKey: true})
	if err != nil {
		t.Fatal(err)
	}
	return s.unreliable(adapter.Handler(http.HandlerFunc(s.effect)))
}

// effect is what must happen once: it keeps no book of keys that it has seen, but for the test's.
func (s *site) effect(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	key := r.Header.Get("Idempotency-Key")
	s.mu.Lock()
	answer := fmt.Sprintf(`{"key":%q,"body":%q,"effect":%d}`, key, body, len(s.effects[key])+1)
	s.effects[key] = append(s.effects[key], answer)
	s.mu.Unlock()
	if d, err := time.ParseDuration(r.Header.Get("X-Slow")); err == nil {
		time.Sleep(d)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer)
}

// A fault befalls one arrival of a request at the server.
type fault int

const (
	none       fault = iota
	dropBefore       // the connection breaks before the adapter sees the request
	dropAfter        // the effect has happened, and the answer is lost with the connection
	half             // the connection breaks within the answer
	hangBefore       // nothing happens, and nothing is said
	hangAfter        // the effect has happened, and nothing is said
	gateBefore       // a gateway answers 502 in front of the adapter
	gateAfter        // it has passed the request on, and answers 504
	overload         // 503 with Retry-After
	limited          // 429
	manyFaults       // how many there are
)

func (s *site) unreliable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("Idempotency-Key") + " " + r.Header.Get("X-Caller")
		s.mu.Lock()
		s.arrivals[id]++
		n := s.arrivals[id]
		s.mu.Unlock()
		f := s.fault(r, n)
		unheard := httptest.NewRecorder()
		switch f {
		case dropAfter, half, hangAfter, gateAfter:
			next.ServeHTTP(unheard, r)
		}
		switch f {
		case dropBefore, dropAfter:
			panic(http.ErrAbortHandler)
		case half:
			for name, values := range unheard.Header() {
				w.Header()[name] = values
			}
			w.Header().Set("Content-Length", strconv.Itoa(unheard.Body.Len()))
			w.WriteHeader(unheard.Code)
			_, _ = w.Write(unheard.Body.Bytes()[:unheard.Body.Len()/2])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case hangBefore, hangAfter:
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice a client that leaves
			<-r.Context().Done()
		case gateBefore:
			http.Error(w, "bad gateway", http.StatusBadGateway)
		case gateAfter:
			http.Error(w, "gateway timeout", http.StatusGatewayTimeout)
		case overload:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "overload", http.StatusServiceUnavailable)
		case limited:
			http.Error(w, "slow down", http.StatusTooManyRequests)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// did returns the answers of a key's effects, in their order.
func (s *site) did(key string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.effects[key]
}

func order(ctx context.Context, body string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, "POST", "http://api.test/orders", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	return r
}
