package httpadapter_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// nests puts further adapters, made by Route, inside a site's own.
func nests(s **site, handler http.HandlerFunc, changes ...func(*httpadapter.Config)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := http.Handler(handler)
		for _, change := range changes {
			inner, err := (*s).adapter.Route(change)
			if err != nil {
				(*s).t.Fatal(err)
			}
			h = inner.Handler(h)
		}
		h.ServeHTTP(w, r)
	}
}

// A group and a route, each with an adapter: the outer one guards the key, the inner one passes and says so.
func TestAdapterInsideAnAdapter(t *testing.T) {
	same := func(*httpadapter.Config) {}
	elsewhere := func(c *httpadapter.Config) { c.Scope = func(*http.Request) (string, error) { return "elsewhere", nil } }
	for name, changes := range map[string][]func(*httpadapter.Config){
		"twice": {same}, "three times": {same, same}, "with another scope between": {same, elsewhere},
	} {
		for _, shadowed := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", shadow ", shadowed), func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					var s *site
					runs := 0
					s = newSite(t, f, nests(&s, func(w http.ResponseWriter, r *http.Request) {
						runs++
						body := make([]byte, 100)
						n, _ := r.Body.Read(body)
						writes(201, string(body[:n]))(w, r)
					}, changes...), setup{replay: func(c *replay.Config) { c.Wait, c.Shadow = time.Minute, shadowed }})
					fresh := s.post("order")
					if fresh.isFresh(t, 201, "order"); fresh.took > time.Second {
						t.Errorf("it waited %v for itself", fresh.took)
					}
					if !shadowed {
						s.post("order").replays(t, fresh)
						if runs != 1 {
							t.Errorf("ran %d times", runs)
						}
					}
					if n := strings.Count(s.log.String(), "an adapter inside another"); n != len(changes) && name != "with another scope between" || n == 0 {
						t.Errorf("logged %d times:\n%s", n, s.log)
					}
				})
			})
		}
	}
}

// Under another key or in another scope an adapter inside is not the outer one's.
func TestAdapterInsideAnAdapterOfAnotherScope(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var s *site
		s = newSite(t, f, nests(&s, writes(201, "created"), func(c *httpadapter.Config) { c.Scope = httpadapter.GlobalScope }))
		s.post("order").isFresh(t, 201, "created")
		if n := len(f.Redis.Keys()); n != 2 {
			t.Errorf("%d keys", n)
		}
	})
}

// An adapter of another engine can't know by itself that the key is that of the work around it. Redis says so, and it is told at
// once, not after a wait for oneself. With a prefix of its own it guards as it should.
func TestAdapterInsideAnAdapterOfAnotherEngine(t *testing.T) {
	for _, prefix := range []string{"reprise", "inner"} {
		t.Run(prefix, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				inner := newSite(t, f, nil, setup{replay: func(c *replay.Config) { c.Wait, c.Prefix = time.Minute, prefix }})
				s := newSite(t, f, inner.adapter.Handler(writes(201, "created")).ServeHTTP)
				a := s.post("order")
				if prefix != "reprise" {
					a.isFresh(t, 201, "created")
					return
				}
				if a.isProblem(t, 409, "in-progress", "1"); a.took > time.Second {
					t.Errorf("it waited %v for itself", a.took)
				}
				if !strings.Contains(inner.log.String(), "asks for its own key") {
					t.Errorf("logged %s", inner.log)
				}
			})
		})
	}
}
