package grpcadapter

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/replay"
)

// An exchange is one call under a key, and its answer.
type exchange struct {
	adapter *Adapter
	ctx     context.Context // the caller's
	req     any
	info    *grpc.UnaryServerInfo
	next    grpc.UnaryHandler
	verdict Authorization

	stream *stream // gets the handler's metadata
	reply  any     // what the handler returned,
	err    error   // likewise,
	kept   record  // what of that is stored,
	keep   bool    // if it is an answer to store,
	failed *failure
}

// A failure carries an answer that leaves open what was done through the engine, whose policy
// decides about the key; a handler can say by replay.Clean that nothing was done.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

// work runs the handler and says what becomes of its answer.
func (x *exchange) work(ctx context.Context) (replay.Answer, error) {
	x.reply, x.err = x.next(x.begin(ctx), x.req) // a panic goes through the engine, which abandons the key
	answer := x.recorded()
	if answer.Verdict == replay.Abandon {
		x.failed = &failure{x.err}
		return answer, x.failed
	}
	return answer, nil
}

// begin puts a recorder into the place of gRPC's own stream. Its metadata goes out with the answer,
// for only one attempt's may. Reconcile and the handler have one each: what the former leaves behind must
// not write into the latter's.
func (x *exchange) begin(ctx context.Context) context.Context {
	x.stream = &stream{method: x.info.FullMethod}
	return grpc.NewContextWithServerTransportStream(ctx, x.stream)
}

// recorded says what becomes of the answer that has been returned.
func (x *exchange) recorded() replay.Answer {
	cfg := &x.adapter.cfg
	x.stream.end()
	st := statusOf(x.err)
	if x.keep = x.adapter.stores(st.Code()) && !saysAgain(st, x.stream.trailer); !x.keep {
		// OK that isn't wanted is no failure, though it did something: whoever says so by StoresFunc
		// wants each such call to be a first.
		if x.err != nil && fateOf(st.Code()) == unsure {
			return replay.Answer{Verdict: replay.Abandon}
		}
		return replay.Answer{Verdict: replay.Release}
	}
	answer := replay.Answer{Retention: x.adapter.retention(st.Code()), Value: &x.kept}
	if err := x.kept.fill(x.reply, st, cfg.Types); err != nil {
		// It has been done, and must not be done again because its answer is odd.
		x.adapter.log.Write(slog.LevelError, "grpcadapter: an answer can't be kept", "it can't be encoded", slog.String("method", x.info.FullMethod), slog.Any("err", err))
		answer.Verdict = replay.Tombstone
	} else if int64(len(x.kept.Body)) > cfg.MaxResponse {
		// The client gets it whole, and a retry learns that it ran.
		answer.Verdict = replay.Tombstone
	}
	x.kept.Header = keep(x.stream.header, cfg.KeepsMetadata)
	x.kept.Trailer = keep(x.stream.trailer, cfg.KeepsMetadata)
	return answer
}

// statusOf is what grpc's server makes of a handler's error. OK, which no error can mean, it sends
// as a broken answer: here that is UNKNOWN.
func statusOf(err error) *status.Status {
	st, ok := status.FromError(err)
	if !ok {
		st = status.FromContextError(err)
	}
	if err != nil && st.Code() == codes.OK {
		return status.New(codes.Unknown, err.Error())
	}
	return st
}

// reconcile lets Config.Reconcile decide, and takes what it returned for the answer if it says so.
func (x *exchange) reconcile(ctx context.Context) (replay.Decision, replay.Answer, error) {
	ctx = x.begin(ctx)
	defer x.stream.end()
	decision, reply, err := x.adapter.cfg.Reconcile(ctx, x.req, x.info)
	if decision == replay.Done {
		// Not as a failure: to the engine an error here means that Reconcile itself found out nothing.
		x.reply, x.err = reply, err
		return decision, x.recorded(), nil
	}
	return decision, replay.Answer{}, err
}

