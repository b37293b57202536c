package grpcadapter_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/grpcadapter"
)

// client makes a dial option of the client's interceptor.
func client(t *testing.T, cfg grpcadapter.ClientConfig) grpc.DialOption {
	t.Helper()
	intercept, err := grpcadapter.UnaryClientInterceptor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return grpc.WithChainUnaryInterceptor(intercept)
}

// tries counts the calls that reach the server, and their keys.
type tries struct {
	n    atomic.Int64
	mu   sync.Mutex
	keys map[string]bool // read when the calls are over
}

func (c *tries) count(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	c.n.Add(1)
	c.mu.Lock()
	if c.keys == nil {
		c.keys = map[string]bool{}
	}
	c.keys[fmt.Sprint(metadata.ValueFromIncomingContext(ctx, "idempotency-key"))] = true
	c.mu.Unlock()
	return next(ctx, req)
}

// The connection breaks after the handler has run: the answer is lost, the client sends again under
// its key, and gets the first answer.
func TestLostAnswerIsHadByTheRetry(t *testing.T) {
	run(t, func(w *world) {
		var runs atomic.Int64
		var seen tries
		var s *site
		s = w.serve(setup{
			outer: []grpc.UnaryServerInterceptor{seen.count, func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				reply, err := next(ctx, req)
				if seen.n.Load() == 1 {
					s.cut() // it is stored, and on its way
				}
				return reply, err
			}},
			dial: []grpc.DialOption{client(t, grpcadapter.ClientConfig{Backoff: time.Second, MaxTries: 10})},
		}, count(&runs))
		a := s.send("", "pay")
		if a.err != nil || a.text() != "run 1" || !a.replayed() || runs.Load() != 1 {
			t.Errorf("%d runs: %q, %v, %v", runs.Load(), a.text(), a.err, a.header)
		}
		if seen.n.Load() != 2 || len(seen.keys) != 1 || seen.keys["[]"] {
			t.Errorf("%d tries under %v", seen.n.Load(), seen.keys)
		}
	})
}

// The handler takes longer than one try may: it runs on, and a later try gets its answer within the
// same call.
func TestAnswerOfATryThatWasGivenUp(t *testing.T) {
	run(t, func(w *world) {
		var runs atomic.Int64
		var seen tries
		s := w.serve(setup{
			outer: []grpc.UnaryServerInterceptor{seen.count},
			dial:  []grpc.DialOption{client(t, grpcadapter.ClientConfig{})},
		}, func(ctx context.Context, r *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			time.Sleep(8 * time.Second)
			return count(&runs)(ctx, r)
		})
		ctx, cancel := context.WithTimeout(w.Context(), 12*time.Second)
		defer cancel()
		if a := s.sendIn(ctx, "", "pay"); a.text() != "run 1" || !a.replayed() || runs.Load() != 1 || len(seen.keys) != 1 || seen.n.Load() < 3 {
			t.Errorf("%d runs, %d tries under %v: %q, %v", runs.Load(), seen.n.Load(), seen.keys, a.text(), a.err)
		}
	})
}

// The connection breaks while the handler runs: it runs on, the retries are told to wait, and then
// get its answer.
func TestClientWaitsForTheCallInFlight(t *testing.T) {
	run(t, func(w *world) {
		var runs atomic.Int64
		var s *site
		s = w.serve(setup{dial: []grpc.DialOption{client(t, grpcadapter.ClientConfig{MaxTries: 100})}},
			func(ctx context.Context, r *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
				s.cut()
				time.Sleep(20 * time.Second) // past a lease, which is renewed
				return count(&runs)(ctx, r)
			})
		if a := s.send("", "pay"); a.text() != "run 1" || !a.replayed() || runs.Load() != 1 {
			t.Errorf("%d runs: %q, %v", runs.Load(), a.text(), a.err)
		}
	})
}

