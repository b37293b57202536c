package httpadapter_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// A handler behind the adapter answers as it does without, as the client sees it, and each replay is
// the same again. Handlers are programs, so that a fuzzer can write them.

// A step is one thing that a handler does; arg chooses among the ways to do it.
type step func(w http.ResponseWriter, arg byte) string

var (
	stepNames    = []string{"X-A", "X-B", "x-odd", "Content-Type", "Content-Encoding", "Vary", "X-Outer", "Set-Cookie", "X-T", "X-Content-Type-Options", "Content-Language"}
	stepValues   = []string{"1", "two", "", "text/plain", "identity", "a, b", "outer", "x\ny"}
	stepTrailers = []string{"1", "two", "", "a, b"} // a line break makes net/http hang in HTTP/2
	stepStatuses = []int{200, 201, 202, 204, 206, 301, 304, 400, 404, 409, 418, 429, 500, 503, 599, 299}
	stepBodies   = []string{"x", "", "<html><p>hi", `{"a":1}`, strings.Repeat("long ", 500), strings.Repeat("\x00\x01\x02", 11), strings.Repeat("very long ", 5000), "GIF89a..."}
)

func pick[T any](list []T, arg byte) T { return list[int(arg)%len(list)] }

var steps = []step{
	func(w http.ResponseWriter, a byte) string {
		w.Header().Set(pick(stepNames, a), pick(stepValues, a>>4))
		return ""
	},
	func(w http.ResponseWriter, a byte) string {
		w.Header().Add(pick(stepNames, a), pick(stepValues, a>>4))
		return ""
	},
	func(w http.ResponseWriter, a byte) string { w.Header().Del(pick(stepNames, a)); return "" },
	func(w http.ResponseWriter, a byte) string { w.Header()[pick(stepNames[:8], a)] = nil; return "" },
	func(w http.ResponseWriter, a byte) string { // not by Set: an old slice is changed
		if values := w.Header()[pick(stepNames, a)]; len(values) > 0 {
			values[0] = pick(stepValues, a>>4)
		}
		return ""
	},
	func(w http.ResponseWriter, a byte) string { w.WriteHeader(pick(stepStatuses, a)); return "" },
	func(w http.ResponseWriter, a byte) string { return wrote(w.Write([]byte(pick(stepBodies, a)))) },
	func(w http.ResponseWriter, a byte) string { return wrote(w.Write([]byte(pick(stepBodies, a)))) },
	func(w http.ResponseWriter, a byte) string { return wrote(io.WriteString(w, pick(stepBodies, a))) },
	func(w http.ResponseWriter, a byte) string {
		return wrote(io.Copy(w, strings.NewReader(pick(stepBodies, a))))
	},
	func(w http.ResponseWriter, a byte) string { return fmt.Sprint(http.NewResponseController(w).Flush()) },
	func(w http.ResponseWriter, a byte) string { w.WriteHeader(103); return "" },
	func(w http.ResponseWriter, a byte) string {
		w.Header().Set("Trailer", pick([]string{"X-T", "X-T, X-U", "x-u", ""}, a))
		return ""
	},
	func(w http.ResponseWriter, a byte) string {
		w.Header().Set(pick([]string{"X-T", "X-U"}, a), pick(stepTrailers, a>>4))
		return ""
	},
	func(w http.ResponseWriter, a byte) string {
		w.Header().Set(http.TrailerPrefix+pick([]string{"X-V", "X-W"}, a), pick(stepTrailers, a>>4))
		return ""
	},
	func(w http.ResponseWriter, a byte) string {
		w.Header().Set("Content-Length", pick([]string{"1", "5", "0", "2500", "abc", "-1", "7"}, a))
		return ""
	},
}

func wrote[N int | int64](n N, err error) string { return fmt.Sprint(n, err) }

// A stage has the same handler in two theatres: with the adapter and without.
type stage struct {
	http2 bool
	small bool          // most answers are too large to be kept
	done  chan struct{} // a request has been served

	with, without *httptest.Server

	mu   sync.Mutex
	said map[string][]string // what the steps returned, by the request's number
}

