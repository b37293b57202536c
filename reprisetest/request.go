package reprisetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/replay"
)

// A request is one that a client has sent to a process, and what became of it.
type request struct {
	number  int
	process *process
	another bool // it is not the key's first request, but another one under the key

	asked    atomic.Bool   // the engine has asked Redis for it
	returned chan struct{} // closed when the client has its answer, or a broken connection
	finished chan struct{} // closed when the engine is done with it, which may be later
	finish   sync.Once
	hangUp   func() // ends the client's connection

	mu   sync.Mutex
	gone bool // the client has hung up

	// These are valid once returned and finished are closed.
	event  replay.Event
	broken any // what the handler panicked with
	status int
	header http.Header
	body   string
}

type requestKey struct{}

// start sends a request to a process, and doesn't wait for its answer.
func (s *stage) start(p *process, r *http.Request) *request {
	s.requests++
	ctx, cancel := context.WithCancel(r.Context())
	q := &request{number: s.requests, process: p,
		returned: make(chan struct{}), finished: make(chan struct{})}
	q.hangUp = func() {
		q.mu.Lock()
		q.gone = true
		q.mu.Unlock()
		cancel()
	}
	s.open = append(s.open, q)
	w := &writer{ResponseRecorder: httptest.NewRecorder(), request: q}
	go func() {
		defer s.tell(func() { close(q.returned) })
		defer func() {
			q.broken = recover()
			q.status, q.header, q.body = w.Code, w.Result().Header, w.Body.String()
		}()
		p.handler.ServeHTTP(w, r.WithContext(context.WithValue(ctx, requestKey{}, q)))
	}()
	return q
}

// await waits until the client has its answer and the engine is done with the request: behind
// an http.TimeoutHandler, work goes on when the client has been answered.
func (q *request) await() {
	<-q.returned
	if q.asked.Load() {
		<-q.finished
	}
}

// trace tells each request what the engine made of it, and then asks the subject's own Trace.
func (s *stage) trace(own *replay.Trace) *replay.Trace {
	t := &replay.Trace{}
	if own != nil {
		*t = *own
	}
	theirs := t.Finished
	t.Finished = func(ctx context.Context, e replay.Event) {
		if q, ok := ctx.Value(requestKey{}).(*request); ok {
			q.mu.Lock()
			q.event = e
			q.mu.Unlock()
			q.finish.Do(func() { close(q.finished) })
		}
		if theirs != nil {
			theirs(ctx, e)
		}
	}
	return t
}

// isAnswer reports whether the client has been told what its request came to. It has not if its
// connection broke, if the engine refused, or if the handler's words mean that it may send again.
func (q *request) isAnswer() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.gone && q.broken == nil && !q.wasRefused() && dialect.IsFinal(q.status) &&
		!dialect.Recognise(q.status, q.header.Get("Content-Type"), []byte(q.body)).Retryable()
}

// wasRefused reports whether what the client got are the engine's words and not the handler's.
func (q *request) wasRefused() bool {
	refusal := replay.OutcomeOf(q.event.Err)
	return refusal != "" && refusal != replay.Unknown && q.event.Outcome != replay.Unguarded
}

// leavesUnknown reports whether the request was refused for good, and honestly: it may have taken
// effect, and nobody will ever answer it.
func (q *request) leavesUnknown() bool {
	refusal := replay.OutcomeOf(q.event.Err)
	return q.wasRefused() && (refusal == replay.OutcomeUnknown || refusal == replay.ReplayUnavailable)
}

// sameAs reports whether two clients got the same answer. Other headers may differ by the hour, the
// machine or the route that the answer took.
func (q *request) sameAs(other *request) bool {
	for _, name := range []string{"Content-Type", "Location"} {
		if q.header.Get(name) != other.header.Get(name) {
			return false
		}
	}
	return q.status == other.status && q.body == other.body
}

// String is what the client got, and what the engine calls it.
func (q *request) String() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var b strings.Builder
	switch {
	case q.gone:
		b.WriteString("nothing, for the client has gone")
	case q.broken == http.ErrAbortHandler:
		b.WriteString("a connection that breaks off")
	case q.broken != nil:
		fmt.Fprintf(&b, "a connection that breaks off (panic: %v)", q.broken)
	default:
		fmt.Fprintf(&b, "%d", q.status)
		if at := q.header.Get("Location"); at != "" {
			b.WriteString(" Location: " + at)
		}
		if body := strings.TrimSpace(q.body); body != "" {
			b.WriteString(" " + shortened(body))
		}
	}
	if q.event.Outcome != "" {
		b.WriteString(" (" + string(q.event.Outcome))
		if q.event.Attempt > 0 {
			fmt.Fprintf(&b, ", attempt %d", q.event.Attempt)
		}
		b.WriteString(")")
	}
	return b.String()
}

// shortened keeps a history readable.
func shortened(s string) string {
	const most = 160
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// A writer is the client's end of the connection.
type writer struct {
	*httptest.ResponseRecorder
	request *request
}

var errGone = errors.Join(errors.New("reprisetest: the client has hung up"), syscall.EPIPE)

// Header tells the process that somebody looks at the header.
func (w *writer) Header() http.Header {
	w.request.process.working(w.request)
	return w.ResponseRecorder.Header()
}

func (w *writer) Write(b []byte) (int, error) {
	w.request.mu.Lock()
	gone := w.request.gone
	w.request.mu.Unlock()
	if gone {
		return 0, errGone
	}
	return w.ResponseRecorder.Write(b)
}
