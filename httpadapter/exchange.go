package httpadapter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/intake"
	"github.com/reprise-go/reprise/internal/refusal"
	"github.com/reprise-go/reprise/replay"
)

// An exchange is one request under a key, and its answer.
type exchange struct {
	adapter     *Adapter
	w           http.ResponseWriter
	r           *http.Request
	next        http.Handler
	key, header string
	body        []byte
	identity    identity
	verdict     Authorization

	again    replayedBody // for the handler to read
	ran      bool         // the handler has run, or is running:
	recorder *recorder    // what it writes,
	fresh    response     // what it answered,
	kept     response     // what of that is stored,
	keep     bool         // if it is an answer to store

	first recorder // most requests need one
}

// readBody reads the request's body whole: the fingerprint needs it, and so does the handler.
func (x *exchange) readBody() (fault dialect.Outcome) {
	limit, length := x.adapter.cfg.MaxBody, x.r.ContentLength
	if length > limit {
		return dialect.BodyTooLarge
	}
	if x.r.Body == nil || x.r.Body == http.NoBody {
		return 0
	}
	var body io.Reader
	if x.adapter.shadow { // where the rest may yet be read
		body = io.LimitReader(x.r.Body, limit+1)
	} else {
		body = http.MaxBytesReader(x.w, x.r.Body, limit)
	}
	var err error
	x.body, err = intake.ReadAll(body, length)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case tooLarge, int64(len(x.body)) > limit:
		return dialect.BodyTooLarge
	case err != nil, readBefore(x.r, len(x.body)):
		return dialect.BodyIncomplete
	}
	return 0
}

// turnAway refuses a request that the engine is not asked about, or in shadow lets it pass.
func (x *exchange) turnAway(o dialect.Outcome, want string) {
	if !x.adapter.shadow {
		x.refuse(o, want, 0)
		return
	}
	x.w.Header()[shadowHeader] = []string{o.String()}
	if len(x.body) > 0 { // what has been read of it goes before the rest
		x.r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(x.body), x.r.Body), x.r.Body}
	}
	x.next.ServeHTTP(x.w, x.r)
}

// request is what the handler gets: the same request, with its body to be read again.
func (x *exchange) request(ctx context.Context) *http.Request {
	r := x.r.WithContext(ctx)
	x.again.Reset(x.body)
	r.Body = &x.again
	r.ContentLength = int64(len(x.body))
	r.TransferEncoding = nil
	return r
}

// replayedBody is a request's body, read a second time.
type replayedBody struct{ bytes.Reader }

func (*replayedBody) Close() error { return nil }

// work runs the handler and says what becomes of its answer.
func (x *exchange) work(ctx context.Context) (replay.Answer, error) {
	x.identity.form = nil // a handler may take long, and seldom is it asked for again
	if o, ok := replay.ShadowFrom(ctx); ok && x.verdict != Hide {
		x.w.Header()[shadowHeader] = []string{string(o)}
	}
	x.record()
	defer x.recorder.end()
	x.next.ServeHTTP(x.recorder, x.request(ctx))
	return x.recorded(), nil
}

// record makes a recorder for Reconcile or the handler. What the former leaves behind must not write into the latter's.
func (x *exchange) record() {
	if x.ran = true; x.recorder == nil {
		x.recorder = &x.first
	} else {
		x.recorder = new(recorder)
	}
	x.recorder.begin(x.w, x.adapter.cfg.MaxResponse, !x.adapter.shadow)
}

