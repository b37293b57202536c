package grpcadapter_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/replay"
)

// An interceptor inside another of the same engine lets the call pass: the outer one has the key.
func TestInterceptorInsideAnInterceptor(t *testing.T) {
	run(t, func(w *world) {
		engine := w.engine(replay.Config{Wait: time.Minute})
		interceptor := func() grpc.UnaryServerInterceptor {
			a, err := grpcadapter.New(engine, grpcadapter.Config{Scope: grpcadapter.GlobalScope})
			if err != nil {
				t.Fatal(err)
			}
			return a.UnaryServerInterceptor()
		}
		outer, inner := interceptor(), interceptor()
		info := &grpc.UnaryServerInfo{FullMethod: "/a.B/C"}
		runs := 0
		for range 2 {
			begun := time.Now()
			reply, err := outer(w.incoming("k"), request("pay"), info, func(ctx context.Context, req any) (any, error) {
				return inner(ctx, req, info, func(context.Context, any) (any, error) { runs++; return say("done") })
			})
			if r, ok := reply.(*testgrpc.SimpleResponse); err != nil || !ok || string(r.GetPayload().GetBody()) != "done" || time.Since(begun) > time.Second {
				t.Errorf("got %v, %v after %v", reply, err, time.Since(begun))
			}
		}
		if runs != 1 {
			t.Errorf("ran %d times", runs)
		}
	})
}
