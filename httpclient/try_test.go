package httpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/dialect"
)

// The try of an answer that is read whole has ended when the caller gets it. An answer that is
// passed on has to be closed by the caller.
func TestAnswersPassedOn(t *testing.T) {
	long := strings.Repeat("o", 17)
	for _, tc := range []struct {
		name  string
		first scene
		whole bool
		body  string
	}{
		{"at the bound", says(201, long[:16]), true, long[:16]},
		{"over the bound by its length", says(201, long), false, long},
		{"over the bound without one", unannounced(says(201, long)), false, long},
		{"events", says(201, "data", "Content-Type: text/event-stream; charset=utf-8"), false, "data"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			play(t, func(t *testing.T, tr *Transport, s *stage) {
				tr.MaxResponse = 16
				resp, err := tr.RoundTrip(order(t.Context(), "order"))
				if err != nil {
					t.Fatal(err)
				}
				if s.open != map[bool]int{true: 0, false: 1}[tc.whole] {
					t.Errorf("%d answers are open", s.open)
				}
				time.Sleep(10 * time.Minute) // no limit of ours cuts off what the caller reads
				if s.tries[0].Context().Err() != nil && !tc.whole {
					t.Error("the try's context ended under the caller")
				}
				if want(t, resp, nil, 201, tc.body); s.open != 0 || s.tries[0].Context().Err() == nil {
					t.Error("closing it has not ended its try")
				}
			}, tc.first)
		})
	}
}

// An answer to be passed on is discarded if the time of its try has run out when it comes.
func TestAnswerThatComesTooLate(t *testing.T) {
	play(t, func(t *testing.T, tr *Transport, s *stage) {
		tr.TryTimeout = time.Second
		resp, err := tr.RoundTrip(order(t.Context(), "order"))
		if want(t, resp, err, 201, `{"id":1}`); s.open != 0 || ReplyOf(resp).Tries != 2 {
			t.Errorf("%+v, %d answers are open", ReplyOf(resp), s.open)
		}
	}, func(r *http.Request) (*http.Response, error) {
		time.Sleep(time.Minute)
		return says(200, "data", "Content-Type: text/event-stream")(r)
	}, created)
}

// A discarded answer that is too long to be read whole is closed before the next try, however long
// it claims to be.
func TestLongAnswersGivenUp(t *testing.T) {
	play(t, func(t *testing.T, tr *Transport, s *stage) {
		resp, err := tr.RoundTrip(order(t.Context(), "order"))
		if want(t, resp, err, 201, `{"id":1}`); s.open != 0 || s.tries[0].Context().Err() == nil {
			t.Errorf("%d answers are open", s.open)
		}
	}, func(r *http.Request) (*http.Response, error) {
		resp, err := says(503, "sorry")(r)
		resp.ContentLength = 1 << 50
		return resp, err
	}, created)
}

// Memory is allocated for the bytes that have come, not for those that were announced: a hundred
// answers that announce 256 MiB and have one word take the memory of one word each.
func TestRoomFollowsWhatIsReceived(t *testing.T) {
	const answers = 100
	var before, after runtime.MemStats
	play(t, func(t *testing.T, tr *Transport, s *stage) {
		tr.MaxResponse, tr.MaxTries, tr.TryTimeout = maxBuffer, answers, time.Second
		runtime.ReadMemStats(&before)
		_, err := tr.RoundTrip(order(t.Context(), "order"))
		runtime.ReadMemStats(&after)
		if err == nil || len(s.tries) < 10 {
			t.Errorf("got %v after %d tries", err, len(s.tries))
		}
		if per := (after.TotalAlloc - before.TotalAlloc) / uint64(len(s.tries)); per > 64<<10 {
			t.Errorf("each answer of 4 bytes took %d bytes", per)
		}
	}, func(r *http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader("half"), reader(func([]byte) (int, error) {
			<-r.Context().Done()
			return 0, r.Context().Err()
		}))
		return &http.Response{StatusCode: 201, Header: http.Header{}, ContentLength: maxBuffer, Body: io.NopCloser(body)}, nil
	})
}

type reader func([]byte) (int, error)

func (f reader) Read(b []byte) (int, error) { return f(b) }

func unannounced(sc scene) scene {
	return func(r *http.Request) (*http.Response, error) {
		resp, err := sc(r)
		resp.ContentLength = -1
		return resp, err
	}
}

// An answer that stops halfway until the time of its try has run out is discarded, and there is
// another try.
func TestAnswerThatStops(t *testing.T) {
	stops := func(kind string) scene {
		return func(r *http.Request) (*http.Response, error) {
			pr, pw := io.Pipe()
			context.AfterFunc(r.Context(), func() { pw.CloseWithError(r.Context().Err()) })
			go io.WriteString(pw, "half")
			return &http.Response{StatusCode: 201, Header: http.Header{"Content-Type": {kind}}, ContentLength: -1, Body: pr}, nil
		}
	}
	play(t, func(t *testing.T, tr *Transport, s *stage) {
		resp, err := tr.RoundTrip(order(t.Context(), "order"))
		if want(t, resp, err, 201, `{"id":1}`); ReplyOf(resp).Tries != 2 || s.open != 0 {
			t.Errorf("%+v, %d open", ReplyOf(resp), s.open)
		}
	}, stops("application/json"), created)
}

