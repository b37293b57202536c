package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/reprise-go/reprise/examples/internal/routertest"
	"github.com/reprise-go/reprise/examples/internal/shop"
	"github.com/reprise-go/reprise/httpadapter"
)

func TestPayments(t *testing.T) {
	routertest.Walk(t, func(s *shop.Shop) http.Handler { return routes(s) })
}

func TestCorners(t *testing.T) {
	routertest.Probe(t, func(a *httpadapter.Adapter, stage *routertest.Stage) http.Handler {
		e := echo.New()
		e.Use(middleware.Recover(), func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c *echo.Context) error {
				c.Set("outer", "outer")
				client, request := c.Response(), c.Request()
				err := next(c)
				if c.Response() != client || c.Request() != request {
					t.Errorf("%s: an outer middleware got what is of an inner one", request.URL)
				}
				return err
			}
		})
		probes := echoProbes(stage)
		probe := func(c *echo.Context) error {
			run := stage.Begin()
			return probes[c.Param("name")](c, run)
		}
		e.POST("/plain/:name", probe)
		e.POST("/keyed/:name", probe, idempotent(a))
		e.Match([]string{http.MethodGet, http.MethodHead}, "/keyed/:name", probe, idempotent(a))
		return e
	},
		routertest.Case{Name: "unknown-error", Status: http.StatusInternalServerError, Stored: false},
		routertest.Case{Name: "error-after-answer", Status: http.StatusCreated, Body: "done", Stored: true},
		routertest.Case{Name: "hooks", Status: http.StatusOK, Body: "hooked", Stored: true},
	)
}

// An error is answered once, by an error handler that does not look whether somebody has answered
// already.
func TestErrorIsAnsweredOnce(t *testing.T) {
	e := echo.New()
	answered := 0
	e.HTTPErrorHandler = func(c *echo.Context, err error) {
		answered++
		c.String(http.StatusTeapot, err.Error())
	}
	fail := func(*echo.Context) error { return errors.New("no coffee") }
	e.POST("/", fail, idempotent(routertest.Adapter(t)))
	for _, replayed := range []string{"", "true"} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Idempotency-Key", "k")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		got := w.Header().Get("Idempotency-Replayed")
		if w.Code != http.StatusTeapot || w.Body.String() != "no coffee" || got != replayed || answered != 1 {
			t.Errorf("got %d %q, replayed %q, answered %d times", w.Code, w.Body, got, answered)
		}
	}
}

// A request that the adapter takes no part in is Echo's alone: its error goes on outwards.
func TestOthersPassAsTheyAre(t *testing.T) {
	e := echo.New()
	failure := errors.New("no coffee")
	var seen error
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			seen = next(c)
			return seen
		}
	})
	e.GET("/", func(*echo.Context) error { return failure }, idempotent(routertest.Adapter(t)))
	e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if seen != failure {
		t.Errorf("the outer middleware got %v, want %v", seen, failure)
	}
}

func echoProbes(stage *routertest.Stage) map[string]func(*echo.Context, int64) error {
	return map[string]func(*echo.Context, int64) error{
		"nothing":    func(*echo.Context, int64) error { return nil },
		"status":     func(c *echo.Context, _ int64) error { return c.NoContent(http.StatusAccepted) },
		"no-content": func(c *echo.Context, _ int64) error { return c.NoContent(http.StatusNoContent) },
		"headers": func(c *echo.Context, _ int64) error {
			c.Response().Header().Add("Vary", "A")
			c.Response().Header().Add("Vary", "B")
			c.Response().Header().Set("X-Probe", "1")
			return c.Blob(http.StatusOK, "text/csv", []byte("1,2\n"))
		},
		"late": func(c *echo.Context, _ int64) error {
			err := c.String(http.StatusCreated, "in time")
			c.Response().Header().Set("X-Late", "1")
			c.Response().WriteHeader(http.StatusAccepted)
			return err
		},
		"error": func(*echo.Context, int64) error { return echo.NewHTTPError(http.StatusTeapot, "no coffee") },
		"failure": func(*echo.Context, int64) error {
			return echo.NewHTTPError(http.StatusServiceUnavailable, "no tea")
		},
		"outer": func(c *echo.Context, _ int64) error {
			outer, _ := c.Get("outer").(string)
			return c.String(http.StatusOK, c.Param("name")+" "+outer)
		},
		"stream": func(c *echo.Context, run int64) error {
			c.Response().Header().Set(echo.HeaderContentType, "text/event-stream")
			io.WriteString(c.Response(), "data: 1\n\n")
			http.NewResponseController(c.Response()).Flush()
			stage.Wait(run)
			io.WriteString(c.Response(), "data: 2\n\n")
			http.NewResponseController(c.Response()).Flush()
			_, err := io.WriteString(c.Response(), "data: 3\n\n")
			return err
		},
		"short": func(c *echo.Context, _ int64) error {
			c.Response().Header().Set(echo.HeaderContentLength, "10")
			return c.String(http.StatusOK, "123")
		},
		"unknown-error": func(*echo.Context, int64) error { return errors.New("no status") },
		"error-after-answer": func(c *echo.Context, _ int64) error {
			c.String(http.StatusCreated, "done")
			return errors.New("too late to say so")
		},
		"hooks": func(c *echo.Context, _ int64) error {
			r, err := echo.UnwrapResponse(c.Response())
			if err != nil {
				return err
			}
			r.Before(func() { r.Header().Set("X-Hook", "1") })
			return c.String(http.StatusOK, "hooked")
		},
	}
}
