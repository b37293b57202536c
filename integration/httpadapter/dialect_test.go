package httpadapter_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
)

// What a client of each dialect meets, told in the vendors' terms: status and a part of the body.
func TestDialects(t *testing.T) {
	type says struct {
		status int
		part   string
	}
	for _, tt := range []struct {
		name, key, bad                     string // a bad key is one that another dialect accepts
		busy, reused, missing, isBad, down says
		marker                             http.Header
		stores5xx                          bool
	}{
		{"problem", "order.1", "order 1",
			says{409, `#in-progress"`}, says{422, `#reused"`}, says{400, `#missing"`}, says{400, `#invalid"`}, says{503, `#unavailable"`},
			http.Header{"Idempotency-Replayed": {"true"}}, false},
		{"ietf", `"order 1"`, "order.1",
			says{409, `"A request is outstanding for this Idempotency-Key"`}, says{422, `"Idempotency-Key is already used"`},
			says{400, `"Idempotency-Key is missing"`}, says{400, `"code":"invalid"`}, says{503, `"code":"unavailable"`},
			http.Header{"Idempotency-Replayed": {"true"}}, false},
		{"credicorp", `"order,1"`, "order 1",
			says{409, `"idempotency_key_in_progress"`}, says{409, `"idempotency_key_reused"`}, says{400, `"parameter_missing"`},
			says{400, `"invalid_request"`}, says{503, `"temporarily_unavailable"`},
			http.Header{"Idempotency-Replayed": {"true"}}, false},
		{"bluesnap", "order-1", "order.1",
			says{409, `"60102"`}, says{422, `"60101"`}, says{400, `"IDEMPOTENCY_KEY_MISSING"`}, says{400, `"60104"`}, says{503, `"60106"`},
			http.Header{"Idempotency-Key": {"order-1"}}, false},
		{"stripe", `order 1,"`, strings.Repeat("k", 256),
			says{409, `"idempotency_key_in_use"`}, says{400, `other than 'order 1,\"'`}, says{400, `"idempotency_key_missing"`},
			says{400, `"idempotency_key_invalid"`}, says{503, `"unavailable"`},
			http.Header{"Idempotent-Replayed": {"true"}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				named := setup{http: func(c *httpadapter.Config) { c.DialectName, c.RequireKey = tt.name, true }}
				check := func(what string, a answer, want says, retry string) {
					t.Helper()
					if a.err != nil || a.status != want.status || !strings.Contains(a.body, want.part) || a.header.Get("Retry-After") != retry {
						t.Errorf("%s: got %v\n%s\nwant %+v", what, a.err, a.text(), want)
					}
				}
				held := newHold()
				s := newSite(t, f, held.then(marksItself), named)
				first := s.start(bg, "order", key(tt.key))
				<-held.begun
				check("busy", s.post("order", key(tt.key)), tt.busy, "1")
				check("reused in flight", s.post("another", key(tt.key)), tt.reused, "")
				close(held.gate)
				first()
				check("reused", s.post("another", key(tt.key)), tt.reused, "")
				check("missing", s.post("order", withoutKey), tt.missing, "")
				check("bad key", s.post("order", key(tt.bad)), tt.isBad, "")

				want := maps.Clone(tt.marker)
				want["Content-Length"], want["X-Kept"] = []string{"0"}, []string{"1"}
				if got := s.post("order", key(tt.key)).header; !maps.EqualFunc(got, want, slices.Equal[[]string]) {
					t.Errorf("replayed %v, want %v", got, want)
				}
				s.ran(1)

				failing := newSite(t, f, writes(500, "failed"), named)
				failed := key(strings.Replace(tt.key, "1", "2", 1))
				failing.post("order", failed)
				failing.post("order", failed)
				failing.ran(map[bool]int32{true: 1, false: 2}[tt.stores5xx])

				f.Down()
				check("down", s.post("order", key(tt.key)), tt.down, "1")
			})
		})
	}
}

// marksItself answers with the markers of all dialects, as a handler that passes on another API's answer may.
func marksItself(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{"Idempotency-Replayed", "Idempotent-Replayed", "Idempotency-Key", "Idempotency-Stored"} {
		w.Header().Set(name, "the handler's")
	}
	w.Header().Set("X-Kept", "1")
	w.WriteHeader(201)
}
