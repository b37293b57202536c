package grpcadapter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/replay"
)

// One row for each outcome: what leads there, and all that a client reads.
func TestOutcomes(t *testing.T) {
	verdict := func(a grpcadapter.Authorization) setup {
		return setup{cfg: grpcadapter.Config{Authorize: func(context.Context, any, *grpc.UnaryServerInfo) grpcadapter.Authorization { return a }}}
	}
	twice := func(_ *world, s *site) answer { s.send("k", "pay"); return s.send("k", "pay") }
	for _, tt := range []struct {
		name     string
		setup    setup
		do       func(*world, *site) answer
		code     codes.Code
		reason   string
		pushback string
		retry    time.Duration // of RetryInfo
	}{
		{"missing", setup{cfg: grpcadapter.Config{RequireKey: true}}, func(_ *world, s *site) answer { return s.send("", "pay") },
			codes.InvalidArgument, "MISSING", "-1", 0},
		{"malformed", setup{}, func(_ *world, s *site) answer { return s.send("two words secret", "pay") }, codes.InvalidArgument, "INVALID", "-1", 0},
		{"empty", setup{}, func(_ *world, s *site) answer { return s.send("", "pay", "idempotency-key", "") }, codes.InvalidArgument, "INVALID", "-1", 0},
		{"repeated", setup{}, func(_ *world, s *site) answer { return s.send("secret", "pay", "idempotency-key", "secret") }, codes.InvalidArgument, "INVALID", "-1", 0},
		{"unscoped", setup{cfg: grpcadapter.Config{Scope: grpcadapter.ScopeMetadata("account")}},
			func(_ *world, s *site) answer { return s.send("secret", "pay") }, codes.InvalidArgument, "UNSCOPED", "-1", 0},
		{"reused", setup{}, func(_ *world, s *site) answer { s.send("secret", "pay"); return s.send("secret", "other") },
			codes.FailedPrecondition, "REUSED", "-1", 0},
		{"reused for another method", setup{}, func(w *world, s *site) (a answer) {
			s.send("k", "pay")
			_, a.err = s.EmptyCall(w.outgoing("k"), &testgrpc.Empty{}, grpc.Trailer(&a.trailer))
			return a
		}, codes.FailedPrecondition, "REUSED", "-1", 0},
		{"reused in progress", setup{}, func(w *world, s *site) answer { return w.beside(s, "slow", "other") },
			codes.FailedPrecondition, "REUSED", "-1", 0},
		{"in progress", setup{}, func(w *world, s *site) answer { return w.beside(s, "slow", "slow") },
			codes.Aborted, "IN_PROGRESS", "1000", time.Second},
		{"in progress, hint", setup{cfg: grpcadapter.Config{RetryAfter: 1500*time.Millisecond + 1}},
			func(w *world, s *site) answer { return w.beside(s, "slow", "slow") }, codes.Aborted, "IN_PROGRESS", "1501", 1501 * time.Millisecond},
		{"deadline while it waits", setup{engine: replay.Config{Wait: time.Minute}, outer: []grpc.UnaryServerInterceptor{
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				ctx, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				return next(ctx, req)
			},
		}}, func(w *world, s *site) answer { return w.beside(s, "slow", "slow") }, codes.DeadlineExceeded, "", "", 0},
		{"outcome unknown", setup{engine: replay.Config{OnAbandoned: replay.RefuseUnknown}},
			func(_ *world, s *site) answer { s.send("k", "fail"); return s.send("k", "fail") }, codes.FailedPrecondition, "OUTCOME_UNKNOWN", "-1", 0},
		{"replay unavailable", setup{cfg: grpcadapter.Config{MaxResponse: 1}}, twice, codes.FailedPrecondition, "REPLAY_UNAVAILABLE", "-1", 0},
		{"store down", setup{}, func(w *world, s *site) answer { w.down.Store(true); return s.send("k", "pay") },
			codes.Unavailable, "UNAVAILABLE", "1000", time.Second},
		{"unreadable", setup{}, func(w *world, s *site) answer {
			s.send("k", "pay")
			w.redis.Set(w.redis.Keys()[0], "secret junk")
			return s.send("k", "pay")
		}, codes.DataLoss, "UNREADABLE", "-1", 0},
		{"forbidden", verdict(grpcadapter.Forbid), twice, codes.PermissionDenied, "REPLAY_REFUSED", "-1", 0},
		{"hidden", verdict(grpcadapter.Hide), twice, codes.NotFound, "", "", 0},
		{"hidden from another request", verdict(grpcadapter.Hide),
			func(_ *world, s *site) answer { s.send("k", "pay"); return s.send("k", "other") }, codes.NotFound, "", "", 0},
		{"hidden in flight", verdict(grpcadapter.Hide), func(w *world, s *site) answer { return w.beside(s, "slow", "slow") },
			codes.NotFound, "", "", 0},
		{"hidden from another request in flight", verdict(grpcadapter.Hide), func(w *world, s *site) answer { return w.beside(s, "slow", "other") },
			codes.NotFound, "", "", 0},
		{"hidden after a failure", verdict(grpcadapter.Hide), func(_ *world, s *site) answer { s.send("k", "fail"); return s.send("k", "fail") },
			codes.NotFound, "", "", 0},
		{"hidden, and unreadable", verdict(grpcadapter.Hide), func(w *world, s *site) answer {
			s.send("k", "pay")
			w.redis.Set(w.redis.Keys()[0], "secret junk")
			return s.send("k", "pay")
		}, codes.NotFound, "", "", 0},
		{"allowed", verdict(grpcadapter.Allow), twice, codes.OK, "", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, func(w *world) {
				a := tt.do(w, w.serve(tt.setup, work))
				if a.code() != tt.code || a.reason() != tt.reason {
					t.Errorf("got %v %s, want %v %s: %v", a.code(), a.reason(), tt.code, tt.reason, a.err)
				}
				if got := strings.Join(a.trailer["grpc-retry-pushback-ms"], " "); got != tt.pushback {
					t.Errorf("pushback %q, want %q", got, tt.pushback)
				}
				if info, ok := detail[*errdetails.RetryInfo](a); ok != (tt.retry > 0) || info.GetRetryDelay().AsDuration() != tt.retry {
					t.Errorf("RetryInfo %v, want %v", info, tt.retry)
				}
				bad, _ := detail[*errdetails.BadRequest](a)
				if key := tt.reason == "MISSING" || tt.reason == "INVALID"; key != (bad != nil) || key && bad.FieldViolations[0].Field != "idempotency-key" {
					t.Errorf("BadRequest %v", bad)
				}
				// Neither a key nor what broke inside reaches a client.
				if text := fmt.Sprint(a.err, status.Convert(a.err).Details()); strings.Contains(text, "secret") || strings.Contains(text, "adapter:") {
					t.Error(text)
				}
			})
		})
	}
}

