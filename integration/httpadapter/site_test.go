package httpadapter_test

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// What the tests of package httpadapter share.

const (
	rawKey   = "order-4711-must-not-be-told"
	rawScope = "tenant-must-not-be-told"

	leaseTime = 15 * time.Second // lock's default
	day       = 24 * time.Hour   // replay's default retention
)

var bg = context.Background()

// A site is a machine of the fleet that serves HTTP, through an adapter of its own.
type site struct {
	*bubble.Machine
	t       *testing.T
	client  *http.Client
	server  *http.Server
	engine  *replay.Engine
	adapter *httpadapter.Adapter
	log     *bubble.Logbook
	runs    atomic.Int32

	mu     sync.Mutex
	events []replay.Event
}

// A setup is what a test wants to be otherwise than by default.
type setup struct {
	replay func(*replay.Config)
	http   func(*httpadapter.Config)
	around func(http.Handler) http.Handler // outside the adapter
	http2  bool                            // in clear text
}

// Settings of the engine that several tests need.

func ackedByOne(c *replay.Config) { c.Lock.Acks = 1 }
func shadow(c *replay.Config)     { c.Shadow = true }
func unguarded(c *replay.Config)  { c.OnStoreDown = replay.RunUnguarded }
func withhold(c *replay.Config)   { c.OnCommitDown = replay.WithholdUnstored }

func waiting(d time.Duration) func(*replay.Config) {
	return func(c *replay.Config) { c.Wait = d }
}

func onAbandoned(p replay.AbandonedPolicy) func(*replay.Config) {
	return func(c *replay.Config) { c.OnAbandoned = p }
}

// newSite serves handler at every path. Its scope is the header X-Account.
func newSite(t *testing.T, f *bubble.Fleet, handler http.HandlerFunc, setups ...setup) *site {
	t.Helper()
	s := &site{Machine: f.Machine(), t: t, log: bubble.NewLogbook(t, rawKey, rawScope)}
	logger := slog.New(slog.NewTextHandler(s.log, nil))
	rc := replay.Config{Logger: logger, Trace: &replay.Trace{Finished: s.note}}
	hc := httpadapter.Config{Logger: logger, Scope: httpadapter.ScopeHeader("X-Account")}
	around := func(h http.Handler) http.Handler { return h }
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	for _, u := range setups {
		if u.replay != nil {
			u.replay(&rc)
		}
		if u.http != nil {
			u.http(&hc)
		}
		if u.around != nil {
			around = u.around
		}
		if u.http2 {
			protocols.SetHTTP1(false)
			protocols.SetUnencryptedHTTP2(true)
		}
	}
	var err error
	if s.engine, err = replay.New(s.Client, rc); err != nil {
		t.Fatal(err)
	}
	if s.adapter, err = httpadapter.New(s.engine, hc); err != nil {
		t.Fatal(err)
	}
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.runs.Add(1)
		handler(w, r)
	})
	s.serve(around(s.adapter.Handler(counted)), &protocols)
	return s
}

func (s *site) note(_ context.Context, e replay.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// last returns the event of the last request that the engine was asked about.
func (s *site) last() replay.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) == 0 {
		s.t.Error("no event")
		return replay.Event{}
	}
	return s.events[len(s.events)-1]
}

// serve runs a server on connections in memory, and gives the site a client for it.
func (s *site) serve(h http.Handler, protocols *http.Protocols) {
	l := bubble.NewPipes()
	server := &http.Server{Handler: h, ErrorLog: log.New(s.log, "", 0), Protocols: protocols}
	s.server = server
	go func() { _ = server.Serve(l) }()
	transport := &http.Transport{
		DialContext: l.Dial,
		// On a connection that was used before, the transport would send a request with a key again
		// by itself.
		DisableKeepAlives:  true,
		DisableCompression: true,
		Protocols:          protocols,
	}
	s.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	s.t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
	})
}

// post sends a request with the key of most tests; edit may change it.
func (s *site) post(body string, edit ...func(*http.Request)) answer {
	s.t.Helper()
	return s.send(s.request(bg, body, edit...))
}

func (s *site) request(ctx context.Context, body string, edit ...func(*http.Request)) *http.Request {
	r, err := http.NewRequestWithContext(ctx, "POST", "http://api.test/orders?b=2&a=1", strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
	}
	r.Header.Set("X-Account", rawScope)
	r.Header.Set("Idempotency-Key", rawKey)
	r.Header.Set("Content-Type", "application/json")
	for _, e := range edit {
		e(r)
	}
	return r
}

func (s *site) send(r *http.Request) (a answer) {
	begun := time.Now()
	defer func() { a.took = time.Since(begun) }()
	resp, err := s.client.Do(r.WithContext(withEarly(r.Context(), &a.early)))
	if err != nil {
		a.err = err
		return a
	}
	defer resp.Body.Close()
	a.status, a.header = resp.StatusCode, resp.Header
	a.header.Del("Date")
	a.header.Del("Connection")
	body, err := io.ReadAll(resp.Body)
	a.body, a.err = string(body), err
	for name, values := range resp.Trailer {
		if len(values) > 0 { // announced and sent
			if a.trailer == nil {
				a.trailer = http.Header{}
			}
			a.trailer[name] = values
		}
	}
	s.log.Check("an answer", a.text())
	return a
}

// start is post, going on while the test does other things.
func (s *site) start(ctx context.Context, body string, edit ...func(*http.Request)) func() answer {
	c := make(chan answer, 1)
	r := s.request(ctx, body, edit...)
	go func() { c <- s.send(r) }()
	return sync.OnceValue(func() answer { return <-c })
}

func (s *site) ran(want int32) {
	s.t.Helper()
	if n := s.runs.Load(); n != want {
		s.t.Errorf("the handler ran %d times, want %d", n, want)
	}
}

// Requests that differ from that of most tests.

func header(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[textproto.CanonicalMIMEHeaderKey(name)] = values }
}

func key(k string) func(*http.Request)    { return header("Idempotency-Key", k) }
func method(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }
func withoutKey(r *http.Request)          { r.Header.Del("Idempotency-Key") }

func writes(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hold runs a handler until end is called: w answers then. start must be called first.
type hold struct {
	begun, gate chan struct{}
}

func newHold() *hold { return &hold{make(chan struct{}), make(chan struct{})} }

func (h *hold) then(w http.HandlerFunc) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		close(h.begun)
		<-h.gate
		w(rw, r)
	}
}
