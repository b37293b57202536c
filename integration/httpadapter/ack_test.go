package httpadapter_test

import (
	"net/http"
	"testing"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// What only the primary has is marked, whether the handler or Reconcile has found the answer; a replay
// of it is not.
func TestUnconfirmedAnswerIsMarkedOverHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		replicas := f.Replicas(1)
		status := 201
		alone := func(w http.ResponseWriter, r *http.Request) {
			replicas.Store(0)
			writes(status, "done")(w, r)
		}
		s := newSite(t, f, alone, setup{replay: ackedByOne}, reconciles(func(w http.ResponseWriter, r *http.Request) replay.Decision {
			status = 201
			alone(w, r)
			return replay.Done
		}))
		marked := func(want string) {
			t.Helper()
			if r := s.post("order"); r.status != 201 || r.header.Get("Idempotency-Stored") != want {
				t.Errorf("got %d, %v, want it marked %q", r.status, r.header, want)
			}
		}
		marked("unconfirmed")
		marked("")

		f.Redis.FlushAll()
		replicas.Store(1)
		status = 500
		s.post("order")
		replicas.Store(1)
		marked("unconfirmed")
		marked("")
	})
}
