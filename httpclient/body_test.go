package httpclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func TestBodies(t *testing.T) {
	for _, tc := range []struct {
		name   string
		edit   func(*http.Request)
		tries  int
		body   string
		length int64
	}{
		{"GetBody", func(*http.Request) {}, 2, "order", 5},
		{"none", func(r *http.Request) { r.Body, r.GetBody, r.ContentLength = nil, nil, 0 }, 2, "", 0},
		{"NoBody", func(r *http.Request) { r.Body, r.GetBody, r.ContentLength = http.NoBody, nil, 0 }, 2, "", 0},
		{"no GetBody", func(r *http.Request) { r.GetBody = nil }, 2, "order", 5},
		{"no GetBody and no length", func(r *http.Request) { r.GetBody, r.ContentLength = nil, -1 }, 2, "order", 5},
		{"empty after all", func(r *http.Request) {
			r.Body, r.GetBody, r.ContentLength = io.NopCloser(strings.NewReader("")), nil, -1
		}, 2, "", -1},
		{"trailers", func(r *http.Request) {
			r.GetBody, r.ContentLength, r.Trailer = nil, -1, http.Header{"X-Sum": {"1"}}
		}, 2, "order", -1},
		{"at the bound", func(r *http.Request) {
			r.Body, r.GetBody, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("o", 16))), nil, -1
		}, 2, strings.Repeat("o", 16), 16},
		{"over the bound: sent once, and whole", func(r *http.Request) {
			r.Body, r.GetBody, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("o", 17))), nil, 17
		}, 1, strings.Repeat("o", 17), 17},
	} {
		t.Run(tc.name, func(t *testing.T) {
			play(t, func(t *testing.T, tr *Transport, s *stage) {
				tr.MaxBuffer = 16
				r := order(t.Context(), "order")
				tc.edit(r)
				var body *closing
				if r.Body != nil {
					body = &closing{Reader: r.Body}
					if r.Body != http.NoBody {
						r.Body = body
					}
				}
				resp, err := tr.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if len(s.tries) != tc.tries {
					t.Errorf("%d tries, want %d", len(s.tries), tc.tries)
				}
				for i, try := range s.tries {
					if s.bodies[i] != tc.body || try.ContentLength != tc.length {
						t.Errorf("try %d: %q, length %d, want %q, %d", i+1, s.bodies[i], try.ContentLength, tc.body, tc.length)
					}
					if (try.GetBody != nil) != (tc.tries == 2) {
						t.Errorf("try %d: whether Base may send it again: %v", i+1, try.GetBody != nil)
					}
				}
				if body != nil && r.Body == body && !body.closed {
					t.Error("the caller's body is not closed")
				}
			}, says(503, ""), created)
		})
	}
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	boom := errors.New("boom")
	for name, tc := range map[string]struct {
		body   io.Reader
		length int64
		want   string
	}{
		"a read error":         {iotest.ErrReader(boom), -1, "boom"},
		"more than its length": {strings.NewReader("order"), 3, "ContentLength is 3, want 5 as the body has"},
		"less than its length": {strings.NewReader("order"), 7, "ContentLength is 7, want 5 as the body has"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stage{scenes: []scene{created}}
			r := order(t.Context(), "")
			body := &closing{Reader: tc.body}
			r.Body, r.GetBody, r.ContentLength = body, nil, tc.length
			_, err := (&Transport{Base: s}).RoundTrip(r)
			if err == nil || !strings.HasSuffix(err.Error(), tc.want) || !body.closed || len(s.tries) > 0 || errors.Is(err, ErrOutcomeUnknown) {
				t.Errorf("got %v, %d tries, body closed: %v", err, len(s.tries), body.closed)
			}
			if tc.want == "boom" && !errors.Is(err, boom) {
				t.Errorf("%v doesn't wrap the reader's error", err)
			}
		})
	}
}

// A body that never ends delays the call no longer than the context lasts.
func TestBodyThatHangs(t *testing.T) {
	play(t, func(t *testing.T, tr *Transport, s *stage) {
		ctx, cancel := context.WithCancel(t.Context())
		r := order(ctx, "")
		pr, pw := io.Pipe()
		defer pw.Close()
		r.Body, r.GetBody, r.ContentLength = pr, nil, -1
		go func() {
			_, _ = io.WriteString(pw, "half of it")
			cancel()
		}()
		if _, err := tr.RoundTrip(r); !errors.Is(err, context.Canceled) || errors.Is(err, ErrOutcomeUnknown) || len(s.tries) > 0 {
			t.Errorf("got %v after %d tries", err, len(s.tries))
		}
	}, created)
}

// If the body can't be had again, there is no further try, and the caller gets the last result.
func TestGetBodyFails(t *testing.T) {
	boom := errors.New("boom")
	for name, first := range map[string]scene{"an answer": says(503, "wait"), "an error": fails(errReset)} {
		t.Run("after "+name, func(t *testing.T) {
			play(t, func(t *testing.T, tr *Transport, s *stage) {
				r := order(t.Context(), "order")
				r.GetBody = func() (io.ReadCloser, error) { return nil, boom }
				resp, err := tr.RoundTrip(r)
				if len(s.tries) != 1 {
					t.Errorf("%d tries", len(s.tries))
				}
				if name == "an answer" {
					want(t, resp, err, 503, "wait")
				} else if !errors.Is(err, boom) || !errors.Is(err, errReset) || !errors.Is(err, ErrOutcomeUnknown) {
					t.Errorf("got %v", err)
				}
			}, first, created)
		})
	}
}
