package reprisetest

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/replay"
)

const (
	duplicate       = "a duplicate repeats nothing"
	twenty          = "twenty at once make one"
	hangUp          = "a client that hangs up loses nothing"
	crashBefore     = "a crash before the effect loses nothing"
	crashAfter      = "a crash after the effect repeats nothing"
	lostBefore      = "a lease lost before the effect repeats nothing"
	lostAfter       = "a lease lost after the effect repeats nothing"
	answerForgotten = "a Redis that forgets the answer repeats nothing"
	claimForgotten  = "a Redis that forgets the claim repeats nothing"
	isDown          = "a Redis that is down repeats nothing"
	goesDown        = "a Redis that goes down repeats nothing"
	another         = "another request under the key does nothing"
	anotherLater    = "another request does nothing when Redis has forgotten the first"
)

var failOpen = replay.Config{OnStoreDown: replay.RunUnguarded}

func always(sale, replay.Attempt, bool) bool { return true }

// Each flaw makes these scenes fail, and no other.
var flaws = []struct {
	name  string
	flaw  flaw
	fails []string
}{
	{"none", flaw{config: failOpen}, nil},
	{"none, and duplicates wait", flaw{config: replay.Config{Wait: 30 * time.Second}}, nil},
	{"none, and a dead attempt is reconciled", flaw{
		config: replay.Config{OnAbandoned: replay.AskReconcile},
		adapter: httpadapter.Config{Reconcile: func(http.ResponseWriter, *http.Request) replay.Decision {
			return replay.NotDone
		}},
	}, nil},
	{"none, and a TimeoutHandler answers when the client has gone", flaw{
		around: func(_ *shop, guarded, _ http.Handler) http.Handler {
			return http.TimeoutHandler(guarded, time.Hour, "")
		},
	}, nil},
	{"it remembers nothing", flaw{again: always, anyBody: true, config: failOpen}, []string{
		crashAfter, lostBefore, lostAfter, answerForgotten, claimForgotten, isDown, goesDown, anotherLater,
	}},
	{"it remembers nothing, and nobody runs after a dead attempt or without Redis", flaw{
		again: always, anyBody: true,
		config: replay.Config{OnAbandoned: replay.RefuseUnknown},
	}, []string{answerForgotten, claimForgotten, anotherLater}},
	{"each process answers its second request otherwise", flaw{
		around: func(_ *shop, guarded, _ http.Handler) http.Handler {
			var answered atomic.Int32
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if answered.Load() == 1 {
					w.Header().Set("Content-Type", "text/plain")
				}
				guarded.ServeHTTP(w, r)
				answered.Add(1)
			})
		},
		config: failOpen,
	}, []string{duplicate, isDown, goesDown}},
	{"a crowd passes the adapter", flaw{
		around: func(_ *shop, guarded, bare http.Handler) http.Handler {
			var inside atomic.Int32
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer inside.Add(-1)
				if inside.Add(1) > 5 {
					bare.ServeHTTP(w, r)
					return
				}
				guarded.ServeHTTP(w, r)
			})
		},
		again: func(before sale, _ replay.Attempt, guarded bool) bool { return before.attempt == 0 && !guarded },
	}, []string{twenty}},
	{"it gives up when the client has gone, and has charged", flaw{
		around: func(_ *shop, guarded, _ http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				guarded.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), client{}, r.Context())))
			})
		},
		instead: func(s *shop, w http.ResponseWriter, r *http.Request) bool {
			if r.Context().Value(client{}).(context.Context).Err() == nil {
				return false
			}
			<-r.Context().Done()
			s.mu.Lock()
			defer s.mu.Unlock()
			s.charges++
			http.Error(w, "the client has gone", http.StatusServiceUnavailable)
			return true
		},
		config: replay.Config{OnHangup: replay.StopWithCaller},
	}, []string{hangUp}},
	{"attempt 2 does nothing", flaw{
		instead: func(_ *shop, w http.ResponseWriter, r *http.Request) bool {
			a, _ := replay.AttemptFrom(r.Context())
			if a.Number > 1 {
				w.WriteHeader(http.StatusNoContent)
			}
			return a.Number > 1
		},
	}, []string{crashBefore}},
	{"attempts after a dead one fail for ever", flaw{
		instead: func(_ *shop, w http.ResponseWriter, r *http.Request) bool {
			a, _ := replay.AttemptFrom(r.Context())
			if a.Number > 1 {
				w.WriteHeader(http.StatusInternalServerError)
			}
			return a.Number > 1
		},
	}, []string{crashBefore, crashAfter, lostBefore, lostAfter}},
	{"attempt 2 charges again", flaw{
		again: func(before sale, a replay.Attempt, _ bool) bool {
			return a.Number > before.attempt && before.attempt > 0
		},
	}, []string{crashAfter, lostAfter}},
	{"a late attempt 1 charges again", flaw{
		again: func(before sale, a replay.Attempt, _ bool) bool { return a.Number == 1 && before.attempt == 2 },
	}, []string{lostBefore}},
	{"a holder of a smaller fence charges again", flaw{
		again: func(before sale, a replay.Attempt, guarded bool) bool { return guarded && a.Fence < before.fence },
	}, []string{lostBefore, claimForgotten}},
	{"a first attempt of a larger fence charges again", flaw{
		again: func(before sale, a replay.Attempt, _ bool) bool { return a.Number == 1 && a.Fence > before.fence },
	}, []string{answerForgotten, anotherLater}},
	{"without Redis it charges again", flaw{
		again:  func(_ sale, _ replay.Attempt, guarded bool) bool { return !guarded },
		config: failOpen,
	}, []string{isDown, goesDown}},
	{"with Redis it charges again", flaw{
		again:  func(before sale, _ replay.Attempt, guarded bool) bool { return guarded && before.attempt == 0 },
		config: failOpen,
	}, []string{isDown}},
	{"the fingerprint leaves the amount out", flaw{
		adapter: httpadapter.Config{Fingerprint: httpadapter.Fingerprint{CanonicalJSON: true, Omit: []string{"/amount"}}},
	}, []string{another}},
	{"it remembers for any body", flaw{anyBody: true}, []string{anotherLater}},
	{"no answer is kept", flaw{
		again:   always,
		adapter: httpadapter.Config{StoresFunc: func(int, http.Header) bool { return false }},
	}, []string{
		duplicate, twenty, hangUp, crashAfter, lostBefore, lostAfter, answerForgotten, claimForgotten, isDown, goesDown, another, anotherLater,
	}},
}

