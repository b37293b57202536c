package httpadapter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// How a handler can end otherwise than by answering in time.

func TestPanicsGoThrough(t *testing.T) {
	for name, tc := range map[string]struct {
		panics func()
		logged bool
	}{
		"a panic":            {func() { panic("boom") }, true},
		"ErrAbortHandler":    {func() { panic(http.ErrAbortHandler) }, false},
		"an error":           {func() { panic(errors.New("boom")) }, true},
		"an invalid status":  {nil, true},
		"the end of its own": {runtime.Goexit, false},
	} {
		for _, flush := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " flushed ", flush), func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					first := true
					s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
						if !first {
							a, _ := replay.AttemptFrom(r.Context())
							writes(201, fmt.Sprint("attempt ", a.Number))(w, r)
							return
						}
						first = false
						if tc.panics == nil {
							w.WriteHeader(42)
						}
						fmt.Fprint(w, "half an answer")
						if flush {
							w.(http.Flusher).Flush()
						}
						tc.panics()
					})
					s.post("order").isBroken(t)
					if e := s.last(); e.Outcome != replay.WorkPanicked {
						t.Errorf("event %+v", e)
					}
					if logged := strings.Contains(s.log.String(), "panic serving"); logged != tc.logged {
						t.Errorf("logged:\n%s", s.log)
					}
					s.post("order").isFresh(t, 201, "attempt 2")
				})
			})
		}
	}
}

// An outer handler that recovers answers as if we were not there.
func TestPanicIsRecoveredOutside(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "half an answer")
			panic("boom")
		}, setup{around: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() {
					if p := recover(); p != "boom" {
						t.Errorf("recovered %v", p)
					}
					writes(500, "sorry")(w, r)
				}()
				h.ServeHTTP(w, r)
			})
		}})
		s.post("order").isFresh(t, 500, "sorry")
	})
}

func TestLongestHoldOverHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			writes(504, fmt.Sprint(context.Cause(r.Context()) == lock.ErrMaxHold))(w, r)
		})
		a := s.post("order")
		if a.isFresh(t, 504, "true"); a.took != 10*time.Minute-2*time.Second {
			t.Errorf("took %v", a.took)
		}
	})
}

func TestLateFinisherOverHTTP(t *testing.T) {
	for _, tc := range []struct {
		name   string
		winner http.HandlerFunc
		check  func(*testing.T, answer)
	}{
		{"gets the winner's record", writes(202, "winner"), func(t *testing.T, a answer) {
			if a.status != 202 || a.body != "winner" || a.header.Get(replayed) != "true" || a.header["X-Late"] != nil || a.header.Get("X-Outer") != "1" {
				t.Errorf("got %s", a.text())
			}
		}},
		{"is told to come back", nil, func(t *testing.T, a answer) {
			a.header.Del("X-Outer")
			a.isProblem(t, 409, "in-progress", "1")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				held := newHold()
				s := newSite(t, f, held.then(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Late", "1")
					writes(201, "late")(w, r)
				}), setup{around: func(h http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("X-Outer", "1")
						h.ServeHTTP(w, r)
					})
				}})
				first := s.start(bg, "order")
				<-held.begun
				s.Down()
				time.Sleep(leaseTime + time.Second)
				if tc.winner != nil {
					newSite(t, f, tc.winner).post("order")
				} else {
					crashedSite(t, f)
				}
				s.Up()
				close(held.gate)
				tc.check(t, first())
			})
		})
	}
}

// What a handler leaves behind can't write into the answer.
func TestWritingAfterTheHandlerIsRefused(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		done := make(chan error, 2)
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Own", "1")
			fmt.Fprint(w, "answer")
			for range 2 {
				go func() { // without a word between it and the handler: the race detector looks on
					for {
						w.Header()
						w.WriteHeader(404)
						if _, err := io.WriteString(w, ""); err != nil {
							break // the handler has returned
						}
						runtime.Gosched()
					}
					_, err := io.WriteString(w, "late")
					w.Header().Set("X-Late", "1")
					w.(http.Flusher).Flush()
					done <- err
				}()
			}
		})
		s.On("commit", bubble.Fault{DelayCommand: time.Second})
		fresh := s.post("order")
		fresh.isFresh(t, 200, "answer")
		for range 2 {
			if err := <-done; err != http.ErrHandlerTimeout {
				t.Errorf("late: %v", err)
			}
		}
		if fresh.header["X-Late"] != nil || fresh.header["X-Own"] == nil {
			t.Errorf("got %v", fresh.header)
		}
		s.post("order").replays(t, fresh)
	})
}

func TestWritingAfterTheHandlerHasAnError(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var kept http.ResponseWriter
		s := newSite(t, f, func(w http.ResponseWriter, r *http.Request) {
			kept = w
			writes(201, "created")(w, r)
		})
		s.post("order")
		synctest.Wait()
		kept.Header().Set("X-Late", "1")
		kept.WriteHeader(404)
		if n, err := kept.Write([]byte("late")); n != 0 || err != http.ErrHandlerTimeout {
			t.Errorf("wrote %d, %v", n, err)
		}
		if err := http.NewResponseController(kept).Flush(); err != http.ErrHandlerTimeout {
			t.Errorf("flushed: %v", err)
		}
	})
}

// A server that shuts down sends those who wait away, to come again elsewhere, and lets the work end.
func TestShutdownEndsWaits(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		held := newHold()
		s := newSite(t, f, held.then(writes(201, "done")), setup{replay: waiting(time.Minute)})
		s.server.RegisterOnShutdown(s.engine.StopWaiting)
		first := s.start(bg, "order")
		<-held.begun
		second := s.start(bg, "order")
		time.Sleep(time.Second)

		down := make(chan error)
		go func() { down <- s.server.Shutdown(bg) }()
		a := second()
		a.isProblem(t, 409, "in-progress", "1")
		if a.took > 2*time.Second {
			t.Errorf("kept waiting for %v", a.took)
		}
		close(held.gate)
		first().isFresh(t, 201, "done")
		if err := <-down; err != nil {
			t.Error(err)
		}
		newSite(t, f, writes(201, "no")).post("order").isReplay(t, 201, "done")
	})
}
