package routertest

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/reprise-go/reprise/examples/internal/shop"
	"github.com/reprise-go/reprise/httpadapter"
)

// A Stage is what the handlers of a probe share with the test: how often they ran, and when a run
// may go on.
type Stage struct {
	runs atomic.Int64
	cues [8]chan bool // by run; closed to let it go on
}

// Begin counts a run. Every probe calls it first.
func (s *Stage) Begin() (run int64) { return s.runs.Add(1) - 1 }

// Wait holds a run until the test has seen what was sent so far.
func (s *Stage) Wait(run int64) { <-s.cues[run] }

// A Mount puts the probes on a router: POST /plain/NAME for the handler as it is, POST /keyed/NAME
// for the same under adapter, by the bridge that the program has. GET and HEAD /keyed/NAME go
// through the bridge too.
//
//	nothing       neither status nor body
//	status        202, set and no more
//	no-content    204
//	headers       200, with Vary: A, Vary: B and X-Probe: 1, Content-Type text/csv, and the body "1,2\n"
//	late          201 with a body, and after that a header and another status, which come too late
//	error         the framework's way to fail with 418 and a message
//	failure       the same with 503
//	outer         200 with a text of what the handler finds in the router's context: the value of the route's {name},
//	              and what an outer middleware has put there, "outer"
//	stream        "data: 1", flushed; after Stage.Wait "data: 2", flushed, and "data: 3"; as text/event-stream
//	short         Content-Length: 10, and 3 bytes
type Mount func(adapter *httpadapter.Adapter, stage *Stage) http.Handler

// A Case is a probe, and what the handler alone answers.
type Case struct {
	Name   string
	Status int
	Body   string // "" for whatever the framework says
	Stored bool   // by the adapter
}

// Probe tests the special cases of a bridge. The answer to a first request must be that of the
// handler alone, and a retry must get the same answer.
//
// The more cases are those of probes that only one router has.
func Probe(t *testing.T, mount Mount, more ...Case) {
	for _, tt := range append(more, []Case{
		{"nothing", http.StatusOK, "", true},
		{"status", http.StatusAccepted, "", true},
		{"no-content", http.StatusNoContent, "", true},
		{"headers", http.StatusOK, "1,2\n", true},
		{"late", http.StatusCreated, "in time", true},
		{"error", http.StatusTeapot, "", true},
		{"failure", http.StatusServiceUnavailable, "", false},
		{"outer", http.StatusOK, "outer outer", true},
		{"stream", http.StatusOK, events, true},
	}...) {
		t.Run(tt.Name, func(t *testing.T) {
			s, stage := open(t, mount)
			for _, cue := range stage.cues {
				close(cue)
			}
			plain := s.post("/plain/"+tt.Name, "", order)
			s.want(plain, tt.Status, false)
			if tt.Body != "" && plain.body != tt.Body {
				t.Errorf("the probe itself: got %q, want %q", plain.body, tt.Body)
			}
			first := s.post("/keyed/"+tt.Name, "k", order)
			if !first.same(plain) || first.replayed() {
				t.Errorf("first: got %+v, want as from the handler alone, %+v", first, plain)
			}
			again := s.post("/keyed/"+tt.Name, "k", order)
			if !again.same(plain) || again.replayed() != tt.Stored {
				t.Errorf("again: got %+v, want replayed %v, and %+v", again, tt.Stored, plain)
			}
			runs := int64(2) // plain and first
			if !tt.Stored {
				runs++
			}
			if n := stage.runs.Load(); n != runs {
				t.Errorf("ran %d times, want %d", n, runs)
			}
			got := s.do(http.MethodGet, "/keyed/"+tt.Name, "k", "")
			if !got.same(plain) || got.replayed() {
				t.Errorf("GET: got %+v, want %+v", got, plain)
			}
			s.want(s.do(http.MethodHead, "/keyed/"+tt.Name, "k", ""), tt.Status, false)
		})
	}
	t.Run("a stream reaches the client as it is written", func(t *testing.T) {
		s, stage := open(t, mount)
		first, _ := s.watch("/keyed/stream")
		close(stage.cues[0])
		if got := <-first; got.err != nil || got.body != events {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a stream goes on, and is kept whole, when the client hangs up", func(t *testing.T) {
		s, stage := open(t, mount)
		_, hangUp := s.watch("/keyed/stream")
		hangUp()
		<-s.last.Load().Context().Done() // the server has noticed
		close(stage.cues[0])
		retry := s.post("/keyed/stream", "k", order)
		for retry.status == http.StatusConflict { // it has not ended yet
			retry = s.post("/keyed/stream", "k", order)
		}
		s.want(retry, http.StatusOK, true)
		if retry.body != events {
			t.Errorf("got %q, want %q", retry.body, events)
		}
	})
	t.Run("an answer that is broken off is not taken for whole", func(t *testing.T) {
		s, stage := open(t, mount)
		// Redis forgets the key of a request in mid-stream, and another runs under it and commits
		// before.
		first, _ := s.watch("/keyed/stream")
		if err := s.redis.FlushDB(s.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		close(stage.cues[1])
		s.want(s.post("/keyed/stream", "k", order), http.StatusOK, false)
		close(stage.cues[0])
		if got := <-first; got.err == nil {
			t.Errorf("late finisher: got %+v, want an error", got)
		}
		if got := s.post("/keyed/short", "k2", order); got.err == nil {
			t.Errorf("short: got %+v, want an error", got)
		}
	})
}

func open(t *testing.T, mount Mount) (*site, *Stage) {
	stage := &Stage{}
	for i := range stage.cues {
		stage.cues[i] = make(chan bool)
	}
	return serve(t, func(s *shop.Shop) http.Handler { return shop.RequireAccount(mount(s.Payments, stage)) }), stage
}

const (
	firstEvent = "data: 1\n\n"
	events     = firstEvent + "data: 2\n\ndata: 3\n\n"
)

// watch posts under k, returns when the first event has come, and sends the whole when that has.
func (s *site) watch(path string) (_ <-chan reply, hangUp func()) {
	s.Helper()
	ctx, hangUp := context.WithCancel(s.Context())
	r := s.request(http.MethodPost, path, "k", order).WithContext(ctx)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		s.Fatal(err)
	}
	event := make([]byte, len(firstEvent))
	if _, err := io.ReadFull(resp.Body, event); err != nil || string(event) != firstEvent {
		s.Fatalf("got %q (%v), want %q", event, err, firstEvent)
	}
	whole := make(chan reply, 1)
	go func() {
		defer resp.Body.Close()
		rest, err := io.ReadAll(resp.Body)
		whole <- reply{resp.StatusCode, resp.Header, string(event) + string(rest), err}
	}()
	return whole, hangUp
}
