package httpadapter

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/refusal"
	"github.com/reprise-go/reprise/replay"
)

// answer gives the client what the engine decided: the handler's answer, a record's, or an error.
func (x *exchange) answer(result replay.Result, err error) {
	if x.failed != nil && err == error(x.failed) {
		err = nil // The answer is the handler's, whatever has become of the key.
	}
	switch {
	case x.recorder != nil && x.recorder.streaming:
		if err != nil || result.Replayed {
			// Part of an answer that is not the one to be replayed is with the client. It must not
			// be taken for whole.
			panic(http.ErrAbortHandler)
		}
	case err != nil:
		x.fail(err)
	case result.Replayed, result.Reconciled:
		record, err := x.open(result)
		if err != nil {
			x.fail(err)
			return
		}
		x.give(&record, result)
	default:
		x.give(&x.fresh, result)
	}
}

// give writes an answer, the handler's or a record's. Headers that an outer handler has set stay,
// unless the answer has them too.
func (x *exchange) give(answer *record, result replay.Result) {
	h := x.w.Header()
	answer.addHeader(h)
	x.mark(h, answer.Status, result)
	x.w.WriteHeader(answer.Status)
	if len(answer.Body) > 0 {
		x.w.Write(answer.Body) // An error means that the client has gone.
	}
	maps.Copy(h, answer.Trailer)
}

// fail answers a request for which the engine returned an error.
func (x *exchange) fail(err error) {
	refused := replay.OutcomeOf(err)
	o := dialect.ParseOutcome(string(refused))
	switch {
	case refused == replay.ReplayRefused && x.access == Hide:
		o = dialect.ReplayHidden
	case refused == replay.CallerGone:
		// The client has gone before anything ran, or a handler around us has set a deadline:
		// whoever still listens must not take silence for a 200.
		o = dialect.Unavailable
	case o == 0:
		x.adapter.log.Write(logUnknown, "unexpected error", slog.Any("err", err))
	}
	x.refuse(o, "", x.retryAfter(o, err))
}

// retryAfter is when to send a request again that was refused: 0 if never.
func (x *exchange) retryAfter(o dialect.Outcome, err error) time.Duration {
	if !o.Retryable() {
		return 0
	}
	hint := x.adapter.cfg.RetryAfter
	if e, ok := errors.AsType[*replay.InProgressError](err); ok {
		return min(hint, max(e.Left, time.Second))
	}
	return hint
}

// turnAway refuses a request that the engine is not asked about, or in shadow lets it pass.
func (x *exchange) turnAway(o dialect.Outcome, want string) {
	a := x.adapter
	a.engine.Refused(x.r.Context(), replay.Request{Scope: x.scope, Route: a.route(x.r), Dialect: a.dialect}, replay.Outcome(o.String()))
	if !a.shadow {
		x.refuse(o, want, 0)
		return
	}
	markShadow(x.w.Header(), o.String())
	if len(x.body) > 0 { // What has been read of it goes before the rest.
		x.r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(x.body), x.r.Body), x.r.Body}
	}
	x.next.ServeHTTP(x.w, x.r)
}

func (x *exchange) refuse(o dialect.Outcome, want string, retryAfter time.Duration) {
	cfg := &x.adapter.cfg
	info := dialect.Info{
		Key:        x.key,
		Header:     x.keyHeader,
		Want:       want,
		MaxKey:     cfg.Syntax.Max(),
		MaxBody:    cfg.MaxBody,
		RetryAfter: retryAfter,
		DocURL:     cfg.DocURL,
		Request:    x.r,
	}
	if cfg.Message != nil {
		info.Message = cfg.Message(o, x.r)
	}
	if cfg.RequestID != nil {
		info.RequestID = cfg.RequestID(x.r)
	}
	refusal.Write(x.w, cfg.Dialect, o, info)
}
