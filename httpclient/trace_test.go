package httpclient

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/reprise-go/reprise/dialect"
)

type spanKey struct{}

// The context that Started makes is that of every try, and Finished knows how the call ended.
func TestTraceIsToldOfCalls(t *testing.T) {
	inProgress := says(409, inProgressBody, "Content-Type: application/problem+json")
	for name, tc := range map[string]struct {
		scenes []scene
		want   CallInfo
	}{
		"answered":  {[]scene{fails(errReset), created}, CallInfo{Tries: 2, Status: 201}},
		"replayed":  {[]scene{says(201, "", "Idempotency-Replayed: true")}, CallInfo{Tries: 1, Status: 201, Replayed: true}},
		"refused":   {[]scene{says(422, `{"type":"urn:x:reused","status":422,"code":"reused","retryable":false}`, "Content-Type: application/problem+json")}, CallInfo{Tries: 1, Status: 422, Outcome: dialect.Reused}},
		"given up":  {[]scene{inProgress}, CallInfo{Tries: 3, Status: 409, Outcome: dialect.InProgress}},
		"no answer": {[]scene{fails(errReset)}, CallInfo{Tries: 3, Outcome: dialect.OutcomeUnknown, Err: ErrOutcomeUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, tr *Transport, s *stage) {
				var started, finished []CallInfo
				tr.MaxTries = 3
				tr.Trace = &Trace{
					Started: func(ctx context.Context, i CallInfo) context.Context {
						started = append(started, i)
						return context.WithValue(ctx, spanKey{}, "span")
					},
					Finished: func(ctx context.Context, i CallInfo) {
						if ctx.Value(spanKey{}) != "span" {
							t.Error("Finished is not called with the context that Started made")
						}
						finished = append(finished, i)
					},
				}
				begun := time.Now()
				resp, err := tr.RoundTrip(order(t.Context(), "order"))
				if len(started) != 1 || len(finished) != 1 {
					t.Fatalf("started %v, finished %v", started, finished)
				}
				got, want := finished[0], tc.want
				if !errors.Is(got.Err, want.Err) || got.Err != err {
					t.Errorf("Err is %v, want %v", got.Err, want.Err)
				}
				want.Key, want.Method, want.Host, want.Took, got.Err, want.Err = started[0].Key, "POST", "api.test", time.Since(begun), nil, nil
				if got != want || got.Key == "" {
					t.Errorf("got %+v, want %+v", got, want)
				}
				for _, r := range s.tries {
					if r.Context().Value(spanKey{}) != "span" {
						t.Error("a try has another context")
					}
				}
				if resp != nil && ReplyOf(resp).Key != want.Key {
					t.Error("the answer has lost its Reply")
				}
			}, tc.scenes...)
		})
	}
}
