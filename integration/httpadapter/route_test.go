package httpadapter_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// Routes of one adapter have policies of their own, and one Redis.
func TestRoutes(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		answers := map[string]http.HandlerFunc{
			"/orders":  writes(503, "no"),
			"/charges": writes(503, "no"),
			"/hooks":   writes(201, "hooked"),
		}
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answers[r.URL.Path](w, r) })
		s := newSite(t, f, handler.ServeHTTP)
		route := func(change func(*httpadapter.Config)) http.Handler {
			a, err := s.adapter.Route(change)
			if err != nil {
				t.Fatal(err)
			}
			return a.Handler(handler)
		}
		mux := http.NewServeMux()
		mux.Handle("POST /orders", s.adapter.Handler(handler))
		mux.Handle("POST /charges", route(func(c *httpadapter.Config) {
			c.RequireKey = true
			c.OnAbandoned = replay.RefuseUnknown
			c.DialectName = "credicorp"
		}))
		mux.Handle("POST /hooks", route(func(c *httpadapter.Config) {
			c.Stores = httpadapter.StoreAll
			c.TTL2xx = time.Minute
		}))
		at := func(path, k string) func(*http.Request) {
			return func(r *http.Request) {
				r.URL.Path = path
				r.Header.Set("Idempotency-Key", k)
			}
		}
		s.serve(mux, nil)

		s.post("order", at("/orders", "o"), withoutKey).isFresh(t, 503, "no")
		s.post("order", at("/orders", "o")).isFresh(t, 503, "no")
		s.post("order", at("/orders", "o")).isFresh(t, 503, "no") // runs again
		if a := s.post("order", at("/charges", "c"), withoutKey); a.status != 400 {
			t.Errorf("without a key: %s", a.text())
		}
		s.post("order", at("/charges", "c")).isFresh(t, 503, "no")
		if a := s.post("order", at("/charges", "c")); a.status != 409 || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("after a failure: %s", a.text())
		}
		s.post("order", at("/hooks", "h")).isFresh(t, 201, "hooked")
		s.post("order", at("/hooks", "h")).isReplay(t, 201, "hooked")
		time.Sleep(time.Minute)
		s.post("order", at("/hooks", "h")).isFresh(t, 201, "hooked")
	})
}

func TestRouteFaults(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(201, "a"))
		_, err := s.adapter.Route(func(c *httpadapter.Config) { c.OnAbandoned = replay.AskReconcile })
		if err == nil {
			t.Error("Reconcile is missing, and nobody says so")
		}
		if _, err := s.adapter.Route(func(c *httpadapter.Config) { c.Scope = nil }); err == nil {
			t.Error("the scope is missing, and nobody says so")
		}
		if _, err := s.adapter.Route(func(*httpadapter.Config) {}); err != nil {
			t.Error(err)
		}
	})
}

// How long a duplicate waits is the route's to say, and the client's within bounds.
func TestWaitOfRouteAndClient(t *testing.T) {
	prefer := func(v string) func(*http.Request) { return header("Prefer", v) }
	for name, tt := range map[string]struct {
		engine, route, bound time.Duration
		prefer               string
		want                 time.Duration
	}{
		"not at all":             {0, 0, 0, "", 0},
		"the engine's":           {5 * time.Second, 0, 0, "", 5 * time.Second},
		"the route's":            {5 * time.Second, 2 * time.Second, 0, "", 2 * time.Second},
		"the route has none":     {5 * time.Second, replay.NoWait, 0, "", 0},
		"the client's":           {0, 0, 10 * time.Second, "wait=4", 4 * time.Second},
		"the client's, bounded":  {0, 0, 3 * time.Second, "wait=4", 3 * time.Second},
		"the client has no time": {5 * time.Second, 0, 3 * time.Second, "wait=0", 0},
		"the client has no wish": {5 * time.Second, 0, 3 * time.Second, "respond-async", 5 * time.Second},
		"the client isn't asked": {5 * time.Second, 0, 0, "wait=1", 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				h := newHold()
				first := newSite(t, f, h.then(writes(201, "done"))).start(bg, "order")
				<-h.begun
				s := newSite(t, f, writes(201, "no"), setup{
					replay: func(c *replay.Config) { c.Wait = tt.engine },
					http:   func(c *httpadapter.Config) { c.Wait, c.PreferWait = tt.route, tt.bound },
				})
				a := s.post("order", prefer(tt.prefer))
				a.isProblem(t, 409, "in-progress", "1")
				if a.took.Round(100*time.Millisecond) != tt.want {
					t.Errorf("waited %v, want %v", a.took, tt.want)
				}
				if tt.want > 0 {
					wait := s.start(bg, "order", prefer(tt.prefer))
					time.Sleep(tt.want / 2)
					close(h.gate)
					wait().isReplay(t, 201, "done")
				} else {
					close(h.gate)
				}
				first().isFresh(t, 201, "done")
				s.ran(0)
			})
		})
	}
}

// A deployment that changes what tells requests apart leaves yesterday's retries what they were, done
// or abandoned or in flight; and where it can't be told, the client is to come again.
func TestFingerprintChanges(t *testing.T) {
	printed := func(p httpadapter.Fingerprint) setup {
		return setup{http: func(c *httpadapter.Config) { c.Fingerprint = p }}
	}
	yesterday := printed(httpadapter.Fingerprint{})
	today := printed(httpadapter.Fingerprint{CanonicalJSON: true, Headers: []string{"X-Account"}, Keys: [][]byte{[]byte("0123456789abcdef")}})
	const order, spelled = `{"a":1,"b":2}`, `{ "b":2, "a":1 }`
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		old, now := newSite(t, f, writes(201, "old"), yesterday), newSite(t, f, writes(201, "new"), today)
		old.post(order).isFresh(t, 201, "old")
		now.post(order).isReplay(t, 201, "old")
		now.post(spelled).isProblem(t, 422, "reused", "")

		now.post(order, key("2")).isFresh(t, 201, "new")
		now.post(spelled, key("2")).isReplay(t, 201, "new")
		now.post("{}", key("2")).isProblem(t, 422, "reused", "")
		old.post(order, key("2")).isProblem(t, 503, "unavailable", "1") // it hasn't got the key yet
	})
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		old, now := newSite(t, f, writes(503, "down"), yesterday), newSite(t, f, writes(201, "new"), today)
		old.post(order).isFresh(t, 503, "down")
		now.post(order).isFresh(t, 201, "new")
		if a := now.last(); a.Attempt != 2 {
			t.Errorf("attempt %d, want 2", a.Attempt)
		}
		now.post(spelled).isProblem(t, 422, "reused", "") // the key has kept its first fingerprint
	})
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		h := newHold()
		first := newSite(t, f, h.then(writes(201, "old")), yesterday).start(bg, order)
		<-h.begun
		now := newSite(t, f, writes(201, "new"), today, setup{http: func(c *httpadapter.Config) { c.Wait = time.Minute }})
		wait := now.start(bg, order)
		synctest.Wait()
		close(h.gate)
		wait().isReplay(t, 201, "old")
		first().isFresh(t, 201, "old")
	})
}