// work does what its request says.
func work(_ context.Context, r *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	switch string(r.GetPayload().GetBody()) {
	case "fail":
		return nil, errFault
	case "short":
		time.Sleep(1500 * time.Millisecond)
	case "slow":
		time.Sleep(time.Minute)
	}
	return say("done")
}

// saysAgain is an error with google.rpc.RetryInfo, as a service behind the handler has it.
func saysAgain(c codes.Code) error {
	st, err := status.New(c, "").WithDetails(&errdetails.RetryInfo{})
	if err != nil {
		panic(err)
	}
	return st.Err()
}

// beside sends two calls under one key, the second while the first runs.
func (w *world) beside(s *site, first, second string) answer {
	go s.send("k", first)
	synctest.Wait()
	return s.send("k", second)
}

// What becomes of the key, by the code that the handler ends with.
func TestCodes(t *testing.T) {
	const stored, released, abandoned = "replay", "attempt 1", "attempt 2"
	plain := func(c codes.Code) error { return status.Error(c, "") }
	for _, tt := range []struct {
		err    error
		setup  setup
		second string
	}{
		{err: nil, second: stored},
		{err: plain(codes.InvalidArgument), second: stored},
		{err: plain(codes.NotFound), second: stored},
		{err: plain(codes.AlreadyExists), second: stored},
		{err: plain(codes.FailedPrecondition), second: stored},
		{err: plain(codes.OutOfRange), second: stored},
		{err: plain(codes.Unimplemented), second: stored},
		{err: plain(codes.Unauthenticated), second: released},
		{err: plain(codes.PermissionDenied), second: released},
		{err: plain(codes.ResourceExhausted), second: released},
		{err: plain(codes.Aborted), second: released},
		{err: plain(codes.Canceled), second: abandoned},
		{err: plain(codes.DeadlineExceeded), second: abandoned},
		{err: plain(codes.Internal), second: abandoned},
		{err: plain(codes.Unknown), second: abandoned},
		{err: plain(codes.Unavailable), second: abandoned},
		{err: plain(codes.DataLoss), second: abandoned},
		{err: plain(codes.Code(99)), second: abandoned},
		{err: errFault, second: abandoned},
		{err: context.DeadlineExceeded, second: abandoned},
		{err: replay.Clean(plain(codes.Unavailable)), second: released},
		{err: plain(codes.Internal), second: released, setup: setup{engine: replay.Config{OnFailure: replay.ReleaseFailed}}},
		{err: plain(codes.Internal), second: stored, setup: setup{cfg: grpcadapter.Config{Stores: grpcadapter.StoreAll}}},
		{err: context.DeadlineExceeded, second: stored, setup: setup{cfg: grpcadapter.Config{Stores: grpcadapter.StoreAll}}},
		{err: plain(codes.NotFound), second: released, setup: setup{cfg: grpcadapter.Config{Stores: grpcadapter.StoreSuccess}}},
		{err: nil, second: stored, setup: setup{cfg: grpcadapter.Config{Stores: grpcadapter.StoreSuccess}}},
		{err: saysAgain(codes.FailedPrecondition), second: released},
		{err: saysAgain(codes.Aborted), second: released, setup: setup{cfg: grpcadapter.Config{Stores: grpcadapter.StoreAll}}},
		{err: saysAgain(codes.Unavailable), second: abandoned, setup: setup{cfg: grpcadapter.Config{StoresFunc: func(codes.Code) bool { return true }}}},
		{err: nil, second: released, setup: setup{cfg: grpcadapter.Config{StoresFunc: func(c codes.Code) bool { return c != codes.OK }}}},
	} {
		t.Run(fmt.Sprint(status.Code(tt.err), " ", tt.second), func(t *testing.T) {
			run(t, func(w *world) {
				told := ""
				s := w.serve(tt.setup, func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
					attempt, _ := replay.AttemptFrom(ctx)
					told = fmt.Sprint("attempt ", attempt.Number)
					return &testgrpc.SimpleResponse{}, tt.err
				})
				first := s.send("k", "pay")
				told = "replay"
				second := s.send("k", "pay")
				want := status.Code(tt.err)
				if errors.Is(tt.err, context.DeadlineExceeded) {
					want = codes.DeadlineExceeded
				}
				if first.code() != want || second.code() != want {
					t.Errorf("got %v, then %v, want %v", first.err, second.err, want)
				}
				if told != tt.second || second.replayed() != (tt.second == stored) || len(first.header["idempotency-stored"]) != 0 {
					t.Errorf("the second was %s, want %s: %v, then %v", told, tt.second, first.header, second.header)
				}
			})
		})
	}
}