func TestClientOutlastsRedis(t *testing.T) {
	run(t, func(w *world) {
		var runs atomic.Int64
		s := w.serve(setup{dial: []grpc.DialOption{client(t, grpcadapter.ClientConfig{})}}, count(&runs))
		w.down.Store(true)
		time.AfterFunc(1500*time.Millisecond, func() { w.down.Store(false) })
		if a := s.send("", "pay"); a.text() != "run 1" || a.replayed() {
			t.Errorf("got %q, %v", a.text(), a.err)
		}
	})
}

func TestClientIsToldOfAMismatch(t *testing.T) {
	run(t, func(w *world) {
		var seen tries
		s := w.serve(setup{outer: []grpc.UnaryServerInterceptor{seen.count}, dial: []grpc.DialOption{client(t, grpcadapter.ClientConfig{})}}, work)
		ctx := grpcadapter.WithKey(w.Context(), "k")
		if a := s.sendIn(ctx, "", "pay"); a.err != nil {
			t.Fatal(a.err)
		}
		a := s.sendIn(ctx, "", "other")
		if !errors.Is(a.err, grpcadapter.ErrReused) || a.code() != codes.FailedPrecondition || seen.n.Load() != 2 {
			t.Errorf("%d tries: %v", seen.n.Load(), a.err)
		}
	})
}

// gRPC's own retries, by a service config that asks for too many, end where they must, come back
// when they may, and keep the key.
func TestServiceConfigRetries(t *testing.T) {
	config := grpc.WithDefaultServiceConfig(`{"methodConfig":[{"name":[{}],"retryPolicy":{"maxAttempts":5,"initialBackoff":"0.01s",
		"maxBackoff":"0.01s","backoffMultiplier":1,"retryableStatusCodes":["FAILED_PRECONDITION","ABORTED","UNAVAILABLE","INVALID_ARGUMENT"]}}]}`)
	for _, tt := range []struct {
		name string
		do   func(*world, *site) answer
		want string
		sent int64
	}{
		{"reused", func(_ *world, s *site) answer { s.send("k", "pay"); return s.send("k", "other") }, "REUSED", 2},
		{"malformed", func(_ *world, s *site) answer { return s.send("a b", "pay") }, "INVALID", 1},
		{"in progress", func(w *world, s *site) answer {
			return w.beside(s, "short", "short")
		}, "replayed", 4}, // at once, after 1 s and after 2 s: the first takes 1.5 s
		{"down", func(w *world, s *site) answer {
			w.down.Store(true)
			time.AfterFunc(1500*time.Millisecond, func() { w.down.Store(false) })
			return s.send("k", "pay")
		}, "", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, func(w *world) {
				var seen tries
				s := w.serve(setup{outer: []grpc.UnaryServerInterceptor{seen.count}, dial: []grpc.DialOption{config}}, work)
				a := tt.do(w, s)
				got := a.reason()
				if a.replayed() {
					got = "replayed"
				}
				if got != tt.want || seen.n.Load() != tt.sent || len(seen.keys) != 1 {
					t.Errorf("got %q, %v, after %d calls under %v", got, a.err, seen.n.Load(), seen.keys)
				}
			})
		})
	}
}

// An interceptor around the adapter may have sent the header; then only the marker is lost.
func TestHeaderSentBefore(t *testing.T) {
	run(t, func(w *world) {
		var runs atomic.Int64
		s := w.serve(setup{outer: []grpc.UnaryServerInterceptor{
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				if err := grpc.SendHeader(ctx, metadata.Pairs("outer", "1")); err != nil {
					return nil, status.Error(codes.Internal, err.Error())
				}
				return next(ctx, req)
			},
		}}, count(&runs))
		s.send("k", "pay")
		if a := s.send("k", "pay"); a.text() != "run 1" || a.header["outer"][0] != "1" {
			t.Errorf("got %q, %v", a.text(), a.err)
		}
	})
}
