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
