package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/reprise-go/reprise/examples/internal/routertest"
	"github.com/reprise-go/reprise/examples/internal/shop"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/replay"
)

func TestPayments(t *testing.T) {
	routertest.Walk(t, func(s *shop.Shop) http.Handler { return routes(s) })
}

func TestCorners(t *testing.T) {
	routertest.Probe(t, func(a *httpadapter.Adapter, stage *routertest.Stage) http.Handler {
		r := gin.New()
		r.Use(gin.Recovery(), func(c *gin.Context) {
			c.Set("outer", "outer")
			if c.Param("name") == "preset" {
				c.Status(http.StatusAccepted)
			}
			c.Next()
			if _, swapped := c.Writer.(*recorded); swapped {
				t.Errorf("%s: an outer middleware got the writer of an inner one", c.Request.URL)
			}
		})
		probes := ginProbes(stage)
		probe := func(c *gin.Context) {
			run := stage.Begin()
			probes[c.Param("name")](c, run)
		}
		r.POST("/plain/:name", answerErrors, probe)
		r.POST("/keyed/:name", idempotent(a), answerErrors, probe)
		r.Match([]string{http.MethodGet, http.MethodHead}, "/keyed/:name", idempotent(a), answerErrors, probe)
		return r
	},
		routertest.Case{Name: "status-twice", Status: http.StatusCreated, Body: `{"ok":true}`, Stored: true},
		routertest.Case{Name: "status-kept", Status: http.StatusAccepted, Body: `{"ok":true}`, Stored: true},
		routertest.Case{Name: "late-stream", Status: http.StatusCreated, Body: "in time", Stored: true},
		routertest.Case{Name: "error-after-answer", Status: http.StatusCreated, Body: "done", Stored: true},
		routertest.Case{Name: "preset", Status: http.StatusAccepted, Stored: true},
		routertest.Case{Name: "abort", Status: http.StatusGone, Body: "", Stored: true},
		routertest.Case{Name: "collected", Status: http.StatusGone, Body: `{"error":"collected"}`, Stored: true},
		routertest.Case{Name: "writer", Status: http.StatusOK, Body: "-1 false 202; 3 true 200", Stored: true},
	)
}

// answerErrors answers for a handler that has only collected an error.
func answerErrors(c *gin.Context) {
	c.Next()
	if err := c.Errors.Last(); err != nil && !c.Writer.Written() {
		c.JSON(http.StatusGone, gin.H{"error": err.Error()})
	}
}

// Where nobody inside answers for an error, the empty 200 that gin would send must not be kept.
func TestUnansweredErrorIsNotKept(t *testing.T) {
	r := gin.New()
	runs := 0
	r.POST("/", idempotent(routertest.Adapter(t)), func(c *gin.Context) {
		if runs++; runs == 1 {
			c.Error(errors.New("the bank is closed"))
			return
		}
		attempt, _ := replay.AttemptFrom(c.Request.Context())
		c.String(http.StatusCreated, "attempt %d", attempt.Number)
	})
	for _, want := range []struct {
		status   int
		body     string
		replayed string
	}{
		{http.StatusInternalServerError, "", ""},
		{http.StatusCreated, "attempt 2", ""},
		{http.StatusCreated, "attempt 2", "true"},
	} {
		req := httptest.NewRequest(http.MethodPost, "/", nil)
		req.Header.Set("Idempotency-Key", "k")
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		replayed := w.Header().Get("Idempotency-Replayed")
		if w.Code != want.status || w.Body.String() != want.body || replayed != want.replayed {
			t.Errorf("got %d %q, replayed %q; want %v", w.Code, w.Body, replayed, want)
		}
	}
}

// A request that the adapter takes no part in is gin's alone: what comes before idempotent may
// answer it.
func TestOthersPassAsTheyAre(t *testing.T) {
	r := gin.New()
	fail := func(c *gin.Context) { c.Error(errors.New("collected")) }
	r.GET("/", answerErrors, idempotent(routertest.Adapter(t)), fail)
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusGone || w.Body.String() != `{"error":"collected"}` {
		t.Errorf("got %d %q, want the outer middleware's 410", w.Code, w.Body)
	}
}

