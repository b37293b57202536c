package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// These tests use a real server, and net/http's own Transport as Base.

// newServer serves h, and counts its connections.
func newServer(t *testing.T, h http.HandlerFunc) (s *httptest.Server, conns *atomic.Int32) {
	t.Helper()
	conns = new(atomic.Int32)
	s = httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quietLog
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, conns
}

var quietLog = log.New(io.Discard, "", 0)

func newClient(t *testing.T, edit ...func(*Transport)) *http.Client {
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	tr := &Transport{Base: base, Backoff: time.Millisecond, MaxBackoff: time.Millisecond}
	for _, e := range edit {
		e(tr)
	}
	return &http.Client{Transport: tr}
}

// Answers that are discarded are read first, so that their connection can be used again.
func TestConnectionsAreReused(t *testing.T) {
	var n atomic.Int32
	s, conns := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) < 5 {
			w.WriteHeader(503)
			_, _ = io.WriteString(w, strings.Repeat("sorry ", 10_000))
			return
		}
		fmt.Fprint(w, "done")
	})
	resp, err := newClient(t).Post(s.URL, "text/plain", strings.NewReader("order"))
	if want(t, resp, err, 200, "done"); conns.Load() != 1 || n.Load() != 5 {
		t.Errorf("%d connections for %d tries", conns.Load(), n.Load())
	}
}

// Content-Length announces more bytes than arrive.
func TestHalfAnAnswer(t *testing.T) {
	var keys sync.Map
	s, _ := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if _, again := keys.LoadOrStore(r.Header.Get("Idempotency-Key"), true); again {
			fmt.Fprint(w, "all of it")
			return
		}
		w.Header().Set("Content-Length", "9")
		fmt.Fprint(w, "all")
	})
	resp, err := newClient(t).Post(s.URL, "text/plain", strings.NewReader("order"))
	if want(t, resp, err, 200, "all of it"); ReplyOf(resp).Tries != 2 {
		t.Errorf("%+v", ReplyOf(resp))
	}
}

// A client that follows a redirect is still making the same call.
func TestRedirectKeepsTheKey(t *testing.T) {
	var mu sync.Mutex
	keys := map[string]string{}
	s, _ := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		keys[r.URL.Path] = r.Header.Get("Idempotency-Key") + string(b)
		mu.Unlock()
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusPermanentRedirect)
		}
	})
	resp, err := newClient(t).Post(s.URL+"/old", "text/plain", strings.NewReader("order"))
	want(t, resp, err, 200, "")
	if k := keys["/old"]; k == "order" || keys["/new"] != k || ReplyOf(resp).Key+"order" != k {
		t.Errorf("got %q, and told %q", keys, ReplyOf(resp).Key)
	}
}

// An http.Client with a Timeout wraps the body, and ends the context when the body is closed.
func TestReplyThroughAClientWithTimeout(t *testing.T) {
	s, _ := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Idempotency-Replayed", "true")
		fmt.Fprint(w, "done")
	})
	client := newClient(t)
	client.Timeout = time.Minute
	resp, err := client.Post(s.URL, "text/plain", strings.NewReader("order"))
	want(t, resp, err, 200, "done")
	if r := ReplyOf(resp); !r.Replayed || r.Tries != 1 || r.Key == "" {
		t.Errorf("%+v", r)
	}
}

func TestNobodyListens(t *testing.T) {
	s, _ := newServer(t, nil)
	s.Close()
	_, err := newClient(t, func(tr *Transport) { tr.MaxTries = 3 }).Post(s.URL, "text/plain", strings.NewReader("order"))
	if e, ok := errors.AsType[*CallError](err); !ok || e.Tries != 3 || e.Outcome != 0 || errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("got %v, want that nothing was done", err)
	}
}

// net/http loses the request with a reused connection, dials again by itself, and is refused. It
// returns a dial error, although the server has the request.
func TestLostAndThenRefused(t *testing.T) {
	var s *httptest.Server
	s, _ = newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/warm" {
			return
		}
		_ = s.Listener.Close()
		panic(http.ErrAbortHandler)
	})
	var seen []TryInfo
	client := newClient(t, func(tr *Transport) {
		tr.MaxTries = 1
		tr.Trace = &Trace{Try: func(_ context.Context, i TryInfo) { seen = append(seen, i) }}
	})
	resp, err := client.Post(s.URL+"/warm", "text/plain", strings.NewReader("order"))
	want(t, resp, err, 200, "")
	_, err = client.Post(s.URL, "text/plain", strings.NewReader("order"))
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "dial" || !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("got %v, want a dial error and that the outcome is unknown", err)
	}
	if len(seen) != 2 || seen[1].Connections != 1 {
		t.Errorf("told of %+v", seen)
	}
}

func TestWrongCertificate(t *testing.T) {
	var ran atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran.Add(1) }))
	s.Config.ErrorLog = quietLog
	s.StartTLS()
	defer s.Close()
	_, err := newClient(t).Post(s.URL, "text/plain", strings.NewReader("order"))
	if e, ok := errors.AsType[*CallError](err); !ok || e.Tries != 1 || errors.Is(err, ErrOutcomeUnknown) || ran.Load() != 0 {
		t.Errorf("got %v", err)
	}
}

func TestHTTP2(t *testing.T) {
	var n atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, r.Proto)
	}))
	s.Config.ErrorLog = quietLog
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	client := newClient(t, func(tr *Transport) { tr.Base = s.Client().Transport })
	resp, err := client.Post(s.URL, "text/plain", strings.NewReader("order"))
	if want(t, resp, err, 200, "HTTP/2.0"); n.Load() != 2 {
		t.Errorf("%d arrivals", n.Load())
	}
}

// http.Client calls CloseIdleConnections of its transport, by an interface that has no name.
func TestCloseIdleConnections(t *testing.T) {
	s, conns := newServer(t, func(http.ResponseWriter, *http.Request) {})
	client := newClient(t)
	for range 2 {
		resp, err := client.Post(s.URL, "text/plain", strings.NewReader("order"))
		want(t, resp, err, 200, "")
		client.CloseIdleConnections()
	}
	if conns.Load() != 2 {
		t.Errorf("%d connections, want one for each request", conns.Load())
	}
	(&http.Client{Transport: &Transport{Base: roundTrip(nil)}}).CloseIdleConnections() // a Base that can't
}
