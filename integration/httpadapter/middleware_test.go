package httpadapter_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// What docs/middleware.md says of each middleware, on its right side and on its wrong one. The middlewares are as small as
// shows what those in use do.

type middleware = func(http.Handler) http.Handler

// recovers swallows panics and answers 500 if it still can, as chi's Recoverer, gin's and gorilla's do.
func recovers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				w.WriteHeader(500)
			} else if p != nil {
				panic(p)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// guards refuses what has no token with 400, as nosurf does.
func guards(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Csrf-Token") == "" {
			http.Error(w, "no token", 400)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allowsOrigin is CORS.
func allowsOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		next.ServeHTTP(w, r)
	})
}

// zips compresses for those who accept it.
func zips(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		next.ServeHTTP(zipped{w, z}, r)
	})
}

type zipped struct {
	http.ResponseWriter
	io.Writer
}

func (z zipped) Write(b []byte) (int, error) { return z.Writer.Write(b) }

// endsAfter sets a deadline and answers 504 past it, as chi's middleware.Timeout does.
func endsAfter(d time.Duration) middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), d)
			defer func() {
				cancel()
				if ctx.Err() == context.DeadlineExceeded {
					w.WriteHeader(504)
				}
			}()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

func outside(m middleware) setup { return setup{around: m} }

func inside(m middleware, h http.HandlerFunc) http.HandlerFunc { return m(h).ServeHTTP }

func TestRecovery(t *testing.T) {
	half := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "half an answer")
		panic("boom")
	}
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, inside(recovers, half))
		s.post("order").isFresh(t, 200, "half an answer")
		s.post("order").isReplay(t, 200, "half an answer") // the wrong side
		s = newSite(t, f, half, outside(recovers))
		s.post("order", key("k")).isFresh(t, 500, "")
		s.post("order", key("k")).isFresh(t, 500, "")
		s.ran(2)
	})
}

func TestCSRF(t *testing.T) {
	token := header("X-Csrf-Token", "t")
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, inside(guards, writes(201, "created")))
		s.post("order").isFresh(t, 400, "no token\n")
		s.post("order", token).isReplay(t, 400, "no token\n") // the key is burnt
		s = newSite(t, f, writes(201, "created"), outside(guards))
		if a := s.post("order", key("k")); a.status != 400 {
			t.Error(a.text())
		}
		s.post("order", key("k"), token).isFresh(t, 201, "created")
	})
}

func TestCORS(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		for name, tc := range map[string]struct {
			s    *site
			want string
		}{
			"inside":  {newSite(t, f, inside(allowsOrigin, writes(201, "created"))), ""}, // the browser keeps the replay from the page
			"outside": {newSite(t, f, writes(201, "created"), outside(allowsOrigin)), "https://b.test"},
		} {
			tc.s.post("order", key(name), header("Origin", "https://a.test"))
			a := tc.s.post("order", key(name), header("Origin", "https://b.test"))
			if got := a.header.Get("Access-Control-Allow-Origin"); a.header.Get(replayed) != "true" || got != tc.want {
				t.Errorf("%s: allows %q, want %q", name, got, tc.want)
			}
		}
	})
}

func TestCompression(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		for name, tc := range map[string]struct {
			s    *site
			want string
		}{
			"inside":  {newSite(t, f, inside(zips, writes(201, "created"))), "gzip"}, // to one who can't read it
			"outside": {newSite(t, f, writes(201, "created"), outside(zips)), ""},
		} {
			tc.s.post("order", key(name), header("Accept-Encoding", "gzip"))
			a := tc.s.post("order", key(name), header("Accept-Encoding", "identity"))
			if got := a.header.Get("Content-Encoding"); a.header.Get(replayed) != "true" || got != tc.want || (a.body == "created") != (tc.want == "") {
				t.Errorf("%s: encoded %q, want %q", name, got, tc.want)
			}
		}
	})
}

// Outside, http.TimeoutHandler sends the client away; the work goes on, and a retry has its answer. Inside, it gives the
// handler up while that still runs, and the next attempt runs beside it.
func TestTimeoutHandlerOnEitherSide(t *testing.T) {
	limit := func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Second, "too late") }
	var running, overlaps atomic.Int32
	slow := func(w http.ResponseWriter, r *http.Request) {
		if running.Add(1) > 1 {
			overlaps.Add(1)
		}
		time.Sleep(10 * time.Second)
		running.Add(-1)
		writes(201, "created")(w, r)
	}
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, slow, outside(limit))
		s.post("order").isFresh(t, 503, "too late")
		s.post("order").isProblem(t, 409, "in-progress", "1")
		time.Sleep(10 * time.Second)
		s.post("order").isReplay(t, 201, "created")
		if s.ran(1); overlaps.Load() != 0 {
			t.Error("two at once")
		}
		s = newSite(t, f, inside(limit, slow))
		for range 2 {
			s.post("order", key("k")).isFresh(t, 503, "too late")
		}
		if e := s.last(); e.Attempt != 2 || overlaps.Load() != 1 {
			t.Errorf("attempt %d, %d overlaps", e.Attempt, overlaps.Load())
		}
		time.Sleep(20 * time.Second)
	})
}

// A deadline on the context reaches the handler from inside only: from outside, it is the caller's, and the work outlives
// its caller unless the engine's OnHangup is StopWithCaller.
func TestDeadlineOnEitherSide(t *testing.T) {
	work := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
			writes(201, "created")(w, r)
		}
	}
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, inside(endsAfter(time.Second), work))
		if a := s.post("order"); a.status != 504 || a.took != time.Second {
			t.Errorf("inside: %s after %v", a.text(), a.took)
		}
		s.post("order")
		if e := s.last(); e.Attempt != 2 {
			t.Errorf("event %+v", e)
		}
		s = newSite(t, f, work, outside(endsAfter(time.Second)))
		if a := s.post("order", key("k")); a.status != 201 || a.took != time.Minute {
			t.Errorf("outside: %s after %v", a.text(), a.took)
		}
		s = newSite(t, f, work, outside(endsAfter(time.Second)), setup{replay: func(c *replay.Config) { c.OnHangup = replay.StopWithCaller }})
		if a := s.post("order", key("l")); a.took != time.Second {
			t.Errorf("outside, stopping: %s after %v", a.text(), a.took)
		}
	})
}

