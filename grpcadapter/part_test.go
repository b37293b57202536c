package grpcadapter_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/replay"
)

// In shadow every call runs, and says what would have been answered in its place.
func TestShadowChangesNothing(t *testing.T) {
	run(t, func(w *world) {
		var runs atomic.Int64
		s := w.serve(setup{engine: replay.Config{Shadow: true}, cfg: grpcadapter.Config{RequireKey: true}}, count(&runs))
		for i, tt := range []struct{ key, body, would string }{
			{"k", "pay", ""}, {"k", "pay", "replayed"}, {"k", "other", "reused"}, {"", "pay", "missing"}, {"two words", "pay", "invalid"},
		} {
			a := s.send(tt.key, tt.body)
			if a.text() != fmt.Sprint("run ", i+1) || len(a.header["idempotency-stored"]) != 0 || a.replayed() {
				t.Errorf("%q: got %q, %v, %v", tt.key, a.text(), a.err, a.header)
			}
			if would := strings.Join(a.header["idempotency-shadow"], " "); would != tt.would {
				t.Errorf("%q, %q: would have been %q, want %q", tt.key, tt.body, would, tt.would)
			}
		}
	})
}

func TestWhoTakesPart(t *testing.T) {
	const own, cached = "/grpc.testing.TestService/UnaryCall", "/grpc.testing.TestService/CacheableUnaryCall"
	for _, tt := range []struct {
		name       string
		cfg        grpcadapter.Config
		key        string
		own, other bool // is UnaryCall, or CacheableUnaryCall, protected?
	}{
		{"all", grpcadapter.Config{}, "k", true, true},
		{"no key", grpcadapter.Config{}, "", false, false},
		{"one", grpcadapter.Config{Methods: []string{own}}, "k", true, false},
		{"service", grpcadapter.Config{Methods: []string{"/grpc.testing.TestService/*"}}, "k", true, true},
		{"other service", grpcadapter.Config{Methods: []string{"/grpc.testing.Test/*"}, RequireKey: true}, "k", false, false},
		{"function", grpcadapter.Config{Methods: []string{own}, MethodFunc: func(m string) bool { return m == cached }}, "k", false, true},
		{"other metadata", grpcadapter.Config{KeyMetadata: "X-Key"}, "k", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, func(w *world) {
				var runs atomic.Int64
				s := w.serve(setup{cfg: tt.cfg}, count(&runs))
				once := func(call func() answer) bool {
					before := runs.Load()
					if a := call(); a.err != nil {
						t.Fatal(a.err)
					}
					call()
					return runs.Load() == before+1
				}
				if got := once(func() answer { return s.send(tt.key, "pay") }); got != tt.own {
					t.Errorf("UnaryCall: %v", got)
				}
				if got := once(func() (a answer) {
					ctx := w.outgoing(tt.key + "2")
					if tt.key == "" {
						ctx = w.Context()
					}
					a.reply, a.err = s.CacheableUnaryCall(ctx, request("pay"))
					return a
				}); got != tt.other {
					t.Errorf("CacheableUnaryCall: %v", got)
				}
			})
		})
	}
}

func TestScopesAreApart(t *testing.T) {
	run(t, func(w *world) {
		var runs atomic.Int64
		s := w.serve(setup{cfg: grpcadapter.Config{Scope: grpcadapter.ScopeMetadata("Account")}}, count(&runs))
		if a := s.send("k", "pay", "account", "a"); a.text() != "run 1" {
			t.Error(a.err)
		}
		if a := s.send("k", "other", "account", "b"); a.text() != "run 2" {
			t.Errorf("another account: %v", a.err)
		}
		if a := s.send("k", "pay", "account", "a"); a.text() != "run 1" || !a.replayed() {
			t.Errorf("the first account: %v", a.err)
		}
		if a := s.send("k", "pay", "account", " a "); a.text() != "run 1" || !a.replayed() {
			t.Errorf("the first account, with blanks around it: %q, %v", a.text(), a.err)
		}
		for _, accounts := range [][]string{{"account", ""}, {"account", "  "}, {"account", "a", "account", "a"}} {
			if a := s.send("k", "pay", accounts...); a.reason() != "UNSCOPED" {
				t.Errorf("%q: %v", accounts, a.err)
			}
		}
	})
}

// A scope is what an HTTP header's is: without white space around it. Bytes are left as they are.
func TestScopeMetadata(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"account", "alice", "alice"},
		{"account", "\t alice \t", "alice"},
		{"account", "a b", "a b"},
		{"account", " \t", "refused"},
		{"account", "", "refused"},
		{"account-bin", " \t", " \t"},
		{"Account-Bin", "\x00 ", "\x00 "},
	} {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs(tt.name, tt.value))
		got, err := grpcadapter.ScopeMetadata(tt.name)(ctx)
		if err != nil {
			got = "refused"
		}
		if got != tt.want {
			t.Errorf("%s: %q: got %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}

// Streams pass as they are: no key is asked for, and nothing is stored.
func TestStreamsPass(t *testing.T) {
	run(t, func(w *world) {
		var runs atomic.Int64
		s := w.serve(setup{cfg: grpcadapter.Config{RequireKey: true}}, count(&runs))
		for i, ctx := range []context.Context{w.Context(), w.outgoing("k"), w.outgoing("k")} {
			stream, err := s.StreamingOutputCall(ctx, &testgrpc.StreamingOutputCallRequest{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := stream.Recv()
			if got := string(r.GetPayload().GetBody()); got != fmt.Sprint("run ", i+1) {
				t.Errorf("got %q, %v", got, err)
			}
			stream.Recv()
		}
		if keys := w.redis.Keys(); len(keys) != 0 {
			t.Errorf("stored %v", keys)
		}
	})
}

// A request that can't be told from others must not run unprotected.
func TestRequestThatIsNoMessage(t *testing.T) {
	run(t, func(w *world) {
		adapter, err := grpcadapter.New(w.engine(replay.Config{}), grpcadapter.Config{Scope: grpcadapter.GlobalScope})
		if err != nil {
			t.Fatal(err)
		}
		_, err = adapter.UnaryServerInterceptor()(w.incoming("k"), "text", &grpc.UnaryServerInfo{FullMethod: "/a/b"},
			func(context.Context, any) (any, error) { t.Error("it ran"); return &emptypb.Empty{}, nil })
		if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "string") {
			t.Errorf("got %v", err)
		}
	})
}