func TestScenes(t *testing.T) {
	for _, f := range flaws {
		t.Run(f.name, func(t *testing.T) {
			subject := f.flaw.subject()
			want, fault := one(t, subject)
			if fault != "" {
				t.Fatal(fault)
			}
			for _, scene := range scenes {
				report := scene.run(t, subject, want)
				if expected := slices.Contains(f.fails, scene.promise); (report != "") != expected {
					t.Errorf("%s: failed: %v, want %v\n%s", scene.promise, report != "", expected, report)
				}
			}
		})
	}
}

// Nineteen of the twenty come while the first one runs, however quick that is.
func TestTwentyComeAtOnce(t *testing.T) {
	var mu sync.Mutex
	outcomes := map[replay.Outcome]int{}
	subject := flaw{config: replay.Config{Trace: &replay.Trace{Finished: func(_ context.Context, e replay.Event) {
		mu.Lock()
		defer mu.Unlock()
		outcomes[e.Outcome]++
	}}}}.subject()
	s := newStage(t, subject)
	defer s.close()
	a, b := s.process("A"), s.process("B")
	clear(outcomes)
	s.crowd(20, a, b)
	if outcomes[replay.Stored] != 1 || outcomes[replay.InProgress] != 19 {
		t.Errorf("%v, want one stored and 19 in progress", outcomes)
	}
}

// Every scene has a flaw that makes it fail with few others, or it might as well not be there.
func TestEachSceneHasAFlaw(t *testing.T) {
	for _, scene := range scenes {
		least := len(scenes)
		for _, f := range flaws {
			if slices.Contains(f.fails, scene.promise) {
				least = min(least, len(f.fails))
			}
		}
		if least > 4 {
			t.Errorf("%s: fails with %d others at least", scene.promise, least-1)
		}
	}
}

// client is the key of the client's context.
type client struct{}
