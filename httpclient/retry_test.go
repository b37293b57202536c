package httpclient

import (
	"context"
	"errors"
	"math"
	"net/http"
	"os"
	"testing"
	"testing/cryptotest"
	"time"
)

func TestBackoffBounds(t *testing.T) {
	var got []time.Duration
	for n := range 8 {
		got = append(got, backoff(250*time.Millisecond, 10*time.Second, n+1))
	}
	want := []time.Duration{250, 500, 1000, 2000, 4000, 8000, 10000, 10000}
	for i := range want {
		if want[i] *= time.Millisecond; got[i] != want[i] {
			t.Errorf("after try %d: %v, want %v", i+1, got[i], want[i])
		}
	}
	if d := backoff(time.Second, math.MaxInt64, 500); d != math.MaxInt64 {
		t.Errorf("it overflows: %v", d)
	}
}

// With full jitter, a wait is anything between nothing and its bound, and never more.
func TestJitter(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	low, high := 0, 0
	for range 200 {
		play(t, func(t *testing.T, tr *Transport, s *stage) {
			tr.MaxTries = 4
			resp, err := tr.RoundTrip(order(t.Context(), "order"))
			want(t, resp, err, 503, "")
			for i, d := range s.waits() {
				bound := 250 * time.Millisecond << i
				switch {
				case d < 0 || d >= bound:
					t.Errorf("wait %d is %v, want less than %v", i+1, d, bound)
				case d < bound/10:
					low++
				case d > bound*9/10:
					high++
				}
			}
		}, says(503, ""))
	}
	if low < 30 || high < 30 {
		t.Errorf("of 600 waits %d are in the lowest tenth and %d in the highest", low, high)
	}
}

func TestServerMayAskForLongerButNotForLess(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	for range 50 {
		play(t, func(t *testing.T, tr *Transport, s *stage) {
			tr.Backoff, tr.MaxTries = 10*time.Second, 3
			resp, err := tr.RoundTrip(order(t.Context(), "order"))
			want(t, resp, err, 503, "")
			if w := s.waits(); w[0] < 5*time.Second || w[0] >= 10*time.Second || w[1] != 11*time.Second {
				t.Errorf("waits %v, want one of 5 s to 10 s and one of 11 s", w)
			}
		}, says(503, "", "Retry-After: 5"), says(503, "", "Retry-After-Ms: 11000"), says(503, ""))
	}
}

// Each case ends the call, and at once.
func TestEnds(t *testing.T) {
	for _, tc := range []struct {
		name   string
		edit   func(*Transport)
		limit  time.Duration // of the context; 0: none
		scenes []scene
		tries  int
		took   time.Duration
	}{
		{"MaxTries", func(tr *Transport) { tr.MaxTries = 3 }, 0, []scene{says(503, "", "Retry-After: 20")}, 3, 40 * time.Second},
		{"one try", func(tr *Transport) { tr.MaxTries = 1 }, 0, []scene{says(503, "", "Retry-After: 20")}, 1, 0},
		{"ten tries by default", nil, 0, []scene{says(503, "", "Retry-After: 11")}, 10, 99 * time.Second},
		{"two minutes by default", nil, 0, []scene{says(503, "", "Retry-After: 50")}, 3, 100 * time.Second},
		{"Timeout: no wait that would go past it", func(tr *Transport) { tr.Timeout = 30 * time.Second }, 0, []scene{says(503, "", "Retry-After: 20")}, 2, 20 * time.Second},
		{"Timeout: no wait that would end with it", func(tr *Transport) { tr.Timeout = 20 * time.Second }, 0, []scene{says(503, "", "Retry-After: 20")}, 1, 0},
		{"the context's deadline: no wait that would go past it", nil, 30 * time.Second, []scene{says(503, "", "Retry-After: 20")}, 2, 20 * time.Second},
		{"a wait longer than anyone", nil, 0, []scene{says(503, "", "Retry-After: 99999999999999999999")}, 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			play(t, func(t *testing.T, tr *Transport, s *stage) {
				if tc.edit != nil {
					tc.edit(tr)
				}
				ctx := t.Context()
				if tc.limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.limit)
					defer cancel()
				}
				begun := time.Now()
				resp, err := tr.RoundTrip(order(ctx, "order"))
				took := time.Since(begun)
				want(t, resp, err, 503, "")
				if len(s.tries) != tc.tries || took != tc.took {
					t.Errorf("%d tries in %v, want %d in %v", len(s.tries), took, tc.tries, tc.took)
				}
			}, tc.scenes...)
		})
	}
}

