package httpadapter_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

func reconciles(f func(http.ResponseWriter, *http.Request) replay.Decision) setup {
	return setup{
		replay: onAbandoned(replay.AskReconcile),
		http:   func(c *httpadapter.Config) { c.Reconcile = f },
	}
}

// What it writes is the answer: given without the marker, stored, and replayed.
func TestReconcileAnswersOverHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(500, "failed"), reconciles(func(w http.ResponseWriter, r *http.Request) replay.Decision {
			if a, ok := replay.AttemptFrom(r.Context()); !ok || a.Number != 2 || r.ContentLength != 5 {
				t.Errorf("it has attempt %+v, a body of %d", a, r.ContentLength)
			}
			w.Header().Set("X-Found", "1")
			w.Header().Set("Set-Cookie", "a=b")
			writes(201, "found")(w, r)
			return replay.Done
		}))
		s.post("order").isFresh(t, 500, "failed")
		fresh := s.post("order")
		fresh.isFresh(t, 201, "found")
		fresh.header.Del("Set-Cookie")
		s.post("order").replays(t, fresh)
		s.ran(1)
	})
}

func TestReconcileLetsRunOverHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		status := 500
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Handler", "1")
			writes(status, "handled")(w, r)
		}, reconciles(func(w http.ResponseWriter, r *http.Request) replay.Decision {
			w.Header().Set("X-Reconcile", "1")
			w.WriteHeader(404)
			fmt.Fprint(w, "not an answer")
			return replay.NotDone
		}))
		s.post("order").isFresh(t, 500, "handled")
		status = 201
		fresh := s.post("order")
		fresh.isFresh(t, 201, "handled")
		if fresh.header["X-Reconcile"] != nil || fresh.header["X-Handler"] == nil {
			t.Errorf("got %v", fresh.header)
		}
		s.post("order").replays(t, fresh)
		s.ran(2)
	})
}

// A goroutine that Reconcile leaves behind has no part in the handler's answer.
func TestReconcileLeavesAGoroutineBehindOverHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		running, wrote := make(chan struct{}), make(chan struct{})
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			if a, _ := replay.AttemptFrom(r.Context()); a.Number == 1 {
				w.WriteHeader(500)
				return
			}
			close(running)
			<-wrote
			writes(201, "handled")(w, r)
		}, reconciles(func(w http.ResponseWriter, r *http.Request) replay.Decision {
			go func() {
				defer close(wrote)
				<-running
				w.Header().Set("X-Late", "1")
				if _, err := fmt.Fprint(w, "late"); err == nil {
					t.Error("a late write was taken")
				}
			}()
			return replay.NotDone
		}))
		s.post("order")
		fresh := s.post("order")
		if fresh.isFresh(t, 201, "handled"); fresh.header["X-Late"] != nil {
			t.Errorf("got %v", fresh.header)
		}
		s.post("order").replays(t, fresh)
	})
}

func TestReconcileStillDoesNotKnowOverHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(500, "failed"), reconciles(func(w http.ResponseWriter, r *http.Request) replay.Decision {
			w.Header().Set("X-Reconcile", "1")
			fmt.Fprint(w, "not an answer")
			return replay.Undecided
		}))
		s.post("order")
		s.post("order").isProblem(t, 409, "outcome-unknown", "")
		s.post("order").isProblem(t, 409, "outcome-unknown", "")
		s.ran(1)
	})
}

// An answer of its own that is not one to store is given, and the next attempt is asked again.
func TestReconcileAnswersWithoutStoring(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(500, "failed"), reconciles(func(w http.ResponseWriter, r *http.Request) replay.Decision {
			writes(503, "ask me later")(w, r)
			return replay.Done
		}))
		s.post("order")
		s.post("order").isFresh(t, 503, "ask me later")
		s.post("order").isFresh(t, 503, "ask me later")
		s.ran(1)
	})
}

// What it has flushed, or what outgrew the limit, is with the client: as an answer that is fine, as
// anything else it must not be taken for one.
func TestReconcileThatPassesThrough(t *testing.T) {
	for name, write := range map[string]http.HandlerFunc{
		"flushed":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "found"); w.(http.Flusher).Flush() },
		"too long": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, bubble.Noise(2000)) },
	} {
		for _, decision := range []replay.Decision{replay.Done, replay.NotDone, replay.Undecided} {
			t.Run(fmt.Sprint(name, decision), func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					set := reconciles(func(w http.ResponseWriter, r *http.Request) replay.Decision {
						write(w, r)
						return decision
					})
					s := newSite(t, f, writes(500, "failed"), set, setup{http: func(c *httpadapter.Config) { c.MaxResponse = 1000 }})
					s.post("order")
					a := s.post("order")
					s.ran(1)
					switch {
					case decision != replay.Done:
						a.isBroken(t)
					case name == "flushed":
						a.isFresh(t, 200, "found")
						a.header.Set("Content-Length", "5") // which a replay has
						s.post("order").replays(t, a)
					default:
						a.isUnstored(t, 200, bubble.Noise(2000))
						s.post("order").isProblem(t, 409, "replay-unavailable", "")
					}
				})
			})
		}
	}
}