// The outcome is unknown exactly if something may have been sent.
func TestWhetherTheOutcomeIsUnknown(t *testing.T) {
	hooked := func(got bool, err error) scene { // as net/http's Transport calls them
		return func(r *http.Request) (*http.Response, error) {
			trace := httptrace.ContextClientTrace(r.Context())
			trace.GetConn("api.test:80")
			if got {
				trace.GotConn(httptrace.GotConnInfo{})
			}
			return nil, err
		}
	}
	for _, tc := range []struct {
		name    string
		unknown bool
		scenes  []scene
	}{
		{"a connection that is refused", false, []scene{fails(errRefused)}},
		{"the same, as net/http tells it", false, []scene{hooked(false, errRefused)}},
		{"a handshake that fails", false, []scene{hooked(false, errors.New("handshake"))}},
		{"a connection that breaks", true, []scene{fails(errReset)}},
		{"an error that nobody knows", true, []scene{fails(errors.New("?"))}},
		{"a connection that was lost, and then refused, in one try", true, []scene{hooked(true, errRefused)}},
		{"one lost and all others refused", true, []scene{fails(errReset), fails(errRefused)}},
		{"503, then refused", true, []scene{says(503, ""), fails(errRefused)}},
		{"409, then refused", true, []scene{says(409, "", "Retry-After: 0"), fails(errRefused)}},
		{"429, then refused", false, []scene{says(429, ""), fails(errRefused)}},
		{"one lost, 429, then refused", true, []scene{fails(errReset), says(429, ""), fails(errRefused)}},
		{"400 to be tried again settles it", false, []scene{fails(errReset), says(400, "", "X-Should-Retry: true"), fails(errRefused)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			play(t, func(t *testing.T, tr *Transport, s *stage) {
				_, err := tr.RoundTrip(order(WithKey(t.Context(), "k"), "order"))
				e, ok := errors.AsType[*CallError](err)
				if !ok || errors.Is(err, ErrOutcomeUnknown) != tc.unknown || (e.Outcome == dialect.OutcomeUnknown) != tc.unknown {
					t.Fatalf("got %v, want it unknown: %v", err, tc.unknown)
				}
				if e.Key != "k" || e.Tries != 10 || len(s.tries) != 10 || strings.Contains(err.Error(), "k)") {
					t.Errorf("got %+v", e)
				}
				if e.Cause == nil || !errors.Is(err, e.Cause) {
					t.Errorf("%v hides its cause", err)
				}
			}, tc.scenes...)
		})
	}
}

func TestHopelessErrors(t *testing.T) {
	play(t, func(t *testing.T, tr *Transport, s *stage) {
		_, err := tr.RoundTrip(order(t.Context(), "order"))
		if err == nil || len(s.tries) != 1 {
			t.Errorf("%v after %d tries, want 1", err, len(s.tries))
		}
	}, fails(&tls.CertificateVerificationError{Err: errors.New("not who it should be")}))
}

func TestBaseThatBreaksItsContract(t *testing.T) {
	play(t, func(t *testing.T, tr *Transport, s *stage) {
		resp, err := tr.RoundTrip(order(t.Context(), "order"))
		want(t, resp, err, 204, "")
		if ReplyOf(resp).Tries != 2 {
			t.Errorf("%+v", ReplyOf(resp))
		}
	}, fails(nil), func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 204, Header: http.Header{}, Body: http.NoBody}, nil
	})
	resp, err := (&Transport{Base: roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 204}, nil
	})}).RoundTrip(order(t.Context(), ""))
	want(t, resp, err, 204, "")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Each try's context ends with the try, and so does every goroutine: synctest would report one.
func TestNothingIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{scenes: []scene{fails(errReset), half, says(503, ""), created}}
		resp, err := (&Transport{Base: s}).RoundTrip(order(t.Context(), "order"))
		want(t, resp, err, 201, `{"id":1}`)
		for i, try := range s.tries {
			if try.Context().Err() == nil {
				t.Errorf("try %d still has its context", i+1)
			}
		}
	})
}

func TestTrace(t *testing.T) {
	var tries []TryInfo
	var retries []RetryInfo
	play(t, func(t *testing.T, tr *Transport, s *stage) {
		type mark struct{}
		ctx := context.WithValue(WithKey(t.Context(), "k"), mark{}, "caller's")
		tr.Trace = &Trace{
			Try: func(got context.Context, i TryInfo) {
				if tries = append(tries, i); got.Value(mark{}) == nil {
					t.Error("not the caller's context")
				}
			},
			Retry: func(_ context.Context, i RetryInfo) { retries = append(retries, i) },
		}
		resp, err := tr.RoundTrip(order(ctx, "order"))
		want(t, resp, err, 201, `{"id":1}`)
	}, func(r *http.Request) (*http.Response, error) {
		time.Sleep(time.Second)
		httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
		httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
		return nil, errReset
	}, says(409, inProgressBody, "Retry-After: 7", "Content-Type: application/problem+json"), says(201, `{"id":1}`, "Idempotency-Replayed: true"))
	for i, w := range []TryInfo{
		{Key: "k", Try: 1, Err: errReset, Took: time.Second, Connections: 2},
		{Key: "k", Try: 2, Status: 409, Outcome: dialect.InProgress},
		{Key: "k", Try: 3, Status: 201, Replayed: true},
	} {
		if i >= len(tries) || tries[i] != w {
			t.Errorf("got %+v, want %+v", tries, w)
		}
	}
	if len(retries) == 2 {
		retries[0].Wait = 0 // of chance
	}
	for i, w := range []RetryInfo{
		{Key: "k", Try: 2, Reason: "network error", Err: errReset},
		{Key: "k", Try: 3, Wait: 7 * time.Second, Reason: "status 409", Status: 409},
	} {
		if i >= len(retries) || retries[i] != w {
			t.Errorf("got %+v, want %+v", retries, w)
		}
	}
}
