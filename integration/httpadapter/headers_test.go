package httpadapter_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
)

// Headers of one answer at its time are sent, but not kept.
func TestHeadersThatAreNotReplayed(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		once := map[string]string{
			"Set-Cookie": "session=1", "Retry-After": "3", "X-Ratelimit-Remaining": "9", "Ratelimit": "1", "Age": "3", "Via": "proxy",
			"Www-Authenticate": "Basic", "X-Request-Id": "r1", "Access-Control-Allow-Origin": "*", "Server-Timing": "db", "X-Secret": "s",
			"Idempotency-Replayed": "maybe", "Idempotency-Stored": "maybe", "X-Hop": "hop",
		}
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			for name, value := range once {
				w.Header().Set(name, value)
			}
			w.Header().Set("Connection", "X-Hop")
			w.Header().Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT")
			w.Header().Set("X-Kept", "1")
			w.Header().Set("X-Cost", "1")
			w.WriteHeader(201)
		}, setup{http: func(c *httpadapter.Config) {
			c.AllowHeaders, c.DenyHeaders = []string{"Age"}, []string{"x-secret"}
		}})
		fresh := s.post("order")
		for name, value := range once {
			if fresh.header.Get(name) != value {
				t.Errorf("%s is %q in the fresh answer", name, fresh.header[name])
			}
		}
		got := s.post("order").header
		want := http.Header{"X-Kept": {"1"}, "X-Cost": {"1"}, "Age": {"3"}, "Content-Length": {"0"}, replayed: {"true"}}
		if !maps.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Errorf("replayed %v, want %v", got, want)
		}
	})
}

// What outer handlers set belongs to each answer: fresh, replay and error.
func TestHeadersOfOuterHandlers(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		n := 0
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Replaced", "by the handler")
			w.Header().Add("X-Added", "by the handler")
			w.Header()["X-Inplace"][0] = "by the handler"
			w.Header().Del("X-Removed")
			w.Header().Set("X-Same", "same")
			w.WriteHeader(201)
		}, setup{around: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n++
				for _, name := range []string{"X-Outer", "X-Replaced", "X-Added", "X-Inplace", "X-Removed", "X-Same"} {
					w.Header().Set(name, "outer")
				}
				w.Header().Set("X-Same", "same")
				w.Header().Set("X-N", strconv.Itoa(n))
				h.ServeHTTP(w, r)
			})
		}})
		want := http.Header{"X-Outer": {"outer"}, "X-Replaced": {"by the handler"}, "X-Added": {"outer", "by the handler"},
			"X-Inplace": {"by the handler"}, "X-Same": {"same"}, "X-N": {"1"}, "Content-Length": {"0"}}
		if got := s.post("order").header; !maps.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Errorf("fresh %v\nwant %v", got, want)
		}
		want["X-N"], want[replayed] = []string{"2"}, []string{"true"}
		if got := s.post("order").header; !maps.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Errorf("replayed %v\nwant %v", got, want)
		}
		a := s.post("another")
		for _, name := range []string{"X-Outer", "X-Replaced", "X-Added", "X-Inplace", "X-Removed"} {
			if !slices.Equal(a.header[name], []string{"outer"}) {
				t.Errorf("an error has %s: %q", name, a.header[name])
			}
		}
	})
}

// A handler's headers don't stay in an answer that is not its own.
func TestHeadersOfADroppedAnswer(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Mine", "1")
			f.Down()
			writes(201, "created")(w, r)
		}, setup{replay: withhold})
		s.post("order").isProblem(t, 503, "unavailable", "1")
		f.Up()
	})
}

func TestTrailers(t *testing.T) {
	fresh := twice(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum, X-Unset")
		w.Header().Add("Trailer", "x-other")
		fmt.Fprint(w, "body")
		w.Header().Set("X-Sum", "42")
		w.Header().Add("X-Other", "a")
		w.Header().Add("X-Other", "b")
		w.Header().Set(http.TrailerPrefix+"X-Late", "late")
	})
	want := http.Header{"X-Sum": {"42"}, "X-Other": {"a", "b"}, "X-Late": {"late"}}
	if fresh.body != "body" || !maps.EqualFunc(fresh.trailer, want, slices.Equal[[]string]) {
		t.Errorf("got %q, trailers %v, want %v", fresh.body, fresh.trailer, want)
	}
}

// Trailers that were set before a flush are not lost with it.
func TestTrailersBeforeAFlush(t *testing.T) {
	fresh := twice(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(200)
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Late", "late")
		fmt.Fprint(w, "body")
		w.(http.Flusher).Flush()
		fmt.Fprint(w, "more")
	})
	want := http.Header{"X-Sum": {"42"}, "X-Late": {"late"}}
	if fresh.body != "bodymore" || !maps.EqualFunc(fresh.trailer, want, slices.Equal[[]string]) {
		t.Errorf("got %q, trailers %v, want %v", fresh.body, fresh.trailer, want)
	}
}

func TestOuterTrailers(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(201, "created"), setup{around: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Trailer", "X-Took")
				h.ServeHTTP(w, r)
				w.Header().Set("X-Took", "1s")
			})
		}})
		for range 2 {
			if a := s.post("order"); a.trailer.Get("X-Took") != "1s" || a.body != "created" {
				t.Errorf("%s", a.text())
			}
		}
	})
}

// A handler outside that compresses knows nothing of us: the length must be its own.
func TestInsideACompressor(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(201, "created"), setup{around: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", "doubled")
				h.ServeHTTP(&doubling{w}, r)
			})
		}})
		fresh := s.post("order")
		if fresh.body != "ccrreeaatteedd" || fresh.err != nil {
			t.Errorf("fresh: %v %q", fresh.err, fresh.body)
		}
		s.post("order").replays(t, fresh)
		if a := s.post("another"); a.err != nil || a.status != 422 || !strings.HasPrefix(a.body, `{{""ttyyppee`) {
			t.Errorf("an error: %v\n%s", a.err, a.text())
		}
	})
}

type doubling struct{ http.ResponseWriter }

func (d *doubling) Write(b []byte) (int, error) {
	double := make([]byte, 0, 2*len(b))
	for _, c := range b {
		double = append(double, c, c)
	}
	_, err := d.ResponseWriter.Write(double)
	return len(b), err
}
