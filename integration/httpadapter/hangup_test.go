package httpadapter_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

func TestHangupDoesNotStopTheHandler(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		held := newHold()
		s := newSite(t, f, held.then(func(w http.ResponseWriter, r *http.Request) {
			if r.Context().Err() != nil || r.Context().Value(http.ServerContextKey) == nil {
				t.Errorf("context %v, or without the request's values", r.Context().Err())
			}
			writes(201, "created")(w, r)
		}))
		ctx, hangUp := context.WithCancel(bg)
		first := s.start(ctx, "order")
		<-held.begun
		hangUp()
		first().isBroken(t)
		time.Sleep(20 * time.Second)
		s.post("order").isProblem(t, 409, "in-progress", "1")
		close(held.gate)
		synctest.Wait()
		a := s.post("order")
		if a.status != 201 || a.body != "created" || a.header.Get(replayed) != "true" {
			t.Errorf("the retry got %s", a.text())
		}
		s.ran(1)
	})
}

func TestHangupStopsTheHandlerByPolicy(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		begun := make(chan struct{}, 2)
		first := true
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			if !first {
				writes(201, "created")(w, r)
				return
			}
			first = false
			begun <- struct{}{}
			<-r.Context().Done()
			w.WriteHeader(503)
		}, setup{replay: func(c *replay.Config) { c.OnHangup = replay.StopWithCaller }})
		ctx, hangUp := context.WithCancel(bg)
		wait := s.start(ctx, "order")
		<-begun
		hangUp()
		wait().isBroken(t)
		synctest.Wait()
		s.post("order").isFresh(t, 201, "created")
		s.ran(2)
	})
}

// A client that leaves while it waits runs nothing.
// A handler whose answer passes through can see by an error that its client has left, and stop. What it has written by then must
// not be replayed for the whole answer: so it sees none, and the record has all. In shadow mode it sees what it would see
// without us, and the record is a tombstone.
func TestHangupWhileAnAnswerPassesThrough(t *testing.T) {
	const parts = 10
	for name, u := range map[string]setup{"HTTP/1.1": {}, "HTTP/2": {http2: true}, "shadow": {replay: shadow}} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				gone, wrote := make(chan struct{}), 0
				handler := func(w http.ResponseWriter, r *http.Request) {
					for range parts {
						_, err := fmt.Fprint(w, "part ")
						if err = cmp.Or(err, http.NewResponseController(w).Flush()); err != nil {
							return
						}
						wrote++
						<-gone
					}
				}
				s := newSite(t, f, handler, u)
				resp, err := s.client.Do(s.request(bg, "order"))
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				synctest.Wait()
				close(gone)
				time.Sleep(time.Second)
				after := newSite(t, f, handler).post("order")
				if name == "shadow" {
					if after.isProblem(t, 409, "replay-unavailable", ""); wrote == parts {
						t.Error("the handler was not told, want as without us")
					}
					return
				}
				if after.status != 200 || after.body != strings.Repeat("part ", parts) || after.header.Get(replayed) != "true" {
					t.Errorf("got %s", after.text())
				}
			})
		})
	}
}

func TestHangupBeforeTheHandler(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		held := newHold()
		s := newSite(t, f, held.then(writes(201, "created")), setup{replay: waiting(time.Hour)})
		first := s.start(bg, "order")
		<-held.begun
		ctx, hangUp := context.WithCancel(bg)
		second := s.start(ctx, "order")
		time.Sleep(time.Second)
		hangUp()
		second().isBroken(t)
		synctest.Wait()
		if e := s.last(); e.Outcome != replay.CallerGone {
			t.Errorf("event %+v", e)
		}
		close(held.gate)
		first().isFresh(t, 201, "created")
		s.ran(1)
	})
}

// A handler around us may set a deadline and leave the answer to us: silence would be a 200.
func TestDeadlineBeforeTheHandler(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		crashedSite(t, f)
		s := newSite(t, f, writes(201, "no"), setup{replay: waiting(time.Hour), around: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
				defer cancel()
				h.ServeHTTP(w, r.WithContext(ctx))
			})
		}})
		s.post("order").isProblem(t, 503, "unavailable", "1")
		s.ran(0)
	})
}

func TestTimeoutHandlerOutside(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Minute)
			writes(201, "created")(w, r)
		}, setup{around: func(h http.Handler) http.Handler { return http.TimeoutHandler(h, 5*time.Second, "too slow") }})
		s.post("order").isFresh(t, 503, "too slow")
		time.Sleep(time.Minute)
		a := s.post("order")
		if a.status != 201 || a.body != "created" || a.header.Get(replayed) != "true" {
			t.Errorf("the retry got %s", a.text())
		}
	})
}
