package grpcadapter_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/replay"
)

// A panic is carried on to whoever recovers, and the next attempt is told.
func TestPanicAbandonsTheKey(t *testing.T) {
	run(t, func(w *world) {
		recovered := 0
		s := w.serve(setup{outer: []grpc.UnaryServerInterceptor{
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (_ any, err error) {
				defer func() {
					if v := recover(); v != nil {
						if v != errFault {
							t.Errorf("panic %v", v)
						}
						recovered++
						err = status.Error(codes.Internal, "")
					}
				}()
				return next(ctx, req)
			},
		}}, func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			attempt, _ := replay.AttemptFrom(ctx)
			if attempt.Number == 1 {
				panic(errFault)
			}
			return say(fmt.Sprint("attempt ", attempt.Number))
		})
		if a := s.send("k", "pay"); a.code() != codes.Internal || recovered != 1 {
			t.Errorf("got %v, recovered %d", a.err, recovered)
		}
		if a := s.send("k", "pay"); a.text() != "attempt 2" {
			t.Errorf("got %q, %v", a.text(), a.err)
		}
	})
}

func TestReconcile(t *testing.T) {
	reconcile := func(decision replay.Decision, reply any, err error) func(context.Context, any, *grpc.UnaryServerInfo) (replay.Decision, any, error) {
		return func(ctx context.Context, req any, info *grpc.UnaryServerInfo) (replay.Decision, any, error) {
			grpc.SetHeader(ctx, metadata.Pairs("from", "reconcile"))
			if req.(*testgrpc.SimpleRequest).Payload == nil || info.FullMethod == "" {
				return 0, nil, errFault
			}
			return decision, reply, err
		}
	}
	found, _ := say("found")
	for _, tt := range []struct {
		name            string
		decision        replay.Decision
		reply           any
		err             error
		want            string // of the second call
		again           string // and of the third
		reconciled, ran bool
	}{
		{"answered", replay.Done, found, nil, "found OK", "found OK true", true, false},
		{"answered with an error", replay.Done, nil, status.Error(codes.NotFound, ""), " NotFound", " NotFound true", true, false},
		{"answered in doubt", replay.Done, nil, status.Error(codes.Internal, ""), " Internal", " Internal false", true, false},
		{"run", replay.NotDone, nil, nil, "attempt 2 OK", "attempt 2 OK true", false, true},
		{"unknown", replay.Undecided, nil, nil, " FailedPrecondition OUTCOME_UNKNOWN", "", false, false},
		{"failed", replay.NotDone, nil, errFault, " FailedPrecondition OUTCOME_UNKNOWN", "", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, func(w *world) {
				s := w.serve(setup{
					engine: replay.Config{OnAbandoned: replay.AskReconcile},
					cfg:    grpcadapter.Config{Reconcile: reconcile(tt.decision, tt.reply, tt.err)},
				}, func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
					attempt, _ := replay.AttemptFrom(ctx)
					if attempt.Number == 1 {
						return nil, errFault
					}
					return say(fmt.Sprint("attempt ", attempt.Number))
				})
				if a := s.send("k", "pay"); a.code() != codes.Unknown {
					t.Fatalf("first: %v", a.err)
				}
				a := s.send("k", "pay")
				got := fmt.Sprint(a.text(), " ", a.code())
				if a.reason() != "" {
					got += " " + a.reason()
				}
				if got != tt.want || a.replayed() || (len(a.header["from"]) == 1) != tt.reconciled {
					t.Errorf("got %q, %v, want %q", got, a.header, tt.want)
				}
				if tt.again == "" {
					return
				}
				a = s.send("k", "pay")
				if got := fmt.Sprint(a.text(), " ", a.code(), " ", a.replayed()); got != tt.again {
					t.Errorf("again: got %q, want %q", got, tt.again)
				}
			})
		})
	}
}

// A goroutine that Reconcile leaves behind has no part in the handler's answer.
func TestReconcileLeavesAGoroutineBehind(t *testing.T) {
	run(t, func(w *world) {
		running, done := make(chan struct{}), make(chan struct{})
		s := w.serve(setup{
			engine: replay.Config{OnAbandoned: replay.AskReconcile},
			cfg: grpcadapter.Config{Reconcile: func(ctx context.Context, _ any, _ *grpc.UnaryServerInfo) (replay.Decision, any, error) {
				go func() {
					defer close(done)
					<-running
					if grpc.SetHeader(ctx, metadata.Pairs("late", "1")) == nil || grpc.SetTrailer(ctx, metadata.Pairs("late", "1")) == nil {
						t.Error("late metadata was taken")
					}
				}()
				return replay.NotDone, nil, nil
			}},
		}, func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			if attempt, _ := replay.AttemptFrom(ctx); attempt.Number == 1 {
				return nil, errFault
			}
			close(running)
			<-done
			return say("handled")
		})
		s.send("k", "pay")
		if a := s.send("k", "pay"); a.text() != "handled" || len(a.header["late"])+len(a.trailer["late"]) > 0 {
			t.Errorf("got %q, %v, %v, %v", a.text(), a.err, a.header, a.trailer)
		}
	})
}
