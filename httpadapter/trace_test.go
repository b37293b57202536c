package httpadapter

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/replay"
)

type ownDialect struct{ dialect.Problem }

// Trace is told few routes and few dialects, whatever clients send.
func TestTraceKnowsRouteAndDialect(t *testing.T) {
	var told replay.Event
	engine := away(t, replay.Config{Trace: &replay.Trace{Finished: func(_ context.Context, e replay.Event) { told = e }}})
	for _, tc := range []struct {
		pattern        string
		cfg            Config
		route, dialect string
	}{
		{"POST example.com/orders/{id}", Config{}, "/orders/{id}", "problem"},
		{"/orders/", Config{DialectName: "stripe"}, "/orders/", "stripe"},
		{"/", Config{Dialect: dialect.Problem{InstanceBase: "https://example.com/"}}, "/", "problem"},
		{"/", Config{Dialect: dialect.BlueSnap{}, Route: func(*http.Request) string { return "orders" }}, "orders", "bluesnap"},
		{"/", Config{Dialect: ownDialect{}}, "/", "custom"},
		{"/", Config{Dialect: ownDialect{}, DialectName: "teapot"}, "/", "teapot"},
		{"", Config{}, "", "problem"},
	} {
		tc.cfg.Scope = GlobalScope
		a, err := New(engine, tc.cfg)
		if err != nil {
			t.Fatal(err)
		}
		h := a.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		if tc.pattern != "" {
			mux := http.NewServeMux()
			mux.Handle(tc.pattern, h)
			h = mux
		}
		r := httptest.NewRequest("POST", "http://example.com/orders/4711", strings.NewReader("order"))
		r.Header.Set("Idempotency-Key", "k")
		h.ServeHTTP(httptest.NewRecorder(), r)
		if told.Route != tc.route || told.Dialect != tc.dialect {
			t.Errorf("%s: route %q and dialect %q, want %q and %q", tc.pattern, told.Route, told.Dialect, tc.route, tc.dialect)
		}
	}
}

// Trace is told of what is refused before the engine is asked, and in shadow mode of what would be.
func TestTraceIsToldOfRefusals(t *testing.T) {
	for _, shadow := range []bool{false, true} {
		var told []replay.Event
		engine := away(t, replay.Config{Shadow: shadow, Trace: &replay.Trace{
			Started: func(ctx context.Context, _ replay.Event) context.Context { return context.WithValue(ctx, t, "started") },
			Finished: func(ctx context.Context, e replay.Event) {
				if ctx.Value(t) != "started" {
					t.Error("an end without its start")
				}
				told = append(told, e)
			},
		}})
		a, err := New(engine, Config{Scope: ScopeHeader("X-Account"), RequireKey: true, MaxBody: 10})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle("POST /orders", a.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		for _, tc := range []struct {
			key, account, body string
			scope              string
			outcome            replay.Outcome
		}{
			{"", "acme", "", "", "missing"},
			{"\x00", "acme", "", "", "invalid"},
			{"k", "", "", "", "unscoped"},
			{"k", "acme", "longer than ten", "acme", "body-too-large"},
		} {
			r := httptest.NewRequest("POST", "/orders", strings.NewReader(tc.body))
			r.Header = http.Header{}
			if tc.key != "" {
				r.Header.Set("Idempotency-Key", tc.key)
			}
			if tc.account != "" {
				r.Header.Set("X-Account", tc.account)
			}
			told = nil
			mux.ServeHTTP(httptest.NewRecorder(), r)
			want := replay.Event{Scope: tc.scope, Route: "/orders", Dialect: "problem", Outcome: tc.outcome, Shadow: shadow}
			if len(told) != 1 || told[0] != want {
				t.Errorf("shadow %v: told %+v, want %+v", shadow, told, want)
			}
		}
	}
}