func (x *exchange) authorize(ctx context.Context) error {
	x.verdict = x.adapter.cfg.Authorize(ctx, x.req, x.info)
	if x.verdict != Allow { // what is none of the constants refuses
		return errors.New("grpcadapter: Config.Authorize refused")
	}
	return nil
}

// answer gives the client what the engine decided.
func (x *exchange) answer(result replay.Result, err error) (any, error) {
	// A failure comes back as it was, or not at all if another has the key by now: compared by identity,
	// for the handler's error may itself be of an engine.
	ownFailure := x.failed != nil && err == error(x.failed)
	switch {
	case err != nil && !ownFailure:
		return nil, x.fail(err)
	case result.Replayed, result.Reconciled:
		return x.answerRecorded(result)
	}
	if x.keep && !x.adapter.shadow {
		x.mark(result)
	}
	x.send(x.stream.header, x.stream.trailer)
	return x.reply, x.err
}

// answerRecorded gives the client what a record has.
func (x *exchange) answerRecorded(result replay.Result) (any, error) {
	stored, reply, failure, err := x.open(result)
	if err != nil {
		return nil, x.fail(err)
	}
	x.mark(result)
	x.send(stored.Header, stored.Trailer)
	return reply, failure
}

// mark says what a client can't tell from an answer: that it is an earlier call's, that a retry will not
// get it (false), or that a failover may forget it (unconfirmed).
func (x *exchange) mark(result replay.Result) {
	switch {
	case result.Replayed:
		x.send(metadata.Pairs(replayedKey, "true"), nil)
	case !result.Stored:
		x.send(metadata.Pairs(storedKey, "false"), nil)
	case result.Unconfirmed:
		x.send(metadata.Pairs(storedKey, "unconfirmed"), nil)
	}
}

// send gives gRPC metadata to send with the answer. An error means that the client has gone, or that
// an interceptor around us has sent the header already.
func (x *exchange) send(header, trailer metadata.MD) {
	_ = grpc.SetHeader(x.ctx, header)
	_ = grpc.SetTrailer(x.ctx, trailer)
}

// fail answers for an engine that did not. The texts of its errors name Redis keys and hosts: none
// reaches the client.
func (x *exchange) fail(err error) error {
	refused := replay.OutcomeOf(err)
	o := dialect.ParseOutcome(string(refused))
	switch {
	case refused == replay.ReplayRefused && x.verdict == Hide:
		o = dialect.ReplayHidden
	case refused == replay.CallerGone:
		// Before anything ran; or an interceptor around us has set a deadline.
		return status.FromContextError(x.ctx.Err()).Err()
	case o == 0:
		x.adapter.log.Write(slog.LevelError, "grpcadapter: a call is answered INTERNAL", "unexpected error", slog.String("method", x.info.FullMethod), slog.Any("err", err))
	}
	return x.refuse(o, "", x.retryAfter(err))
}

// retryAfter is when to send a call again that was refused, if it may be.
func (x *exchange) retryAfter(err error) time.Duration {
	hint := x.adapter.cfg.RetryAfter
	if e, ok := errors.AsType[*replay.InProgressError](err); ok && e.Left > 0 {
		// A lease that is about to end is worth coming back for sooner. None is left if it was our own
		// that was lost.
		return min(hint, e.Left)
	}
	return hint
}

// turnAway refuses a call that the engine is not asked about, or in shadow lets it pass.
func (x *exchange) turnAway(o dialect.Outcome, want string) (any, error) {
	if x.adapter.shadow {
		return x.next(x.ctx, x.req)
	}
	return nil, x.refuse(o, want, 0)
}

// refuse sets no header: only an answer of trailers alone may be tried again by gRPC itself (A6).
func (x *exchange) refuse(o dialect.Outcome, want string, retryAfter time.Duration) error {
	st, trailer := refusal(o, x.adapter.cfg.KeyMetadata, want, retryAfter)
	x.send(nil, trailer)
	return st.Err()
}