func TestTimeLimits(t *testing.T) {
	for _, tc := range []struct {
		name  string
		edit  func(*Transport)
		limit time.Duration // of the context; 0: none
		tries int
		took  time.Duration
		is    error
		field string
	}{
		{"TryTimeout", func(tr *Transport) { tr.TryTimeout, tr.MaxTries = 5*time.Second, 1 }, 0, 1, 5 * time.Second, os.ErrDeadlineExceeded, "TryTimeout"},
		{"30 s by default", func(tr *Transport) { tr.MaxTries = 1 }, 0, 1, 30 * time.Second, os.ErrDeadlineExceeded, "TryTimeout"},
		{"Timeout cuts a try", func(tr *Transport) { tr.Timeout = 10 * time.Second }, 0, 2, 10 * time.Second, os.ErrDeadlineExceeded, "Timeout"},
		{"the context cuts a try", nil, 10 * time.Second, 2, 10 * time.Second, context.DeadlineExceeded, ""},
		{"Timeout cuts a try that may take longer", func(tr *Transport) { tr.Timeout, tr.TryTimeout = 10*time.Second, 20*time.Second }, 0, 1, 10 * time.Second, os.ErrDeadlineExceeded, "Timeout"},
		{"Timeout cuts the only try", func(tr *Transport) { tr.Timeout, tr.MaxTries = 10*time.Second, 1 }, 0, 1, 10 * time.Second, os.ErrDeadlineExceeded, "Timeout"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			play(t, func(t *testing.T, tr *Transport, s *stage) {
				if tc.edit != nil {
					tc.edit(tr)
				}
				ctx := t.Context()
				if tc.limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tc.limit)
					defer cancel()
				}
				begun := time.Now()
				resp, err := tr.RoundTrip(order(ctx, "order"))
				took := time.Since(begun)
				if resp != nil || !errors.Is(err, tc.is) || !errors.Is(err, ErrOutcomeUnknown) || took != tc.took || len(s.tries) != tc.tries {
					t.Errorf("got %v, %v after %d tries in %v", resp, err, len(s.tries), took)
				}
				limit, ok := errors.AsType[*TimeoutError](err)
				if ok != (tc.field != "") || ok && limit.Field != tc.field {
					t.Errorf("the limit is %+v, want %q", limit, tc.field)
				}
				if ok && errors.Is(err, context.DeadlineExceeded) {
					t.Error("it reads as if the caller's context had ended")
				}
				if e, ok := errors.AsType[interface {
					error
					Timeout() bool
				}](err); !ok || !e.Timeout() {
					t.Error("it is no timeout")
				}
			}, hangs)
		})
	}
}

// A server that hangs is tried again, however short the call is: one try doesn't take all its time.
func TestHungTryIsTriedAgain(t *testing.T) {
	for _, limit := range []time.Duration{time.Hour, 30 * time.Second, 2 * time.Second} {
		play(t, func(t *testing.T, tr *Transport, s *stage) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			begun := time.Now()
			resp, err := tr.RoundTrip(order(ctx, "order"))
			if want(t, resp, err, 201, `{"id":1}`); ReplyOf(resp).Tries != 2 {
				t.Errorf("%+v", ReplyOf(resp))
			}
			if took, most := time.Since(begun), min(30*time.Second, limit/2)+250*time.Millisecond; took > most {
				t.Errorf("took %v, want at most %v", took, most)
			}
		}, hangs, created)
	}
}

// A caller that gives up during a wait gets the last result at once, and no further try is made.
func TestGivingUpDuringAWait(t *testing.T) {
	boom := errors.New("the operator said so")
	for name, cancels := range map[string]func(*http.Request) (*http.Request, func()){
		"by context": func(r *http.Request) (*http.Request, func()) {
			ctx, cancel := context.WithCancelCause(r.Context())
			return r.WithContext(ctx), func() { cancel(boom) }
		},
		"by Request.Cancel": func(r *http.Request) (*http.Request, func()) {
			c := make(chan struct{})
			//lint:ignore SA1019 An http.Client with a Timeout still uses it.
			r.Cancel = c
			return r, func() { close(c) }
		},
	} {
		for what, first := range map[string]scene{"an answer": says(503, "wait", "Retry-After: 60"), "an error": fails(errReset)} {
			t.Run(name+", after "+what, func(t *testing.T) {
				play(t, func(t *testing.T, tr *Transport, s *stage) {
					tr.Backoff = time.Minute
					r, cancel := cancels(order(t.Context(), "order"))
					var wait time.Duration
					tr.Trace = &Trace{Retry: func(_ context.Context, i RetryInfo) {
						wait = i.Wait / 2
						time.AfterFunc(wait, cancel)
					}}
					begun := time.Now()
					resp, err := tr.RoundTrip(r)
					if took := time.Since(begun); took != wait || len(s.tries) != 1 {
						t.Errorf("%d tries in %v, want 1 in %v", len(s.tries), took, wait)
					}
					if what == "an answer" {
						want(t, resp, err, 503, "wait")
						return
					}
					if !errors.Is(err, ErrOutcomeUnknown) || !errors.Is(err, errReset) {
						t.Errorf("got %v", err)
					}
					if name == "by context" && (!errors.Is(err, context.Canceled) || !errors.Is(err, boom)) {
						t.Errorf("%v doesn't tell that the context ended", err)
					}
				}, first, created)
			})
		}
	}
}

// With a context that has ended, nothing is sent, and the error says that nothing was done.
func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &stage{scenes: []scene{created}}
	_, err := (&Transport{Base: s}).RoundTrip(order(WithKey(ctx, "k"), "order"))
	e, ok := errors.AsType[*CallError](err)
	if !ok || *e != (CallError{Key: "k", Cause: context.Canceled}) || errors.Is(err, ErrOutcomeUnknown) || len(s.tries) > 0 {
		t.Errorf("got %#v after %d tries", err, len(s.tries))
	}
}
