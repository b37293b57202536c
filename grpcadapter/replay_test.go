package grpcadapter_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/reprise-go/reprise/replay"
)

func TestRetryGetsTheFirstAnswer(t *testing.T) {
	run(t, func(w *world) {
		var runs atomic.Int64
		s := w.serve(setup{}, count(&runs))
		first, second := s.send("k", "pay"), s.send(`"k"`, "pay")
		if first.err != nil || first.text() != "run 1" || first.replayed() {
			t.Errorf("first: %v %q %v", first.err, first.text(), first.header)
		}
		if second.err != nil || second.text() != "run 1" || !second.replayed() {
			t.Errorf("second: %v %q %v", second.err, second.text(), second.header)
		}
		if other := s.send("other", "pay"); other.text() != "run 2" || other.replayed() {
			t.Errorf("another key: %q %v", other.text(), other.header)
		}
	})
}

// Everything that a handler can say comes again: a message with all its fields, those that this
// binary doesn't know among them, and metadata of either kind, binary values included.
func TestReplayIsTheSameMessage(t *testing.T) {
	run(t, func(w *world) {
		want := &testgrpc.SimpleResponse{
			Payload: &testgrpc.Payload{Type: testgrpc.PayloadType_COMPRESSABLE, Body: []byte{0, 255}}, Username: "é", ServerId: "1",
		}
		want.ProtoReflect().SetUnknown([]byte{0xa0, 0x06, 0x2a}) // field 100, 42
		s := w.serve(setup{}, func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			grpc.SetHeader(ctx, metadata.Pairs("Location", "/a", "x-bin", "\x00\xff", "date", "now"))
			grpc.SetHeader(ctx, metadata.Pairs("location", "/b"))
			grpc.SetTrailer(ctx, metadata.Pairs("cost", "7", "x-request-id", "1"))
			return proto.CloneOf(want), nil
		})
		first, second := s.send("k", "pay"), s.send("k", "pay")
		for _, a := range []answer{first, second} {
			if !proto.Equal(a.reply, want) {
				t.Errorf("got %v, %v", a.reply, a.err)
			}
			if got := a.header.Get("location"); !slices.Equal(got, []string{"/a", "/b"}) || a.header.Get("x-bin")[0] != "\x00\xff" {
				t.Errorf("header: %v", a.header)
			}
			if got := a.trailer.Get("cost"); !slices.Equal(got, []string{"7"}) {
				t.Errorf("trailer: %v", a.trailer)
			}
		}
		if len(first.header["date"]) != 1 || len(second.header["date"]) != 0 || len(second.trailer["x-request-id"]) != 0 {
			t.Errorf("what holds for one answer: %v, then %v %v", first.header, second.header, second.trailer)
		}
		if len(first.header["idempotency-stored"]) != 0 || !second.replayed() {
			t.Errorf("markers: %v, then %v", first.header, second.header)
		}
	})
}

func TestReplayIsTheSameStatus(t *testing.T) {
	run(t, func(w *world) {
		runs := 0
		s := w.serve(setup{}, func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			runs++
			grpc.SetHeader(ctx, metadata.Pairs("location", "/a"))
			grpc.SetTrailer(ctx, metadata.Pairs("cost", "7"))
			st, _ := status.New(codes.FailedPrecondition, "no funds: é").WithDetails(&errdetails.ErrorInfo{Reason: "NO_FUNDS", Domain: "bank"})
			return nil, fmt.Errorf("wrapped: %w", st.Err())
		})
		first, second := s.send("k", "pay"), s.send("k", "pay")
		a, b := status.Convert(first.err).Proto(), status.Convert(second.err).Proto()
		if runs != 1 || len(a.Details) != 1 || !proto.Equal(a, b) {
			t.Errorf("%d runs: %v, then %v", runs, a, b)
		}
		if first.replayed() || !second.replayed() || second.header.Get("location")[0] != "/a" || second.trailer.Get("cost")[0] != "7" {
			t.Errorf("%v, then %v %v", first.header, second.header, second.trailer)
		}
	})
}

// A text that is none is replayed as gRPC has sent it.
func TestReplayOfATextThatIsNone(t *testing.T) {
	run(t, func(w *world) {
		runs := 0
		s := w.serve(setup{}, func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			runs++
			return nil, status.Error(codes.NotFound, "no order \xff\xfe")
		})
		for i, a := range []answer{s.send("k", "pay"), s.send("k", "pay")} {
			if st := status.Convert(a.err); st.Code() != codes.NotFound || st.Message() != "no order \ufffd\ufffd" || a.replayed() != (i == 1) || runs != 1 {
				t.Errorf("answer %d of %d runs: %v, replayed: %v", i+1, runs, a.err, a.replayed())
			}
		}
	})
}