func newStage(t testing.TB, http2, small bool) *stage {
	m := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: m.Addr(), ContextTimeoutEnabled: true, DisableIdentity: true})
	engine, err := replay.New(client, replay.Config{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := httpadapter.Config{Scope: httpadapter.GlobalScope, Stores: httpadapter.StoreAll}
	if small {
		cfg.MaxResponse = 10
	}
	adapter, err := httpadapter.New(engine, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{http2: http2, small: small, done: make(chan struct{}, 1), said: map[string][]string{}}
	s.with, s.without = s.open(http2, adapter.Handler(s)), s.open(http2, s)
	t.Cleanup(func() {
		s.with.Close()
		s.without.Close()
		client.Close()
	})
	return s
}

func (s *stage) open(http2 bool, h http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Outer", "outer")
		w.Header().Set("Vary", "outer")
		defer func() { s.done <- struct{}{} }()
		h.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // superfluous calls
	server.EnableHTTP2 = http2
	if http2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	transport := server.Client().Transport.(*http.Transport)
	transport.DisableCompression = true
	transport.DisableKeepAlives = !http2 // no request may meet a connection that the last one has spoilt
	server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return server
}

// ServeHTTP performs the program that the request brings along.
func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	program, err := hex.DecodeString(r.Header.Get("X-Program"))
	if err != nil {
		panic(err)
	}
	var said []string
	for code := range slices.Chunk(program, 2) {
		// In HTTP/2, net/http sends what doesn't fit a Content-Length, and the client refuses it.
		if len(code) == 2 && !(s.http2 && int(code[0])%len(steps) == len(steps)-1) {
			said = append(said, pick(steps, code[0])(w, code[1]))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said[r.Header.Get("X-Number")] = said
}

func (s *stage) play(server *httptest.Server, program []byte, key, number string) answer {
	r, err := http.NewRequest("POST", server.URL, strings.NewReader(key))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Idempotency-Key", key)
	r.Header.Set("X-Program", hex.EncodeToString(program))
	r.Header.Set("X-Number", number)
	a := (&site{t: nil, client: server.Client(), log: &bubble.Logbook{}}).send(r)
	<-s.done
	// How an answer is framed is nobody's business, but that of HTTP.
	a.header.Del("Content-Length")
	a.header.Del("Transfer-Encoding")
	a.header.Del("Trailer")
	return a
}

// addTrailers forgives what only HTTP/1 drops: trailers that a handler did not announce before a flush,
// or that it set though there is a Content-Length. The adapter announces them, and has them chunked.
func (a *answer) addTrailers(b answer) {
	for name, values := range b.trailer {
		if _, ok := a.trailer[name]; !ok {
			if a.trailer == nil {
				a.trailer = http.Header{}
			}
			a.trailer[name] = values
		}
	}
}

// notReplayed are headers that the steps set and records leave out.
var notReplayed = []string{"Set-Cookie"}

func (s *stage) compare(t *testing.T, program []byte) {
	t.Helper()
	key := fmt.Sprintf("%x", program) + "."
	if len(key) > 200 {
		t.Skip()
	}
	key += fmt.Sprint(rand.Int64())
	without := s.play(s.without, program, key, "without")
	fresh := s.play(s.with, program, key, "fresh")
	said := s.said
	s.said = map[string][]string{}
	if (without.err == nil) != (fresh.err == nil) {
		t.Fatalf("%x: without %v, fresh %v", program, without.err, fresh.err)
	}
	// The recorder says what HTTP/1 says; HTTP/2 has its own words for the same.
	if !s.http2 && !slices.Equal(said["without"], said["fresh"]) {
		t.Errorf("%x: without %q\nfresh %q", program, said["without"], said["fresh"])
	}
	if fresh.err != nil {
		return // broken off: it is tried again
	}
	if fresh.status == 204 || fresh.status == 304 {
		without.trailer, fresh.trailer = nil, nil // in HTTP/2, net/http sends them without a body to follow
	}
	if s.small {
		fresh.header.Del("Idempotency-Stored")
	}
	without.addTrailers(fresh)
	if without.text() != fresh.text() || !slices.Equal(without.early, fresh.early) {
		t.Errorf("%x: without %d\n%.1500s\nfresh %d\n%.1500s", program, without.early, without.text(), fresh.early, fresh.text())
	}
	replayed := s.play(s.with, program, key, "replayed")
	if s.said["replayed"] != nil {
		t.Errorf("%x: ran again", program)
	}
	if s.small && replayed.status == 409 && strings.Contains(replayed.body, "replay-unavailable") {
		return
	}
	for _, name := range notReplayed {
		fresh.header.Del(name)
		fresh.trailer.Del(name)
	}
	if len(fresh.trailer) == 0 {
		fresh.trailer = nil
	}
	fresh.addTrailers(replayed)
	replayed.replays(t, fresh)
	if t.Failed() {
		t.Logf("program %x", program)
	}
}

func TestAdapterIsUnseen(t *testing.T) {
	for name, s := range map[string]*stage{
		"HTTP/1": newStage(t, false, false), "HTTP/2": newStage(t, true, false),
		"HTTP/1, over the cap": newStage(t, false, true), "HTTP/2, over the cap": newStage(t, true, true),
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			for range 150 {
				program := make([]byte, 2*random.IntN(8))
				for i := range program {
					program[i] = byte(random.Uint32())
				}
				if s.compare(t, program); t.Failed() {
					return
				}
			}
		})
	}
}

func FuzzAdapterIsUnseen(f *testing.F) {
	f.Add([]byte{})
	s := newStage(f, false, false)
	f.Fuzz(func(t *testing.T, program []byte) { s.compare(t, program) })
}
