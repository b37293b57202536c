package httpadapter_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// In shadow, everything passes as it would without us.
func TestShadowOverHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		n := 0
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			n++
			body, err := io.ReadAll(r.Body)
			writes(201, fmt.Sprint(n, " ", len(body), " ", err))(w, r)
		}, capped(1000), setup{replay: shadow, http: func(c *httpadapter.Config) { c.RequireKey, c.MaxResponse = true, 100 }})
		would := func(a answer, want string) answer {
			t.Helper()
			if got := a.header.Get("Idempotency-Shadow"); got != want {
				t.Errorf("Idempotency-Shadow: %q, want %q", got, want)
			}
			return a
		}
		would(s.post("order"), "").isFresh(t, 201, "1 5 <nil>")
		would(s.post("order"), "replayed").isFresh(t, 201, "2 5 <nil>")
		if e := s.last(); e.Outcome != replay.Replayed || !e.Shadow {
			t.Errorf("event %+v", e)
		}
		would(s.post("another"), "reused").isFresh(t, 201, "3 7 <nil>")
		if e := s.last(); e.Outcome != replay.Reused {
			t.Errorf("event %+v", e)
		}
		would(s.post("order", withoutKey), "missing").isFresh(t, 201, "4 5 <nil>")
		s.post("order", key("a,b")).isFresh(t, 201, "5 5 <nil>")
		s.post("order", header("X-Account")).isFresh(t, 201, "6 5 <nil>")
		s.post(bubble.Noise(5000)).isFresh(t, 201, "7 5000 <nil>")
		s.post(bubble.Noise(5000), chunked).isFresh(t, 201, "8 5000 <nil>")
		f.Down()
		would(s.post("order"), "unavailable").isFresh(t, 201, "9 5 <nil>")
		f.Up()
	})
}

func TestShadowDoesNotMarkWhatIsTooLarge(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(201, bubble.Noise(500)), setup{replay: shadow, http: func(c *httpadapter.Config) { c.MaxResponse = 100 }})
		for range 2 {
			s.post("order").isFresh(t, 201, bubble.Noise(500))
		}
		s.ran(2)
	})
}
