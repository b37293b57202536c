package routertest

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/examples/internal/embedded"
	"github.com/reprise-go/reprise/examples/internal/shop"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/replay"
)

// A site is a router that serves, over a Redis of its own.
type site struct {
	*testing.T
	shop  *shop.Shop
	redis *redis.Client
	url   string
	last  atomic.Pointer[http.Request] // as it came in, before any router
}

// serve starts a site. It ends when the test does.
func serve(t *testing.T, routes func(*shop.Shop) http.Handler) *site {
	t.Helper()
	engine, client := newEngine(t)
	shop, err := shop.New(engine)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, shop: shop, redis: client}
	router := routes(shop)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.last.Store(r)
		router.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func newEngine(t *testing.T) (*replay.Engine, *redis.Client) {
	t.Helper()
	redis := embedded.Start()
	t.Cleanup(redis.Close)
	client := redis.Client()
	t.Cleanup(func() { client.Close() })
	engine, err := replay.New(client, replay.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return engine, client
}

// Adapter makes an adapter over a Redis of its own, for what [Walk] and [Probe] leave to a router's
// own tests.
func Adapter(t *testing.T) *httpadapter.Adapter {
	t.Helper()
	engine, _ := newEngine(t)
	a, err := httpadapter.New(engine, httpadapter.Config{Scope: httpadapter.GlobalScope})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A reply is what a client gets.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // while the body was read
}

func (r reply) replayed() bool { return r.header.Get("Idempotency-Replayed") == "true" }

// same reports whether two replies are one answer, to the byte. What a server makes anew for each
// is left out, and so is how the body was framed: a stream has no length, and its replay has.
func (r reply) same(other reply) bool {
	plain := func(h http.Header) http.Header {
		h = maps.Clone(h)
		for _, name := range []string{"Date", "Content-Length", "Idempotency-Replayed"} {
			delete(h, name)
		}
		return h
	}
	return r.status == other.status && r.body == other.body && r.err == nil && other.err == nil &&
		maps.EqualFunc(plain(r.header), plain(other.header), slices.Equal)
}

// request makes one of ann's, with a key unless that is "". headers are names and values, and may
// name another caller.
func (s *site) request(method, path, key, body string, headers ...string) *http.Request {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer ann")
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (s *site) do(method, path, key, body string, headers ...string) reply {
	s.Helper()
	return s.send(s.request(method, path, key, body, headers...))
}

func (s *site) post(path, key, body string, headers ...string) reply {
	s.Helper()
	return s.do(http.MethodPost, path, key, body, headers...)
}

// send sends r over a connection of its own: over one that was used before, Go sends a request with
// a key again by itself.
func (s *site) send(r *http.Request) reply {
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(body), err}
}

// want fails the test unless got has the status, whole, and is a replay or not.
func (s *site) want(got reply, status int, replayed bool) {
	s.Helper()
	if got.err != nil || got.status != status || got.replayed() != replayed {
		s.Errorf("got %d %q, replayed %v (%v); want %d, replayed %v",
			got.status, got.body, got.replayed(), got.err, status, replayed)
	}
}
