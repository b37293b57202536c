package httpadapter_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

func TestEarlyHintsPass(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(103)
			w.WriteHeader(102)
			w.Header().Del("Link")
			writes(201, "created")(w, r)
		})
		fresh := s.post("order")
		if fresh.isFresh(t, 201, "created"); !slices.Equal(fresh.early, []int{103, 102}) {
			t.Errorf("informational %v", fresh.early)
		}
		again := s.post("order")
		if again.replays(t, fresh); len(again.early) != 0 {
			t.Errorf("informational %v in the replay", again.early)
		}
	})
}

// Nothing reaches the client before the answer is stored.
func TestAnswerIsHeldBack(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(201)
			fmt.Fprint(w, bubble.Noise(100_000))
			time.Sleep(time.Minute)
		})
		s.On("commit", bubble.Fault{DelayCommand: time.Second})
		resp, err := s.client.Do(s.request(bg, "order"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if len(s.events) != 1 {
			t.Error("the header was sent before the engine had finished")
		}
		_, _ = io.ReadAll(resp.Body)
	})
}

func TestFlushPassesThroughAndIsReplayed(t *testing.T) {
	for name, flush := range map[string]func(http.ResponseWriter) error{
		"Flusher":            func(w http.ResponseWriter) error { w.(http.Flusher).Flush(); return nil },
		"ResponseController": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				seen := make(chan struct{})
				s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Before", "1")
					fmt.Fprint(w, "first ")
					if err := flush(w); err != nil {
						t.Error(err)
					}
					<-seen // the client has it while the handler runs
					w.Header().Set("X-After", "1")
					fmt.Fprint(w, "second")
				})
				resp, err := s.client.Do(s.request(bg, "order"))
				if err != nil {
					t.Fatal(err)
				}
				first := make([]byte, 6)
				if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first " {
					t.Errorf("got %q, %v", first, err)
				}
				newSite(t, f, writes(201, "no")).post("order").isProblem(t, 409, "in-progress", "1")
				close(seen)
				rest, err := io.ReadAll(resp.Body)
				if err != nil || string(rest) != "second" || resp.Header.Get("X-Before") != "1" || resp.Header.Get("X-After") != "" {
					t.Errorf("got %q, %v, %v", rest, err, resp.Header)
				}
				synctest.Wait() // until it is stored
				a := s.post("order")
				if a.status != 200 || a.body != "first second" || a.header.Get(replayed) != "true" || a.header.Get("X-Before") != "1" ||
					a.header.Get("X-After") != "" || a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
					t.Errorf("replayed %s", a.text())
				}
				s.ran(1)
			})
		})
	}
}

// A flushed answer that gives way to the winner's is broken off.
func TestFlushedAnswerOfALateFinisher(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var s *site
		s = newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "first")
			w.(http.Flusher).Flush()
			s.Down()
			<-r.Context().Done()
			time.Sleep(time.Second)
			newSite(t, f, writes(201, "winner")).post("order").isFresh(t, 201, "winner")
			s.Up()
		})
		s.post("order").isBroken(t)
		if e := s.last(); e.Outcome != replay.LostLease {
			t.Errorf("event %+v", e)
		}
	})
}

// plainWriter has nothing but what a ResponseWriter must.
type plainWriter struct{ w http.ResponseWriter }

func (p plainWriter) Header() http.Header         { return p.w.Header() }
func (p plainWriter) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p plainWriter) WriteHeader(status int)      { p.w.WriteHeader(status) }

func TestFlushThatCanNotBe(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "first ")
			if err := http.NewResponseController(w).Flush(); !errors.Is(err, http.ErrNotSupported) {
				t.Errorf("got %v", err)
			}
			w.(http.Flusher).Flush() // does nothing
			w.WriteHeader(404)       // too late in any case
			fmt.Fprint(w, "second")
			f.Down() // had it been sent, it could not be withheld
		}, setup{replay: withhold, around: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(plainWriter{w}, r) })
		}})
		s.post("order").isProblem(t, 503, "unavailable", "1")
		f.Up()
	})
}

func TestAnswerOverTheCap(t *testing.T) {
	for name, write := range map[string]func(io.Writer){
		"in one piece": func(w io.Writer) { _, _ = io.WriteString(w, bubble.Noise(5000)) },
		"in pieces": func(w io.Writer) {
			for b := range slices.Chunk([]byte(bubble.Noise(5000)), 70) {
				if n, err := w.Write(b); n != len(b) || err != nil {
					panic(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Before", "1")
					w.WriteHeader(201)
					write(w)
				}, setup{http: func(c *httpadapter.Config) { c.MaxResponse = 4999 }})
				a := s.post("order")
				a.isUnstored(t, 201, bubble.Noise(5000))
				if a.header.Get("X-Before") != "1" {
					t.Errorf("got %v", a.header)
				}
				for range 2 {
					s.post("order").isProblem(t, 409, "replay-unavailable", "")
				}
				s.post("another").isProblem(t, 422, "reused", "")
				s.ran(1)
			})
		})
	}
}

func TestAnswerAtTheCap(t *testing.T) {
	fresh := twice(t, writes(201, bubble.Noise(5000)), setup{http: func(c *httpadapter.Config) { c.MaxResponse = 5000 }})
	fresh.isFresh(t, 201, bubble.Noise(5000))
}

// A record that would not fit cache.Config.MaxDecoded is not kept either.
func TestAnswerOverTheCachesCap(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, writes(201, bubble.Noise(5000)), setup{replay: func(c *replay.Config) { c.Cache.MaxDecoded = 4096 }})
		s.post("order").isUnstored(t, 201, bubble.Noise(5000))
		s.post("order").isProblem(t, 409, "replay-unavailable", "")
		s.ran(1)
	})
}

// Past the cap after a flush nothing more can be said in the header, but nothing runs twice.
func TestStreamOverTheCap(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			for range 10 {
				fmt.Fprint(w, strings.Repeat("x", 1000))
				w.(http.Flusher).Flush()
			}
		}, setup{http: func(c *httpadapter.Config) { c.MaxResponse = 5000 }})
		s.post("order").isFresh(t, 200, strings.Repeat("x", 10_000))
		s.post("order").isProblem(t, 409, "replay-unavailable", "")
		s.ran(1)
	})
}

func TestHijackIsRefused(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
				t.Errorf("got %v", err)
			}
			if h, ok := w.(http.Hijacker); ok {
				if _, _, err := h.Hijack(); !errors.Is(err, http.ErrNotSupported) {
					t.Errorf("got %v", err)
				}
			}
			writes(201, "created")(w, r)
		})
		s.post("order").isFresh(t, 201, "created")
	})
}

func TestDeadlinesReachTheConnection(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			if err := errors.Join(c.SetReadDeadline(time.Now().Add(time.Hour)), c.SetWriteDeadline(time.Now().Add(time.Second)), c.EnableFullDuplex()); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Second)
			fmt.Fprint(w, bubble.Noise(100_000))
			if err := c.Flush(); err != nil {
				t.Errorf("got %v after the deadline, though a retry will get the answer", err)
			}
		})
		s.post("order").isBroken(t)
		synctest.Wait()
		fresh := s.post("order") // the handler had no fault: its answer is stored
		if fresh.status != 200 || fresh.body != bubble.Noise(100_000) || fresh.header.Get(replayed) != "true" {
			t.Errorf("got %v, %d bytes", fresh.err, len(fresh.body))
		}
	})
}
