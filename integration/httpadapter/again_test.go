package httpadapter_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

func stores(p httpadapter.StorePolicy) setup {
	return setup{http: func(c *httpadapter.Config) { c.Stores = p }}
}

// An answer that says "again" is no result: whatever the policy, it reaches the client as it is and is not stored. The key
// fares as with any other answer that is not: after a 4xx the next request is the first, after a 5xx the next attempt.
func TestAnswersThatSayAgain(t *testing.T) {
	const credicorp = `{"error":{"type":"invalid_request_error","code":"idempotency_key_in_progress","message":"…","param":"Idempotency-Key"}}`
	const stripe = `{"error":{"code":"idempotency_key_in_use","message":"…","type":"invalid_request_error"}}`
	const draft = `{"type":"https://developer.example.com/idempotency","title":"A request is outstanding for this Idempotency-Key","detail":"…"}`
	const bluesnap = `{"message":[{"errorName":"REQUEST_WITH_SAME_IDEMPOTENCY_KEY_ALREADY_IN_PROGRESS","code":"60102","description":"…"}]}`
	const away = `{"error":{"type":"api_error","code":"temporarily_unavailable","message":"…"}}`
	policies := map[string]setup{
		"all":         stores(httpadapter.StoreAll),
		"final":       stores(httpadapter.StoreFinal),
		"stripe":      {http: func(c *httpadapter.Config) { c.DialectName = "stripe" }},
		"by function": {http: func(c *httpadapter.Config) { c.StoresFunc = func(int, http.Header) bool { return true } }},
	}
	for _, tc := range []struct {
		status int
		header string
		body   string
		stored bool
	}{
		{409, "Retry-After: 1", "", false},
		{503, "Retry-After: Thu, 01 Jan 2026 00:00:00 GMT", "", false},
		{404, "Retry-After: 1", "", false},
		{500, "Retry-After-Ms: 20", "", false},
		{400, "X-Should-Retry: true", "", false},
		{500, "X-Should-Retry: true", "", false},
		{402, "Stripe-Should-Retry: true", "", false},
		{500, "X-Should-Retry: True", "", false},
		{500, "x-should-retry: true", "", false}, // in a map that was written to without Set
		{503, "retry-after: 1", "", false},
		{409, "Content-Type: application/json", credicorp, false},
		{409, "Content-Type: application/json; charset=utf-8", stripe, false},
		{409, "Content-Type: application/problem+json", draft, false},
		{409, "Content-Type: application/json", bluesnap, false},
		{503, "Content-Type: application/json", away, false},
		// These are results.
		{202, "Retry-After: 1", "", true},
		{303, "X-Should-Retry: true", "", true},
		{404, "X-Should-Retry: false", "", true},
		{404, "Content-Type: application/json", credicorp, true},
		{422, "Content-Type: application/problem+json", `{"title":"Idempotency-Key is already used"}`, true},
	} {
		for name, policy := range policies {
			t.Run(fmt.Sprint(tc.status, " ", tc.header, ", ", name), func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					attempt := 0
					s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
						a, _ := replay.AttemptFrom(r.Context())
						attempt = a.Number
						name, value, _ := strings.Cut(tc.header, ": ")
						w.Header()[name] = []string{value}
						w.WriteHeader(tc.status)
						fmt.Fprint(w, tc.body)
					}, policy)
					first := s.post("order")
					first.isFresh(t, tc.status, tc.body)
					if name, value, _ := strings.Cut(tc.header, ": "); first.header.Get(name) != value {
						t.Errorf("the first answer lost %s: %v", name, first.header)
					}
					second := s.post("order")
					if tc.stored {
						if s.ran(1); second.status != tc.status || second.header.Get(strings.SplitN(tc.header, ":", 2)[0]) != "" && second.header["Content-Type"] == nil {
							t.Errorf("replayed %s", second.text())
						}
						return
					}
					s.ran(2)
					want := 1
					if tc.status >= 500 {
						want = 2
					}
					if attempt != want {
						t.Errorf("the second was attempt %d, want %d", attempt, want)
					}
				})
			})
		}
	}
}

// What a flush has sent early is no result either, if it says so.
func TestStreamThatSaysAgain(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(409)
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "later")
		}, stores(httpadapter.StoreAll))
		for range 2 {
			s.post("order").isFresh(t, 409, "later")
		}
		s.ran(2)
	})
}

// Whether to send a replayed answer again is not what the handler once said of the first.
func TestReplaysDontSayAgain(t *testing.T) {
	for _, tc := range []struct {
		dialect string
		status  int
		want    string
	}{
		{"problem", 500, ""}, {"stripe", 201, ""}, {"stripe", 404, ""}, {"stripe", 409, ""}, {"stripe", 500, "false"}, {"stripe", 599, "false"},
	} {
		t.Run(fmt.Sprint(tc.dialect, " ", tc.status), func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Should-Retry", "false")
					w.Header().Set("Stripe-Should-Retry", "false")
					writes(tc.status, "done")(w, r)
				}, setup{http: func(c *httpadapter.Config) { c.DialectName, c.Stores = tc.dialect, httpadapter.StoreAll }})
				first, second := s.post("order"), s.post("order")
				if first.header.Get("X-Should-Retry") != "false" || first.header.Get("Stripe-Should-Retry") != "false" {
					t.Errorf("first\n%s", first.text())
				}
				if s.ran(1); second.body != "done" || second.header["X-Should-Retry"] != nil || second.header.Get("Stripe-Should-Retry") != tc.want {
					t.Errorf("replayed\n%s\nwant Stripe-Should-Retry: %q", second.text(), tc.want)
				}
			})
		})
	}
}
