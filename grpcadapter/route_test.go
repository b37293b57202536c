package grpcadapter_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/replay"
)

// A call is for the first route that has its method, and for the adapter itself if none has: each
// by its own settings.
func TestRoute(t *testing.T) {
	run(t, func(w *world) {
		adapter, err := grpcadapter.New(w.engine(replay.Config{}), grpcadapter.Config{Scope: grpcadapter.GlobalScope})
		if err != nil {
			t.Fatal(err)
		}
		route := func(method string, change func(*grpcadapter.Config)) *grpcadapter.Adapter {
			r, err := adapter.Route(func(c *grpcadapter.Config) {
				c.Methods = []string{method}
				change(c)
			})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		serve := adapter.UnaryServerInterceptor(
			route("/shop.Refunds/Make", func(c *grpcadapter.Config) { c.RequireKey, c.OnAbandoned = true, replay.RefuseUnknown }),
			route("/shop.Refunds/*", func(c *grpcadapter.Config) { c.OnFailure = replay.ReleaseFailed }),
		)
		attempt := 0
		fails := func(ctx context.Context, _ any) (any, error) {
			a, _ := replay.AttemptFrom(ctx)
			attempt = a.Number
			return nil, status.Error(codes.Internal, "")
		}
		call := func(ctx context.Context, method string) codes.Code {
			attempt = -1
			_, err := serve(ctx, request("pay"), &grpc.UnaryServerInfo{FullMethod: method}, fails)
			return status.Code(err)
		}
		for _, tt := range []struct {
			method, key string
			code        codes.Code
			attempt     int // -1 if the handler doesn't run
		}{
			{"/shop.Refunds/Make", "a", codes.Internal, 1},
			{"/shop.Refunds/Make", "a", codes.FailedPrecondition, -1},
			{"/shop.Refunds/Void", "b", codes.Internal, 1},
			{"/shop.Refunds/Void", "b", codes.Internal, 1},
			{"/shop.Payments/Make", "c", codes.Internal, 1},
			{"/shop.Payments/Make", "c", codes.Internal, 2},
		} {
			if code := call(w.incoming(tt.key), tt.method); code != tt.code || attempt != tt.attempt {
				t.Errorf("%s: got %v of attempt %d, want %v of %d", tt.method, code, attempt, tt.code, tt.attempt)
			}
		}
		if code := call(w.Context(), "/shop.Refunds/Make"); code != codes.InvalidArgument {
			t.Errorf("without a key: got %v", code)
		}
		if code := call(w.Context(), "/shop.Refunds/Void"); code != codes.Internal {
			t.Errorf("without a key, where none is required: got %v", code)
		}
	})
}

// A route for every method would leave none to the adapter that it is of, and one with a fault is
// none.
func TestRouteTellsFaults(t *testing.T) {
	run(t, func(w *world) {
		adapter, err := grpcadapter.New(w.engine(replay.Config{}), grpcadapter.Config{Scope: grpcadapter.GlobalScope, Methods: []string{"/a.B/*"}})
		if err != nil {
			t.Fatal(err)
		}
		for want, change := range map[string]func(*grpcadapter.Config){
			"Methods":     func(*grpcadapter.Config) {},
			"Reconcile":   func(c *grpcadapter.Config) { c.Methods, c.OnAbandoned = []string{"/a.B/C"}, replay.AskReconcile },
			"OnAbandoned": func(c *grpcadapter.Config) { c.MethodFunc, c.OnAbandoned = func(string) bool { return true }, "never" },
		} {
			route, err := adapter.Route(change)
			if got := names(errors.Unwrap(err)); route != nil || !slices.Equal(got, []string{want}) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	})
}

// Trace is told of what is refused before the engine is asked.
func TestTraceIsToldOfRefusals(t *testing.T) {
	run(t, func(w *world) {
		var told []replay.Event
		engine := w.engine(replay.Config{Trace: &replay.Trace{
			Finished: func(_ context.Context, e replay.Event) { told = append(told, e) },
		}})
		adapter, err := grpcadapter.New(engine, grpcadapter.Config{Scope: grpcadapter.ScopeMetadata("account"), RequireKey: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			ctx     context.Context
			outcome replay.Outcome
		}{
			{w.Context(), "missing"},
			{w.incoming("k"), "unscoped"},
		} {
			told = nil
			adapter.UnaryServerInterceptor()(tt.ctx, request("pay"), &grpc.UnaryServerInfo{FullMethod: "/shop.Payments/Make"}, nil)
			want := replay.Event{Route: "/shop.Payments/Make", Dialect: "grpc", Outcome: tt.outcome}
			if len(told) != 1 || told[0] != want {
				t.Errorf("told %+v, want %+v", told, want)
			}
		}
	})
}
