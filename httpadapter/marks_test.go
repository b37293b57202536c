package httpadapter

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/replay"
)

// Fields of our own come onto an answer when it is about to be sent. Were they there any earlier,
// the handler would see them, and a record could have them: its own, or that of another request
// which is given in its place.
//
// Whoever adds a field that has to be turned on turns it on here.
func TestOwnHeadersComeLast(t *testing.T) {
	everything := Config{Scope: GlobalScope, MaxResponse: 100, AttemptHeader: true}
	small, large := strings.Repeat("s", 50), strings.Repeat("l", 500)
	engines := map[string]func(asked func(redis.Cmder)) *replay.Engine{
		"guarded":   func(asked func(redis.Cmder)) *replay.Engine { return instant(t, replay.Config{}, asked) },
		"unguarded": func(func(redis.Cmder)) *replay.Engine { return away(t, replay.Config{}) },
		"shadow":    func(func(redis.Cmder)) *replay.Engine { return away(t, replay.Config{Shadow: true}) },
	}
	for kind, engine := range engines {
		for name, handle := range map[string]http.HandlerFunc{
			"held back": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, small) },
			"too long":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, large) },
			"streamed":  func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); fmt.Fprint(w, small) },
			"failed":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				w := &watched{dropped: dropped{header: http.Header{}}}
				a, err := New(engine(func(cmd redis.Cmder) {
					if !w.begun && len(own(w.header)) > 0 {
						t.Errorf("while Redis is asked, the answer has %q", own(w.header))
					}
					if strings.Contains(fmt.Sprint(cmd.Args()...), "Idempoten") {
						t.Error("a record has fields of ours")
					}
				}), everything)
				if err != nil {
					t.Fatal(err)
				}
				a.Handler(http.HandlerFunc(func(inner http.ResponseWriter, r *http.Request) {
					if got := slices.Concat(own(inner.Header()), own(w.header)); len(got) > 0 {
						t.Errorf("the handler sees %q", got)
					}
					handle(inner, r)
					if got := own(inner.Header()); len(got) > 0 {
						t.Errorf("after it has written, the handler sees %q", got)
					}
				})).ServeHTTP(w, posted(1, strings.NewReader("order"), 5))
				if kind == "shadow" && w.header.Get(shadowHeader) == "" {
					t.Error("in shadow, the answer does not say what it would have been")
				}
				if said := w.header.Get(attemptHeader); (said == "1") != (kind == "guarded") {
					t.Errorf("the attempt is said to be %q", said)
				}
				for _, name := range own(w.header) {
					if !slices.Contains(ownHeaders, name) {
						t.Errorf("%s is not in ownHeaders, so that records would keep a handler's", name)
					}
				}
			})
		}
	}
}

// An answer that comes of an earlier attempt's effect has the marker of a replay, and says whether it is
// stored, also if it is streamed.
//
// A failure that comes after such an effect is no replay, and a client that is told so would not try
// again.
func TestRepeatedAnswersAreMarked(t *testing.T) {
	for name, tt := range map[string]struct {
		engine *replay.Engine
		flush  bool
		status int
		marker string
		stored string
	}{
		"held back":          {instant(t, replay.Config{}, func(redis.Cmder) {}), false, 201, "true", ""},
		"streamed":           {instant(t, replay.Config{}, func(redis.Cmder) {}), true, 201, "true", ""},
		"unguarded":          {away(t, replay.Config{}), false, 201, "true", "false"},
		"a failure":          {instant(t, replay.Config{}, func(redis.Cmder) {}), false, 503, "", ""},
		"a streamed failure": {instant(t, replay.Config{}, func(redis.Cmder) {}), true, 503, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := New(tt.engine, Config{Scope: GlobalScope, AttemptHeader: true})
			if err != nil {
				t.Fatal(err)
			}
			w := &watched{dropped: dropped{header: http.Header{}}}
			a.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				work, ok := replay.WorkFrom(r.Context())
				if !ok {
					t.Fatal("the handler is no work")
				}
				work.Repeated()
				w.WriteHeader(tt.status)
				if tt.flush {
					w.(http.Flusher).Flush()
				}
				fmt.Fprint(w, "done before")
			})).ServeHTTP(w, posted(1, strings.NewReader("order"), 5))
			if got := w.header.Get("Idempotency-Replayed"); got != tt.marker {
				t.Errorf("the marker is %q", got)
			}
			if got := w.header.Get(storedHeader); got != tt.stored {
				t.Errorf("%s: %q, want %q", storedHeader, got, tt.stored)
			}
			if got := w.header.Get(attemptHeader); got != "" && tt.marker != "" {
				t.Errorf("the attempt is said to be %q, as of a fresh answer", got)
			}
		})
	}
}

// watched is a ResponseWriter that knows whether the answer has begun.
type watched struct {
	dropped
	begun bool
}

func (w *watched) WriteHeader(status int) { w.begun = true; w.dropped.WriteHeader(status) }
func (w *watched) Flush()                 {}

// own returns the names of h that only an adapter sets.
func own(h http.Header) (names []string) {
	for name := range h {
		if strings.HasPrefix(name, "Idempoten") {
			names = append(names, name)
		}
	}
	return names
}