// recorded says what becomes of the answer that has been written.
func (x *exchange) recorded() replay.Answer {
	x.fresh = x.recorder.finish()
	if x.recorder.short() {
		// Less than its Content-Length: as from net/http, the client gets a broken connection, and
		// no retry gets half an answer for a whole one. The length makes sure of the former where a
		// recovery around us keeps the panic to itself.
		x.w.Header()["Content-Length"] = x.recorder.header["Content-Length"]
		panic(http.ErrAbortHandler)
	}
	status, header := x.fresh.Status, x.recorder.header
	x.keep = x.adapter.stores(status, header) && !saysAgain(status, header, x.fresh.Body)
	switch {
	case !x.keep && status < 500:
		// The handler declined before it did anything: a retry is a first request.
		return replay.Answer{Verdict: replay.Release}
	case !x.keep && x.adapter.cfg.OnFailure == replay.ReleaseFailed:
		return replay.Answer{Verdict: replay.Release}
	case !x.keep:
		return replay.Answer{Verdict: replay.Abandon}
	}
	answer := replay.Answer{Retention: x.adapter.retention(status, header)}
	if x.recorder.overflow {
		answer.Verdict = replay.Tombstone
		return answer
	}
	x.kept = x.fresh
	x.kept.Header = x.adapter.filter.keep(x.fresh.Header)
	x.kept.Trailer = x.adapter.filter.keep(x.fresh.Trailer)
	answer.Value = &x.kept
	return answer
}

// reconcile lets Config.Reconcile decide, and takes what it wrote for the answer if it says so.
func (x *exchange) reconcile(ctx context.Context) (replay.Decision, replay.Answer, error) {
	x.record()
	defer x.recorder.end()
	decision := x.adapter.cfg.Reconcile(x.recorder, x.request(ctx))
	if decision == replay.Done {
		return decision, x.recorded(), nil
	}
	if x.recorder.passing {
		panic(http.ErrAbortHandler) // what the client has got is no answer
	}
	x.ran = false
	return decision, replay.Answer{}, nil
}

func (x *exchange) authorize(context.Context) error {
	x.verdict = x.adapter.cfg.Authorize(x.r)
	if x.verdict != Allow {
		return errors.New("httpadapter: Config.Authorize refused")
	}
	return nil
}

// answer gives the client what the engine decided.
func (x *exchange) answer(result replay.Result, err error) {
	if x.ran && x.recorder.passing {
		if err != nil || result.Replayed {
			// Part of an answer that is not the one to be replayed is with the client: break off, so
			// that it isn't taken for whole.
			panic(http.ErrAbortHandler)
		}
		return
	}
	switch {
	case err != nil:
		x.fail(err)
	case result.Replayed, result.Reconciled:
		x.answerRecorded(result)
	default:
		x.answerFresh(result)
	}
}

// answerFresh gives the client what the handler has just answered.
func (x *exchange) answerFresh(result replay.Result) {
	switch {
	case !x.keep || x.adapter.shadow:
	case !result.Stored:
		x.fresh.Header[storedHeader] = []string{"false"}
	case result.Unconfirmed:
		x.fresh.Header[storedHeader] = []string{"unconfirmed"}
	}
	x.fresh.write(x.w)
}

// answerRecorded gives the client what a record has.
func (x *exchange) answerRecorded(result replay.Result) {
	stored, err := x.open(result)
	if err != nil {
		x.fail(err)
		return
	}
	if result.Unconfirmed {
		x.w.Header()[storedHeader] = []string{"unconfirmed"} // found out by Reconcile
	}
	if result.Replayed {
		name, value := x.adapter.cfg.Dialect.Marker(x.key)
		x.w.Header()[http.CanonicalHeaderKey(name)] = []string{value}
		if d, ok := x.adapter.cfg.Dialect.(dialect.ReplayDialect); ok {
			d.MarkReplay(stored.Status, x.w.Header())
		}
	}
	stored.write(x.w)
}

// fail answers for an engine that did not.
func (x *exchange) fail(err error) {
	refused := replay.OutcomeOf(err)
	o := dialect.ParseOutcome(string(refused))
	switch {
	case refused == replay.ReplayRefused && x.verdict == Hide:
		o = dialect.ReplayHidden
	case refused == replay.CallerGone:
		// The client has gone before anything ran, or a handler around us has set a deadline: whoever
		// still listens must not take silence for a 200.
		o = dialect.Unavailable
	case o == 0:
		x.adapter.log.Write(slog.LevelError, "httpadapter: a request is answered 500", "unexpected error", slog.Any("err", err))
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

func (x *exchange) refuse(o dialect.Outcome, want string, retryAfter time.Duration) {
	cfg := &x.adapter.cfg
	info := dialect.Info{
		Key:        x.key,
		Header:     x.header,
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
