package reprisetest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// What can't be played against is refused, with a word on what is amiss.
func TestSubjectsThatCannotBePlayedAgainst(t *testing.T) {
	change := func(f func(*Subject)) Subject {
		s := flaw{}.subject()
		f(&s)
		return s
	}
	answering := func(status int) func(*shop, http.ResponseWriter, *http.Request) bool {
		return func(_ *shop, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			return true
		}
	}
	for _, c := range []struct {
		name    string
		subject Subject
		want    string
	}{
		{"no Handler", change(func(s *Subject) { s.Handler = nil }), "needs Handler, Request and Effects"},
		{"no Request", change(func(s *Subject) { s.Request = nil }), "needs Handler, Request and Effects"},
		{"no Effects", change(func(s *Subject) { s.Effects = nil }), "needs Handler, Request and Effects"},
		{"a Config that isn't accepted", flaw{config: replay.Config{OnHangup: "sit"}}.subject(), "Subject.Config: OnHangup"},
		{"shadow", flaw{config: replay.Config{Shadow: true}}.subject(), "Config.Shadow"},
		{"no key", change(func(s *Subject) { s.Request = func(string) *http.Request { return order("", "{}") } }), "never asked the engine"},
		{"no adapter", flaw{around: func(_ *shop, _, bare http.Handler) http.Handler { return bare }}.subject(), "never asked the engine"},
		{"an error", flaw{instead: answering(http.StatusUnprocessableEntity)}.subject(), "must be answered with a 2xx, and was answered 422 (stored, attempt 1)"},
		{"a failure", flaw{instead: answering(http.StatusInternalServerError)}.subject(), "must be answered with a 2xx, and was answered 500 (failed, attempt 1)"},
		{"a redirect", flaw{instead: answering(http.StatusSeeOther)}.subject(), "must be answered with a 2xx, and was answered 303"},
		{"a panic", flaw{instead: func(*shop, http.ResponseWriter, *http.Request) bool { panic("broken") }}.subject(),
			"a connection that breaks off (panic: broken) (panicked, attempt 1)"},
		{"no effect", flaw{instead: answering(http.StatusNoContent)}.subject(), "Effects counts nothing that it did"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, fault := one(t, c.subject); !strings.Contains(fault, c.want) {
				t.Errorf("fault %q, want one with %q", fault, c.want)
			}
		})
	}
}

// A failure says why it matters, what happened, in order, what of that is wrong, and what cures it.
func TestReport(t *testing.T) {
	subject := flaw{again: always, config: failOpen}.subject()
	want := map[string]int{"charges": 1, "mails": 2}
	i := 0
	for scenes[i].promise != answerForgotten {
		i++
	}
	const report = `A failover, an eviction or a FLUSHALL can forget a stored answer: then a retry is a first request again, attempt 1.

What happened:
  1. request 1 goes to process A, which answers 201 Location: /orders/1 (stored, attempt 1)
  2. Redis forgets everything
  3. request 2 goes to process B, which answers 201 Location: /orders/2 (stored, attempt 1)
  4. request 3 goes to process C, which answers 201 Location: /orders/2 (replayed)
  5. all together have made charges: 2

What is wrong:
  - request 2 is answered other than request 1
  - request 3 is answered other than request 1
  - charges: 2, and one request makes 1
  - mails: 0, and one request makes 2

What cures it, each by itself:
  - effect.Do: one row in the transaction of your own database that is the effect, which then can't happen twice.
  - replay.DeriveKey: for an effect at another company's API, a key of theirs that is the same whenever this request runs.`
	if got := scenes[i].run(t, subject, want); got != report {
		t.Errorf("got\n%s\nwant\n%s", got, report)
	}
}

// RetrySafe itself runs each scene as a subtest, and the subject's own Trace is told, too.
func TestRetrySafe(t *testing.T) {
	outcomes := map[replay.Outcome]bool{}
	subject := flaw{config: replay.Config{
		// What would be in the way of the scenes is set otherwise.
		Lock:      lock.Config{TTL: 100 * time.Millisecond, MaxHold: time.Second, Remember: time.Second, Acks: 1, Strict: true},
		Retention: time.Second,
		Trace: &replay.Trace{Finished: func(_ context.Context, e replay.Event) {
			if e.Outcome != replay.InProgress { // which twenty hear at once
				outcomes[e.Outcome] = true
			}
		}},
	}}.subject()
	RetrySafe(t, subject)
	for _, o := range []replay.Outcome{replay.Stored, replay.Replayed, replay.LostLease, replay.Unavailable, replay.Reused} {
		if !outcomes[o] {
			t.Errorf("Trace was not told of a request that was %s", o)
		}
	}
}

// Without Another, the other request has a body that says nothing, and the scene in which that would
// prove nothing is left out: the handler's own refusal is stored where the answer was.
func TestAnotherBody(t *testing.T) {
	subject := flaw{instead: func(_ *shop, w http.ResponseWriter, r *http.Request) bool {
		if r.ContentLength == int64(len(`{"amount":1999}`)) {
			return false
		}
		http.Error(w, "this is no order", http.StatusBadRequest)
		return true
	}}.subject()
	subject.Another = nil
	s := newStage(t, subject)
	defer s.close()
	r := s.anotherRequest()
	body, err := io.ReadAll(r.Body)
	if err != nil || int64(len(body)) != r.ContentLength || r.Header.Get("Idempotency-Key") != s.key {
		t.Errorf("another request is %v with body %q: %v", r, body, err)
	}
	RetrySafe(t, subject)
}

// Where an answer is too large to be kept, a retry is told so, and it takes effect once all the same.
func TestAnswersThatAreNotKept(t *testing.T) {
	subject := flaw{
		adapter: httpadapter.Config{MaxResponse: 1},
		instead: func(s *shop, w http.ResponseWriter, r *http.Request) bool {
			number, _ := s.charge(r.Context(), r.Header.Get("Idempotency-Key"), "")
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, "order ", number)
			return true
		},
	}.subject()
	for _, scene := range scenes[:3] {
		if report := scene.run(t, subject, map[string]int{"charges": 1}); report != "" {
			t.Errorf("%s: %s", scene.promise, report)
		}
	}
}

// An engine of one's own is over a Redis that no other test sees, on the real clock.
func TestEngine(t *testing.T) {
	request := replay.Request{Key: "k"}
	runs := 0
	work := func(context.Context) (int, error) { runs++; return runs, nil }
	for range 2 {
		engine := Engine(t, replay.Config{})
		for range 2 {
			if _, _, err := replay.Do(t.Context(), engine, request, work); err != nil {
				t.Fatal(err)
			}
		}
	}
	if runs != 2 {
		t.Errorf("%d runs on two engines, want 2", runs)
	}

	// The shortest retention is a TTL, and a trip may take half of that at most: it is long enough for
	// a machine that is busy with other things.
	engine := Engine(t, replay.Config{Retention: 2 * time.Second, Lock: lock.Config{TTL: 2 * time.Second, Timeout: time.Second}})
	for runs < 4 { // until the record has expired
		if _, _, err := replay.Do(t.Context(), engine, request, work); err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}
