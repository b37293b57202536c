package grpcadapter

import (
	"errors"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/replay"
)

// answer gives the client what the engine decided: the handler's answer, a record's, or an error.
func (x *exchange) answer(result replay.Result, err error) (any, error) {
	// It is no other: the handler's error may itself come from an engine.
	if x.failed != nil && err == error(x.failed) {
		err = nil // The answer is the handler's, whatever has become of the key.
	}
	switch {
	case err != nil:
		return nil, x.fail(err)
	case result.Replayed, result.Reconciled:
		var record record
		if record, x.reply, x.err, err = x.open(result); err != nil {
			return nil, x.fail(err)
		}
		return x.give(record.Header, record.Trailer, result)
	}
	return x.give(x.recorder.header, x.recorder.trailer, result)
}

// give returns an answer, the handler's or a record's, and sends its metadata.
func (x *exchange) give(header, trailer metadata.MD, result replay.Result) (any, error) {
	x.send(x.marks(result), nil)
	x.send(header, trailer)
	return x.reply, x.err
}

// send gives gRPC metadata to send with the answer. An error means that the client has gone, or
// that an interceptor around us has sent the header already.
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
	case refused == replay.ReplayRefused && x.access == Hide:
		o = dialect.ReplayHidden
	case refused == replay.CallerGone:
		// Before anything ran; or an interceptor around us has set a deadline.
		return status.FromContextError(x.ctx.Err()).Err()
	case o == 0:
		x.adapter.log.Write(logUnknown, "unexpected error", slog.String("method", x.info.FullMethod), slog.Any("err", err))
	}
	return x.refuse(o, "", x.retryAfter(err))
}

// retryAfter is when to send a call again that was refused, if it may be.
func (x *exchange) retryAfter(err error) time.Duration {
	hint := x.adapter.cfg.RetryAfter
	if e, ok := errors.AsType[*replay.InProgressError](err); ok && e.Left > 0 {
		// A lease that is about to end is worth coming back for sooner. None is left if it was our
		// own that was lost.
		return min(hint, e.Left)
	}
	return hint
}

// turnAway refuses a call that the engine is not asked about, or in shadow lets it pass.
func (x *exchange) turnAway(o dialect.Outcome, want string) (any, error) {
	x.adapter.engine.Refused(x.ctx, replay.Request{Scope: x.scope, Route: x.info.FullMethod, Dialect: traceDialect}, replay.Outcome(o.String()))
	if x.adapter.shadow {
		x.send(shadowMark(o.String()), nil)
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
