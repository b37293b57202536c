package reprisetest

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/reprise-go/reprise/replay"
)

// What a client got is an answer, or it may have to ask again.
func TestAnswers(t *testing.T) {
	got := func(status int, o replay.Outcome, err error) *request {
		return &request{status: status, header: http.Header{}, event: replay.Event{Outcome: o, Err: err}}
	}
	with := func(q *request, change func(*request)) *request {
		change(q)
		return q
	}
	again := http.Header{"Content-Type": {"application/problem+json"}}
	for _, c := range []struct {
		name    string
		request *request
		want    bool
		text    string
	}{
		{"stored", got(201, replay.Stored, nil), true, "201 (stored)"},
		{"replayed", got(201, replay.Replayed, nil), true, "201 (replayed)"},
		{"unguarded", got(201, replay.Unguarded, replay.ErrUnavailable), true, "201 (unguarded)"},
		{"a final error", got(422, replay.Stored, nil), true, "422 (stored)"},
		{"the winner's, after a lost lease", got(201, replay.LostLease, nil), true, "201 (lost)"},
		{"an error that is not final", got(409, replay.Failed, nil), false, "409 (failed)"},
		{"a failure", got(500, replay.Failed, errors.New("failed")), false, "500 (failed)"},
		{"in progress", got(409, replay.InProgress, replay.ErrInProgress), false, "409 (in-progress)"},
		{"reused", got(422, replay.Reused, replay.ErrReused), false, "422 (reused)"},
		{"reused, found by the work", got(422, replay.Stored, replay.ErrReused), false, "422 (stored)"},
		{"another service's word that the key is in progress there", with(got(400, replay.Stored, nil), func(q *request) {
			q.status, q.header, q.body = 409, again, `{"type":"https://github.com/reprise-go/reprise#in-progress","status":409}`
		}), false, `409 {"type":"https://github.com/reprise-go/reprise#in-progress","status":409} (stored)`},
		{"hung up", with(got(201, replay.Stored, nil), func(q *request) { q.gone = true }), false, "nothing, for the client has gone (stored)"},
		{"broken off", with(got(200, replay.Failed, nil), func(q *request) { q.broken = http.ErrAbortHandler }), false, "a connection that breaks off (failed)"},
		{"panicked", with(got(200, replay.WorkPanicked, nil), func(q *request) { q.broken = "oh" }), false, "a connection that breaks off (panic: oh) (panicked)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.request.isAnswer(); got != c.want {
				t.Errorf("it counts as an answer: %v, want %v", got, c.want)
			}
			if got := c.request.String(); got != c.text {
				t.Errorf("it reads %q, want %q", got, c.text)
			}
		})
	}
}

// Work may go on when its client has been answered: a scene goes on when the engine is done, too.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &request{returned: make(chan struct{}), finished: make(chan struct{})}
		q.asked.Store(true)
		done := make(chan struct{})
		go func() {
			q.await()
			close(done)
		}()
		close(q.returned)
		if synctest.Wait(); isClosed(done) {
			t.Error("it waits for the client's answer alone")
		}
		close(q.finished)
		<-done
	})
}
