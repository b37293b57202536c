package grpcadapter

import (
	"context"
	"errors"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/reprise-go/reprise/replay"
)

// An exchange is one call under a key, and its answer. Adapter.serve asks the engine for the key;
// the engine runs work, whose judge says what becomes of the handler's answer; and answer gives the
// client what the engine decided.
type exchange struct {
	adapter *Adapter
	ctx     context.Context // the caller's
	req     any
	info    *grpc.UnaryServerInfo
	next    grpc.UnaryHandler
	scope   string
	access  Authorization // as Config.Authorize said

	working  context.Context // of the handler or of Reconcile, whichever ran last
	recorder *recorder       // of the metadata that either sets

	reply   any            // what was answered,
	err     error          // likewise,
	verdict replay.Verdict // what becomes of that,
	stored  record         // and what is stored of it, if that is replay.Keep
	failed  *failure
}

// A failure is an answer that leaves open what was done, as an error for the engine, whose
// OnFailure decides about the key. It has the handler's error, which may be marked by replay.Clean.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

// work runs the handler and says what becomes of its answer.
func (x *exchange) work(ctx context.Context) (replay.Answer, error) {
	ctx = x.startRecorder(ctx)
	defer x.recorder.close()
	x.reply, x.err = x.next(ctx, x.req) // A panic goes through the engine, which abandons the key.
	answer := x.judge()
	if answer.Verdict == replay.Abandon {
		x.failed = &failure{x.err}
		return answer, x.failed
	}
	return answer, nil
}

// startRecorder puts a recorder into the place of gRPC's own stream, for the handler or for
// Reconcile. Each has its own: what Reconcile leaves behind must not write into the handler's
// answer.
func (x *exchange) startRecorder(ctx context.Context) context.Context {
	x.working = ctx
	x.recorder = &recorder{method: x.info.FullMethod}
	return grpc.NewContextWithServerTransportStream(ctx, x.recorder)
}

// judge ends the recording, and says what becomes of the answer and of the key.
func (x *exchange) judge() replay.Answer {
	cfg := &x.adapter.cfg
	x.recorder.close()
	st := statusOf(x.err)
	x.verdict = x.adapter.verdict(st, x.recorder.trailer)
	if !x.toStore() {
		return replay.Answer{Verdict: x.verdict}
	}
	if err := x.stored.fill(x.reply, st, cfg.Types); err != nil {
		// It has been done, and must not be done again because its answer is odd.
		x.adapter.log.Write(logAnswer, "it can't be encoded", slog.String("method", x.info.FullMethod), slog.Any("err", err))
		x.verdict = replay.Tombstone
	} else if int64(len(x.stored.Body)) > cfg.MaxResponse {
		x.verdict = replay.Tombstone // The client gets it whole, and a retry learns that it ran.
	}
	x.stored.Header = x.adapter.filter.keep(x.recorder.header)
	x.stored.Trailer = x.adapter.filter.keep(x.recorder.trailer)
	return replay.Answer{Verdict: x.verdict, Value: &x.stored, Retention: x.adapter.retention(st.Code())}
}

// toStore reports whether the answer is one to store, though it may be too large for that.
func (x *exchange) toStore() bool { return x.verdict == replay.Keep || x.verdict == replay.Tombstone }

// reconcile lets Config.Reconcile decide, and takes what it returned for the answer if it says so.
func (x *exchange) reconcile(ctx context.Context) (replay.Decision, replay.Answer, error) {
	ctx = x.startRecorder(ctx)
	defer x.recorder.close()
	decision, reply, err := x.adapter.cfg.Reconcile(ctx, x.req, x.info)
	if decision == replay.Done {
		// An error is no failure here: to the engine that would mean that Reconcile has found out
		// nothing.
		x.reply, x.err = reply, err
		return decision, x.judge(), nil
	}
	return decision, replay.Answer{}, err
}

func (x *exchange) authorize(ctx context.Context) error {
	// What is none of the constants refuses.
	if x.access = x.adapter.cfg.Authorize(ctx, x.req, x.info); x.access != Allow {
		return errors.New("grpcadapter: Config.Authorize refused")
	}
	return nil
}