func TestRetention(t *testing.T) {
	ttl := func(cfg grpcadapter.Config, body string) (left time.Duration) {
		run(t, func(w *world) {
			w.serve(setup{cfg: cfg}, func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
				if body == "error" {
					return nil, status.Error(codes.NotFound, "")
				}
				return say("ok")
			}).send("k", "pay")
			left = w.redis.TTL(w.redis.Keys()[0])
		})
		return left
	}
	cfg := grpcadapter.Config{TTLOK: time.Hour, TTLError: time.Minute}
	byCode := cfg
	byCode.TTLFunc = func(c codes.Code) time.Duration {
		if c == codes.NotFound {
			return 2 * time.Minute
		}
		return 0
	}
	for _, tt := range []struct {
		name, body string
		cfg        grpcadapter.Config
		want       time.Duration
	}{
		{"default", "ok", grpcadapter.Config{}, 24 * time.Hour},
		{"default error", "error", grpcadapter.Config{}, 24 * time.Hour},
		{"ok", "ok", cfg, time.Hour},
		{"error", "error", cfg, time.Minute},
		{"function", "error", byCode, 2 * time.Minute},
		{"function declines", "ok", byCode, time.Hour},
	} {
		if got := ttl(tt.cfg, tt.body); got != tt.want {
			t.Errorf("%s: kept for %v, want %v", tt.name, got, tt.want)
		}
	}
}

// An answer that a retry will not get says so.
func TestUnstoredAnswersAreMarked(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup setup
		down  bool // while the handler runs, and after
		away  bool // before, too
	}{
		{"too large", setup{cfg: grpcadapter.Config{MaxResponse: 1}}, false, false},
		{"unguarded", setup{cfg: grpcadapter.Config{OnStoreDown: replay.RunUnguarded}}, false, true},
		{"down at commit", setup{}, true, false},
		{"of an unknown type", setup{cfg: grpcadapter.Config{Types: noTypes{}}}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, func(w *world) {
				s := w.serve(tt.setup, func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
					if tt.down {
						w.down.Store(true)
					}
					return say("ok")
				})
				w.down.Store(tt.away)
				if a := s.send("k", "pay"); a.text() != "ok" || strings.Join(a.header["idempotency-stored"], " ") != "false" {
					t.Errorf("got %v, %v", a.err, a.header)
				}
			})
		})
	}
}
