package httpadapter_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/integration/bubble"
)

// timesOut puts http.TimeoutHandler around the adapter, which reads the header map when all is over.
var timesOut = setup{around: func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Hour, "too late") }}

// After WriteHeader only trailers are added, however the answer goes out: held back, flushed or past the cap, straight or
// through a handler that looks at the map late. What the adapter says of the answer stays.
func TestHeadersAfterWriteHeader(t *testing.T) {
	for name, around := range map[string]setup{"straight": {}, "TimeoutHandler": timesOut} {
		for _, way := range []string{"held back", "flushed", "past the cap"} {
			t.Run(way+", "+name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					size := 100
					if way == "past the cap" {
						size = 5000
					}
					s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
						h := w.Header()
						h.Set("X-Before", "1")
						h.Set("X-Changed", "before")
						w.WriteHeader(201)
						late := func() {
							h.Set("X-Changed", "late")
							h.Set("X-Late", "1")
							h.Del("X-Before")
							h.Del("Idempotency-Stored")
						}
						late()
						_, _ = io.WriteString(w, bubble.Noise(size))
						if way == "flushed" {
							w.(http.Flusher).Flush()
						}
						late()
						h.Set(http.TrailerPrefix+"X-Sum", "42")
					}, around, setup{http: func(c *httpadapter.Config) { c.MaxResponse = 1000 }})
					a := s.post("order")
					if way == "past the cap" {
						a.isUnstored(t, 201, bubble.Noise(size))
					} else {
						a.isFresh(t, 201, bubble.Noise(size))
					}
					if a.header.Get("X-Before") != "1" || a.header.Get("X-Changed") != "before" || a.header["X-Late"] != nil {
						t.Errorf("got %v", a.header)
					}
					if a.trailer.Get("X-Sum") != "42" && name == "straight" {
						t.Errorf("trailers %v", a.trailer)
					}
					if a = s.post("order"); size == 100 && (a.header.Get("X-Changed") != "before" || a.header["X-Late"] != nil || a.header.Get(replayed) != "true") {
						t.Errorf("replayed %v", a.header)
					}
				})
			})
		}
	}
}

// A goroutine that a handler leaves behind has the handler's map, and nobody else's: without that, it would end the process by
// "concurrent map writes".
func TestHeaderMapOfAGoroutineLeftBehind(t *testing.T) {
	for _, end := range []string{"it answers", "it flushes", "it panics", "it loses"} {
		t.Run(end, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				var leftBehind http.Header
				writing := make(chan struct{})
				s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
					leftBehind = w.Header()
					w.Header().Set("X-Mine", "1")
					w.WriteHeader(201)
					fmt.Fprint(w, "created")
					switch end {
					case "it flushes":
						w.(http.Flusher).Flush()
					case "it panics":
						panic("boom")
					case "it loses":
						f.Down()
					}
				}, setup{replay: withhold, around: func(h http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("X-Outer", "1")
						defer func() {
							_ = recover()
							go func() {
								for i := range 1000 {
									leftBehind.Set("X-Late", fmt.Sprint(i)) // beside net/http, which reads its own
								}
								close(writing)
							}()
							for range 1000 {
								w.Header().Set("X-Outer", "2")
							}
						}()
						h.ServeHTTP(w, r)
					})
				}})
				a := s.post("order")
				<-writing
				synctest.Wait()
				if a.header["X-Late"] != nil {
					t.Errorf("got %v", a.header)
				}
				f.Up()
			})
		})
	}
}

// While the answer is being stored, its header is out of the handler's reach.
func TestHeaderMapWhileTheAnswerIsStored(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		h, returned := http.Header(nil), make(chan struct{})
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			h = w.Header()
			h.Set("X-Mine", "mine")
			w.WriteHeader(201)
			go func() {
				<-returned
				h["X-Mine"][0] = "late"
				h.Set("X-Late", "1")
			}()
		})
		s.On("commit", bubble.Fault{DelayCommand: time.Second})
		answered := s.start(bg, "order")
		synctest.Wait() // until it waits for Redis
		close(returned)
		fresh := answered()
		fresh.isFresh(t, 201, "")
		if fresh.header.Get("X-Mine") != "mine" || fresh.header["X-Late"] != nil {
			t.Errorf("got %v", fresh.header)
		}
		s.post("order").replays(t, fresh)
	})
}
