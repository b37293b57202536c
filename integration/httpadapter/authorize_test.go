package httpadapter_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// authorizes lets whoever sends X-Verdict have that, and all others pass.
func authorizes(asked *int) setup {
	verdicts := map[string]httpadapter.Authorization{"forbid": httpadapter.Forbid, "hide": httpadapter.Hide, "stray": 99}
	return setup{http: func(c *httpadapter.Config) {
		c.Authorize = func(r *http.Request) httpadapter.Authorization {
			*asked++
			return verdicts[r.Header.Get("X-Verdict")]
		}
	}}
}

func TestAuthorizeOverHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		asked := 0
		s := newSite(t, f, writes(201, "created"), authorizes(&asked))
		fresh := s.post("order", header("X-Verdict", "forbid"))
		if fresh.isFresh(t, 201, "created"); asked != 0 {
			t.Error("asked about a free key")
		}
		for _, body := range []string{"order", "another"} {
			for _, verdict := range []string{"forbid", "stray"} {
				s.post(body, header("X-Verdict", verdict)).isProblem(t, 403, "replay-refused", "")
			}
		}
		s.post("order").replays(t, fresh)
		s.post("another").isProblem(t, 422, "reused", "")
		if s.ran(1); asked != 6 {
			t.Errorf("asked %d times about 6 requests", asked)
		}
	})
}

// The answer to a caller from whom the key is hidden is the one for a path that there is not, to the byte: in every
// dialect, whatever the key's state, the body, and the wait.
func TestHiddenMeansHidden(t *testing.T) {
	const documented = "https://api.test/idempotency"
	states := map[string]func(*testing.T, *bubble.Fleet, *site){
		"done":        func(_ *testing.T, _ *bubble.Fleet, s *site) { s.post("order") },
		"not kept":    func(_ *testing.T, _ *bubble.Fleet, s *site) { s.post(bubble.Noise(500)) },
		"abandoned":   func(_ *testing.T, _ *bubble.Fleet, s *site) { s.post("fail") },
		"in progress": func(_ *testing.T, _ *bubble.Fleet, s *site) { s.start(bg, "sleep"); synctest.Wait() },
		"unreadable": func(t *testing.T, f *bubble.Fleet, s *site) {
			s.post("order")
			f.Redis.Set(f.OnlyKey(), "Raaah")
		},
	}
	for _, spoken := range []string{"problem", "ietf", "credicorp", "bluesnap", "stripe"} {
		for name, state := range states {
			t.Run(spoken+", "+name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					asked := 0
					s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
						body := make([]byte, 500)
						n, _ := r.Body.Read(body)
						switch string(body[:n]) {
						case "fail":
							panic(http.ErrAbortHandler)
						case "sleep":
							time.Sleep(time.Minute)
						}
						writes(201, string(body[:n]))(w, r)
					}, authorizes(&asked), setup{
						replay: waiting(time.Minute),
						http: func(c *httpadapter.Config) {
							c.DialectName, c.MaxResponse, c.DocURL = spoken, 400, documented
							c.Syntax = dialect.Lenient // ietf's keys are quoted
							c.Message = func(dialect.Outcome, *http.Request) string { return "of the key" }
							c.RequestID = func(*http.Request) string { return "r1" }
						},
						around: func(h http.Handler) http.Handler {
							mux := http.NewServeMux()
							mux.Handle("/orders", h)
							return mux
						},
					})
					state(t, f, s)
					ran := s.runs.Load()
					nothing := s.post("order", func(r *http.Request) { r.URL.Path = "/nothing" })
					if nothing.status != 404 {
						t.Fatal(nothing.text())
					}
					for _, body := range []string{"order", "another", "fail", "sleep", bubble.Noise(500)} {
						a := s.post(body, header("X-Verdict", "hide"))
						if a.text() != nothing.text() || a.err != nil {
							t.Errorf("got %v\n%s\nwant\n%s", a.err, a.text(), nothing.text())
						}
						if a.took > time.Second {
							t.Errorf("it took %v", a.took)
						}
					}
					s.ran(ran)
				})
			})
		}
	}
}

// A dialect of one's own says what its API says of what there is not, and nothing is added.
func TestHiddenByADialectOfOnesOwn(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		asked := 0
		s := newSite(t, f, writes(201, "created"), authorizes(&asked), setup{http: func(c *httpadapter.Config) {
			c.Dialect, c.DocURL = saysGone{t: t}, "https://api.test/idempotency"
		}})
		s.post("order")
		if a := s.post("order", header("X-Verdict", "hide")); a.text() != "404\nContent-Length: 2\nContent-Type: application/json\n\n{}" {
			t.Error(a.text())
		}
	})
}

type saysGone struct {
	dialect.Problem
	t *testing.T
}

func (d saysGone) Render(o dialect.Outcome, info dialect.Info) dialect.Rendering {
	if o != dialect.ReplayHidden || info != (dialect.Info{Request: info.Request}) || info.Request == nil {
		d.t.Errorf("asked for %v with %+v", o, info)
	}
	return dialect.Rendering{ContentType: "application/json", Body: []byte("{}")}
}

// In shadow nothing is hidden, but nothing is told either.
func TestHiddenInShadow(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		asked := 0
		s := newSite(t, f, writes(201, "created"), authorizes(&asked), setup{replay: shadow})
		s.post("order")
		for _, body := range []string{"order", "another"} {
			if a := s.post(body, header("X-Verdict", "hide")); a.header["Idempotency-Shadow"] != nil {
				t.Error(a.text())
			}
			if e := s.last(); e.Outcome != replay.ReplayRefused {
				t.Errorf("event %+v", e)
			}
			if a := s.post(body, header("X-Verdict", "forbid")); a.header.Get("Idempotency-Shadow") != "replay-refused" {
				t.Error(a.text())
			}
		}
		s.ran(5)
	})
}

// A late finisher has run, and is asked about before it gets the winner's record.
func TestHiddenFromALateFinisher(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		asked := 0
		var s *site
		s = newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			s.Down()
			<-r.Context().Done()
			if context.Cause(r.Context()) == nil {
				t.Error("no cause")
			}
			time.Sleep(time.Second)
			newSite(t, f, writes(201, "winner")).post("order").isFresh(t, 201, "winner")
			s.Up()
			w.Header().Set("X-Mine", "1")
			writes(201, "late")(w, r)
		}, authorizes(&asked))
		if a := s.post("order", header("X-Verdict", "hide")); a.status != 404 || a.header["X-Mine"] != nil || a.body != "404 page not found\n" {
			t.Error(a.text())
		}
	})
}
