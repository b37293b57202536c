package httpadapter

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/replay"
)

// These tests know no Redis: those of the adapter with one are in the module integration.

func init() { redis.SetLogger(quiet{}) } // what fails here fails on purpose

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// away is a Redis that refuses connections, so that handlers run without a claim.
func away(t testing.TB, cfg replay.Config) *replay.Engine {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
		Dialer: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED },
	})
	t.Cleanup(func() { client.Close() })
	if cfg.OnStoreDown == "" {
		cfg.OnStoreDown = replay.RunUnguarded
	}
	engine, err := replay.New(client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

func newAdapter(t testing.TB, cfg Config) *Adapter {
	t.Helper()
	if cfg.Scope == nil {
		cfg.Scope = GlobalScope
	}
	a, err := New(away(t, replay.Config{}), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// serve sends one request with a key through an adapter.
func serve(a *Adapter, h http.HandlerFunc, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/orders", strings.NewReader("order"))
	r.Header.Set("Idempotency-Key", "k")
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	a.Handler(h).ServeHTTP(w, r)
	return w
}

func TestNewDemandsAScope(t *testing.T) {
	a, err := New(away(t, replay.Config{}), Config{})
	if e, ok := errors.AsType[*ConfigError](err); a != nil || !ok || e.Name != "Scope" || !strings.HasPrefix(err.Error(), "httpadapter: ") {
		t.Errorf("got %v, %v", a, err)
	}
	for _, name := range []string{"ScopeHeader", "ScopeFunc", "GlobalScope"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}

func TestNewTellsAllFaults(t *testing.T) {
	_, err := New(nil, Config{RetryAfter: 1, Methods: []string{"GET"}})
	for _, name := range []string{"engine", "Scope", "RetryAfter", "Methods"} {
		if err == nil || !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}

func TestNewDemandsReconcile(t *testing.T) {
	engine := away(t, replay.Config{OnAbandoned: replay.AskReconcile})
	_, err := New(engine, Config{Scope: GlobalScope})
	if e, ok := errors.AsType[*ConfigError](err); !ok || e.Name != "Reconcile" {
		t.Errorf("got %v", err)
	}
	cfg := Config{Scope: GlobalScope, Reconcile: func(http.ResponseWriter, *http.Request) replay.Decision { return 0 }}
	if _, err := New(engine, cfg); err != nil {
		t.Error(err)
	}
}

func TestNewRefusesToKeepMarkers(t *testing.T) {
	for _, name := range []string{"Idempotency-Replayed", "idempotent-replayed", "Idempotency-Key", "idempotency-stored", "Teapot-Replayed"} {
		cfg := Config{Scope: GlobalScope, Dialect: marked{}, AllowHeaders: []string{name}}
		if _, err := New(away(t, replay.Config{}), cfg); err == nil {
			t.Errorf("%s may be allowed", name)
		}
	}
}

type marked struct{ dialect.Problem }

func (marked) Marker(string) (name, value string) { return "teapot-replayed", "true" }

// One adapter serves any number of routes at a time.
func TestAdapterIsConcurrent(t *testing.T) {
	a := newAdapter(t, Config{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			w := serve(a, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201) })
			if w.Code != 201 || w.Header().Get("Idempotency-Stored") != "false" {
				t.Errorf("got %d, %v", w.Code, w.Header())
			}
		})
	}
	wg.Wait()
}

// A request without a body is one with a body of none.
func TestRequestWithoutABody(t *testing.T) {
	for name, edit := range map[string]func(*http.Request){
		"nil":    func(r *http.Request) { r.Body, r.ContentLength = nil, 0 },
		"NoBody": func(r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 },
		"empty": func(r *http.Request) {
			r.Body, r.ContentLength = httptest.NewRequest("POST", "/", strings.NewReader("")).Body, 0
		},
		"unknown":  func(r *http.Request) { r.Body, r.ContentLength = http.NoBody, -1 },
		"nil of a": func(r *http.Request) { r.Body, r.ContentLength = nil, -1 },
	} {
		w := serve(newAdapter(t, Config{}), func(w http.ResponseWriter, r *http.Request) {
			if n, err := r.Body.Read(make([]byte, 1)); n != 0 || err == nil || r.ContentLength != 0 {
				t.Errorf("%s: read %d, %v of %d", name, n, err, r.ContentLength)
			}
			w.WriteHeader(204)
		}, edit)
		if w.Code != 204 {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
}

// The request that came in stays as it was, for the handlers around.
func TestRequestIsNotChanged(t *testing.T) {
	var outer *http.Request
	h := newAdapter(t, Config{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r == outer || r.URL.Path != "/orders" || r.Pattern != outer.Pattern {
			t.Errorf("the handler has %+v", r)
		}
	}))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		outer = r
		body, length := r.Body, r.ContentLength
		h.ServeHTTP(w, r)
		if r.Body != body || r.ContentLength != length || r.Context().Err() != nil {
			t.Error("it was changed")
		}
	})
	r := httptest.NewRequest("POST", "/orders", strings.NewReader("order"))
	r.Header.Set("Idempotency-Key", "k")
	mux.ServeHTTP(httptest.NewRecorder(), r)
	if outer == nil {
		t.Error("not routed")
	}
}

// Unexpected errors are logged, and their text reaches no client.
func TestUnknownOutcomeIsA500(t *testing.T) {
	x := &exchange{adapter: newAdapter(t, Config{}), r: httptest.NewRequest("POST", "/", nil)}
	w := httptest.NewRecorder()
	x.w = w
	x.fail(errors.New("inner workings"))
	if w.Code != 500 || strings.Contains(w.Body.String(), "inner") || w.Header().Get("Retry-After") != "" || w.Header().Get("X-Should-Retry") != "false" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
}