// SendHeader completes the header, as with gRPC's own, and sends it no sooner than the answer.
func TestHeaderWaitsForTheAnswer(t *testing.T) {
	run(t, func(w *world) {
		s := w.serve(setup{}, func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			if err := grpc.SendHeader(ctx, metadata.Pairs("location", "/a")); err != nil {
				t.Error(err)
			}
			if grpc.SetHeader(ctx, metadata.Pairs("late", "1")) == nil || grpc.SendHeader(ctx, nil) == nil {
				t.Error("the header could be set after it was sent")
			}
			if method, ok := grpc.Method(ctx); !ok || method != "/grpc.testing.TestService/UnaryCall" {
				t.Errorf("method %q", method)
			}
			return nil, status.Error(codes.Unavailable, "")
		})
		a := s.send("k", "pay")
		if a.header.Get("location")[0] != "/a" || len(a.header.Get("late")) != 0 {
			t.Errorf("got %v", a.header)
		}
	})
}

// Whoever still writes when the handler has returned writes nowhere.
func TestMetadataAfterTheAnswerIsRefused(t *testing.T) {
	run(t, func(w *world) {
		var left context.Context
		s := w.serve(setup{}, func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			left = ctx
			return say("ok")
		})
		s.send("k", "pay")
		md := metadata.Pairs("late", "1")
		if grpc.SetHeader(left, md) == nil || grpc.SendHeader(left, md) == nil || grpc.SetTrailer(left, md) == nil {
			t.Error("it was taken")
		}
	})
}

// Of many at once one runs. With Wait all get its answer; without, they are told to come again.
func TestConcurrentDuplicatesRunOnce(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Minute} {
		run(t, func(w *world) {
			var runs atomic.Int64
			first := make(chan struct{})
			s := w.serve(setup{engine: replay.Config{Wait: wait}}, func(ctx context.Context, r *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
				<-first
				return count(&runs)(ctx, r)
			})
			answers := make(chan answer, 20)
			for range cap(answers) {
				go func() { answers <- s.send("k", "pay") }()
			}
			synctest.Wait()
			close(first)
			seen := map[string]int{}
			for range cap(answers) {
				a := <-answers
				seen[fmt.Sprint(a.text(), a.reason(), a.replayed())]++
			}
			want := map[string]int{"run 1false": 1, "IN_PROGRESSfalse": 19}
			if wait > 0 {
				want = map[string]int{"run 1false": 1, "run 1true": 19}
			}
			if runs.Load() != 1 || fmt.Sprint(seen) != fmt.Sprint(want) {
				t.Errorf("wait %v: %d runs: %v, want %v", wait, runs.Load(), seen, want)
			}
		})
	}
}

// A record is the fleet's: a server that comes up later gives it, and so does another one.
func TestRecordOutlivesTheServer(t *testing.T) {
	run(t, func(w *world) {
		var runs atomic.Int64
		first := w.serve(setup{}, count(&runs))
		first.send("k", "pay")
		first.server.GracefulStop()
		if a := w.serve(setup{}, count(&runs)).send("k", "pay"); a.text() != "run 1" || !a.replayed() {
			t.Errorf("got %q, %v, %v", a.text(), a.err, a.header)
		}
	})
}

// The client hangs up: the work goes on, without the client's deadline, and its answer waits.
func TestHangupRunsOn(t *testing.T) {
	run(t, func(w *world) {
		var runs atomic.Int64
		s := w.serve(setup{}, func(ctx context.Context, r *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			time.Sleep(time.Minute)
			if ctx.Err() != nil {
				t.Error(context.Cause(ctx))
			}
			return count(&runs)(ctx, r)
		})
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		if a := s.sendIn(ctx, "k", "pay"); a.code() != codes.DeadlineExceeded {
			t.Errorf("got %v", a.err)
		}
		if a := s.send("k", "pay"); a.reason() != "IN_PROGRESS" {
			t.Errorf("while it runs: %v", a.err)
		}
		time.Sleep(time.Minute)
		if a := s.send("k", "pay"); a.text() != "run 1" || !a.replayed() {
			t.Errorf("afterwards: %q, %v", a.text(), a.err)
		}
	})
}

// Whoever finishes after another has taken the key gives the winner's answer and no word of its
// own.
func TestLateFinisherGivesTheWinnersAnswer(t *testing.T) {
	run(t, func(w *world) {
		var runs atomic.Int64
		late := make(chan struct{})
		s := w.serve(setup{}, func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			n := runs.Add(1)
			grpc.SetHeader(ctx, metadata.Pairs("from", fmt.Sprint(n)))
			if n == 1 {
				<-late
			}
			return say(fmt.Sprint("run ", n))
		})
		first := make(chan answer, 1)
		go func() { first <- s.send("k", "pay") }()
		synctest.Wait()
		w.redis.FlushAll()
		s.send("k", "pay")
		close(late)
		if a := <-first; a.text() != "run 2" || !a.replayed() || !slices.Equal(a.header["from"], []string{"2"}) {
			t.Errorf("got %q, %v, %v", a.text(), a.err, a.header)
		}
	})
}