// A limit inside spares duplicates, which never reach it, and releases the key of those it turns away.
func TestRateLimitInside(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		status := 429
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) { writes(status, "slow down")(w, r) })
		s.post("order").isFresh(t, 429, "slow down")
		status = 201
		s.post("order").isFresh(t, 201, "slow down")
		if e := s.last(); e.Attempt != 1 {
			t.Errorf("event %+v", e)
		}
	})
}

// A limit on the body inside has its 413 stored, like any other final 4xx.
func TestBodyLimitInside(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, inside(func(h http.Handler) http.Handler { return http.MaxBytesHandler(h, 3) }, func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				w.WriteHeader(413)
			}
		}))
		s.post("order").isFresh(t, 413, "")
		s.post("order").isReplay(t, 413, "")
	})
}

// A write timeout that is shorter than the work breaks the connection off; the answer is stored, and waits for the retry.
func TestWriteTimeoutShorterThanTheWork(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(10 * time.Second)
			writes(201, "created")(w, r)
		}, outside(func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Second)) // as Server.WriteTimeout does
				h.ServeHTTP(w, r)
			})
		}))
		s.post("order").isBroken(t)
		s.post("order").isReplay(t, 201, "created")
		s.ran(1)
	})
}

// A replay says of caching what the handler said of its answer.
func TestCacheControlIsReplayed(t *testing.T) {
	fresh := twice(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		writes(201, "created")(w, r)
	})
	if fresh.header.Get("Cache-Control") != "public, max-age=60" {
		t.Error(fresh.text())
	}
}

// A reverse proxy as the handler: the key stays here, attempt and fence go on; what comes of known length is held back
// until it is stored, what comes in chunks is flushed through; an answer that breaks off is none.
func TestReverseProxy(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		upstream := func(r *http.Request) (*http.Response, error) {
			if r.Header["Idempotency-Key"] != nil || r.Header.Get("X-Fence") == "" {
				t.Errorf("upstream gets %v", r.Header)
			}
			status, text, length := 201, "attempt "+r.Header.Get("X-Attempt"), int64(-1)
			body := io.Reader(strings.NewReader(text))
			switch r.URL.Query().Get("do") {
			case "refuse":
				return nil, errors.New("connection refused")
			case "break":
				body = io.MultiReader(body, errReader{})
			case "length":
				length = int64(len(text))
			}
			return &http.Response{StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"text/plain"}},
				Body: io.NopCloser(body), ContentLength: length, Request: r}, nil
		}
		proxy := &httputil.ReverseProxy{
			Transport: tripper(upstream),
			ErrorLog:  log.New(io.Discard, "", 0),
			Rewrite: func(pr *httputil.ProxyRequest) {
				pr.SetURL(&url.URL{Scheme: "http", Host: "upstream.test"})
				pr.Out.Header.Del("Idempotency-Key")
				if a, ok := replay.AttemptFrom(pr.In.Context()); ok {
					pr.Out.Header.Set("X-Attempt", fmt.Sprint(a.Number))
					pr.Out.Header.Set("X-Fence", fmt.Sprint(a.Fence))
				}
			},
		}
		s := newSite(t, f, proxy.ServeHTTP, setup{http: func(c *httpadapter.Config) {
			c.Stores = httpadapter.StoreFinal
		}})
		do := func(what string) func(*http.Request) {
			return func(r *http.Request) { r.URL.RawQuery = "do=" + what; key(what)(r) }
		}
		for _, what := range []string{"length", "chunks"} {
			s.post("order", do(what)).isFresh(t, 201, "attempt 1")
			synctest.Wait()
			s.post("order", do(what)).isReplay(t, 201, "attempt 1")
		}
		s.post("order", do("refuse")).isFresh(t, 502, "")
		s.post("order", do("break")).isBroken(t)
		s.post("order", do("break")).isBroken(t)
		if e := s.last(); e.Attempt != 2 {
			t.Errorf("event %+v", e)
		}
	})
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A proxy that forwards the key has net/http send a POST without a body twice when a reused connection breaks: so it is dropped.
func TestReverseProxyThatForwardsTheKey(t *testing.T) {
	for forwards, want := range map[bool]int{true: 2, false: 1} {
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			var orders atomic.Int32
			l := bubble.NewPipes()
			upstream := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "POST" && orders.Add(1) == 1 {
					panic(http.ErrAbortHandler) // it has been done, and the connection breaks
				}
			})}
			go func() { _ = upstream.Serve(l) }()
			transport := &http.Transport{DialContext: l.Dial}
			defer upstream.Close()
			defer transport.CloseIdleConnections()
			proxy := &httputil.ReverseProxy{Transport: transport, ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(pr *httputil.ProxyRequest) {
				pr.SetURL(&url.URL{Scheme: "http", Host: "upstream.test"})
				if !forwards {
					pr.Out.Header.Del("Idempotency-Key")
				}
			}}
			s := newSite(t, f, proxy.ServeHTTP)
			s.post("", method("GET")) // leaves a connection to be used again
			synctest.Wait()
			s.post("")
			if got := int(orders.Load()); got != want {
				t.Errorf("forwards the key %v: the upstream did it %d times, want %d", forwards, got, want)
			}
		})
	}
}