// Nothing that a replay can't do again gets past the recording.
func TestNothingEscapesTheRecording(t *testing.T) {
	r := gin.New()
	r.POST("/", idempotent(routertest.Adapter(t)), func(c *gin.Context) {
		if _, _, err := c.Writer.Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Hijack: got %v, want ErrNotSupported", err)
		}
		if p := c.Writer.Pusher(); p != nil {
			t.Errorf("Pusher: got %v, want nil", p)
		}
	})
	req := httptest.NewRequest(http.MethodPost, "/", nil)
	req.Header.Set("Idempotency-Key", "k")
	r.ServeHTTP(httptest.NewRecorder(), req)
}

func ginProbes(stage *routertest.Stage) map[string]func(*gin.Context, int64) {
	return map[string]func(*gin.Context, int64){
		"preset":     func(*gin.Context, int64) {}, // an outer middleware has set a status
		"nothing":    func(*gin.Context, int64) {},
		"status":     func(c *gin.Context, _ int64) { c.Status(http.StatusAccepted) },
		"no-content": func(c *gin.Context, _ int64) { c.Status(http.StatusNoContent) },
		"headers": func(c *gin.Context, _ int64) {
			c.Writer.Header().Add("Vary", "A")
			c.Writer.Header().Add("Vary", "B")
			c.Header("X-Probe", "1")
			c.Data(http.StatusOK, "text/csv", []byte("1,2\n"))
		},
		"late": func(c *gin.Context, _ int64) {
			c.String(http.StatusCreated, "in time")
			c.Header("X-Late", "1")
			c.Status(http.StatusAccepted)
		},
		"error": func(c *gin.Context, _ int64) {
			c.AbortWithStatusJSON(http.StatusTeapot, gin.H{"error": "no coffee"})
		},
		"failure": func(c *gin.Context, _ int64) {
			c.AbortWithStatusJSON(http.StatusServiceUnavailable, gin.H{"error": "no tea"})
		},
		"outer": func(c *gin.Context, _ int64) {
			c.String(http.StatusOK, "%s %s", c.Param("name"), c.GetString("outer"))
		},
		"stream": func(c *gin.Context, run int64) {
			c.Header("Content-Type", "text/event-stream")
			event := 0
			c.Stream(func(w io.Writer) bool { // which flushes after each step
				if event++; event == 2 {
					stage.Wait(run)
				}
				fmt.Fprintf(w, "data: %d\n\n", event)
				return event < 3
			})
		},
		"short": func(c *gin.Context, _ int64) {
			c.Header("Content-Length", "10")
			c.String(http.StatusOK, "123")
		},
		"status-twice": func(c *gin.Context, _ int64) { // nothing is written yet, so the last one counts
			c.Status(http.StatusAccepted)
			c.JSON(http.StatusCreated, gin.H{"ok": true})
		},
		"status-kept": func(c *gin.Context, _ int64) {
			c.Status(http.StatusAccepted)
			c.JSON(-1, gin.H{"ok": true}) // gin's word for the status that is set
		},
		"late-stream": func(c *gin.Context, _ int64) {
			c.Header("Content-Type", "text/plain")
			c.Status(http.StatusCreated)
			c.Writer.WriteHeaderNow()
			c.Header("X-Late", "1")
			c.Writer.Flush()
			c.Writer.WriteString("in time")
		},
		"error-after-answer": func(c *gin.Context, _ int64) {
			c.String(http.StatusCreated, "done")
			c.Error(errors.New("too late to say so"))
		},
		"abort":     func(c *gin.Context, _ int64) { c.AbortWithStatus(http.StatusGone) },
		"collected": func(c *gin.Context, _ int64) { c.Error(errors.New("collected")) },
		"writer": func(c *gin.Context, _ int64) {
			c.Status(http.StatusAccepted)
			size, written, status := c.Writer.Size(), c.Writer.Written(), c.Writer.Status()
			c.Status(http.StatusOK)
			if size == -1 && !written && status == http.StatusAccepted {
				io.WriteString(c.Writer, "-1 ")
			}
			c.Status(http.StatusCreated) // too late
			if c.Writer.Size() == 3 && c.Writer.Written() && c.Writer.Status() == http.StatusOK {
				c.Writer.Write([]byte("false 202; 3 true 200"))
			}
		},
	}
}
