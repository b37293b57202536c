package httpclient_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/httpclient"
	"github.com/reprise-go/reprise/integration/bubble"
)

// Whatever befalls the first try, there is one effect, and its whole answer in the end.
func TestOneEffectWhateverBefallsATry(t *testing.T) {
	for _, tc := range []struct {
		name     string
		fault    fault
		replayed bool // the effect was an earlier try's
	}{
		{"the connection breaks before the handler ran", dropBefore, false},
		{"the connection breaks after the handler ran", dropAfter, true},
		{"the answer breaks off", half, true},
		{"the server hangs before the handler ran", hangBefore, false},
		{"the server hangs after the handler ran", hangAfter, true},
		{"a gateway fails before the handler ran", gateBefore, false},
		{"a gateway fails after the handler ran", gateAfter, true},
		{"the server is overloaded", overload, false},
		{"the server is limited", limited, false},
	} {
		for _, keeps := range []bool{false, true} {
			t.Run(tc.name+map[bool]string{true: ", on a connection used before"}[keeps], func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					s := newSite(t, f, 2)
					client := http.Client{Transport: &httpclient.Transport{Base: s.base}}
					if keeps {
						warm, err := client.Do(order(t.Context(), "another order"))
						if err != nil {
							t.Fatal(err)
						}
						warm.Body.Close()
					}
					s.fault = func(_ *http.Request, arrival int) fault {
						if arrival == 1 {
							return tc.fault
						}
						return none
					}
					resp, err := client.Do(order(t.Context(), "order"))
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					body, err := io.ReadAll(resp.Body)
					reply := httpclient.ReplyOf(resp)
					if did := s.did(reply.Key); !slices.Equal(did, []string{string(body)}) || err != nil || resp.StatusCode != 201 {
						t.Errorf("got %d %q, %v, and the effects are %q", resp.StatusCode, body, err, did)
					}
					if reply.Replayed != tc.replayed || reply.Err != nil || reply.OutcomeUnknown {
						t.Errorf("got %+v, want it replayed: %v", reply, tc.replayed)
					}
				})
			})
		}
	}
}

// A handler that takes longer than a try goes on, and the tries after it wait for its answer.
func TestHandlerSlowerThanATry(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, 2)
		var seen []httpclient.TryInfo
		client := http.Client{Transport: &httpclient.Transport{Base: s.base, TryTimeout: 5 * time.Second, Trace: &httpclient.Trace{
			Try: func(_ context.Context, i httpclient.TryInfo) { seen = append(seen, i) },
		}}}
		r := order(t.Context(), "order")
		r.Header.Set("X-Slow", "12s")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		reply := httpclient.ReplyOf(resp)
		if resp.StatusCode != 201 || !reply.Replayed || len(s.did(reply.Key)) != 1 || reply.Tries < 3 {
			t.Errorf("got %s, %+v", resp.Status, reply)
		}
		for i, try := range seen {
			switch {
			case i == 0 && try.Err == nil, i > 0 && i < len(seen)-1 && (try.Status != 409 || try.Outcome != dialect.InProgress):
				t.Errorf("try %+v, want one that runs out of time, and then 409s", try)
			}
		}
	})
}

// A caller who gets the unknown outcome told, and asks again with the key, gets to know it.
func TestUnknownOutcomeIsFoundOut(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, 1)
		s.fault = func(*http.Request, int) fault { return dropAfter }
		client := http.Client{Transport: &httpclient.Transport{Base: s.base, MaxTries: 3}}
		_, err := client.Do(order(t.Context(), "order"))
		e, ok := errors.AsType[*httpclient.CallError](err)
		if !ok || !errors.Is(err, httpclient.ErrOutcomeUnknown) || e.Tries != 3 {
			t.Fatalf("got %v", err)
		}
		s.fault = func(*http.Request, int) fault { return none }
		resp, err := client.Do(order(httpclient.WithKey(t.Context(), e.Key), "order"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if did := s.did(e.Key); !slices.Equal(did, []string{string(body)}) || !httpclient.ReplyOf(resp).Replayed {
			t.Errorf("got %q, %+v, and the effects are %q", body, httpclient.ReplyOf(resp), did)
		}
	})
}

// One key for two operations is refused, and named.
func TestMismatchIsTold(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, 1)
		client := http.Client{Transport: &httpclient.Transport{Base: s.base}}
		ctx := httpclient.WithKey(t.Context(), "k")
		for _, body := range []string{"order", "another"} {
			resp, err := client.Do(order(ctx, body))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			reply := httpclient.ReplyOf(resp)
			if errors.Is(reply.Err, httpclient.ErrReused) != (body == "another") || reply.Tries != 1 || reply.OutcomeUnknown {
				t.Errorf("%s: %+v", body, reply)
			}
		}
		if len(s.did("k")) != 1 {
			t.Errorf("the effects are %q", s.did("k"))
		}
	})
}
