package httpclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync/atomic"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/intake"
)

// An answer is what one try came to: a response, or an error.
type answer struct {
	resp *http.Response
	body []byte // of resp, if it was read whole
	err  error

	outcome  dialect.Outcome // if resp is an error of idempotency's own
	replayed bool
}

func (a answer) status() int {
	if a.resp == nil {
		return 0
	}
	return a.resp.StatusCode
}

// try sends the request once, and receives the answer.
func (c *call) try(body io.ReadCloser) (a answer) {
	c.began++
	begun := time.Now()
	ctx, cancel := context.WithCancelCause(c.r.Context())
	limit := &LimitError{Field: "TryTimeout", Limit: c.TryTimeout}
	left := c.TryTimeout
	if rest := time.Until(c.deadline); rest < left {
		left, limit = rest, &LimitError{Field: "Timeout", Limit: c.Timeout}
	}
	timer := time.AfterFunc(left, func() { cancel(limit) })

	var line wire
	a.resp, a.err = c.Base.RoundTrip(c.request(line.watch(ctx), body))
	if a.err == nil {
		a.err = c.receive(&a, cancel)
	}
	if !timer.Stop() && a.err == nil && a.body == nil {
		// The try ran out of time just when its answer was to be passed on.
		_ = a.resp.Body.Close()
		a.err = limit
	}
	if a.err != nil {
		if context.Cause(ctx) == limit && c.r.Context().Err() == nil {
			a.err = limit // and not what Base makes of a context that ended
		}
		cancel(nil)
		a.resp, a.body = nil, nil
	}
	// Of several connections all but the last were lost with what was sent on them: whatever the answer
	// says, it says of the last.
	c.reply.Unknown = c.reply.Unknown || line.got.Load() > 1
	c.note(&a, line.mayHaveSent(a.err))
	c.Trace.try(c.r.Context(), TryInfo{
		Key: c.reply.Key, Try: c.began, Status: a.status(), Outcome: a.outcome, Replayed: a.replayed, Err: a.err,
		Took: time.Since(begun), Connections: int(line.got.Load()),
	})
	return a
}

// request is the caller's with the key and a body of its own. Base may send it again by itself, as net/http does where
// it lost an idle connection: the key makes that safe, and it is quicker than a try.
func (c *call) request(ctx context.Context, body io.ReadCloser) *http.Request {
	r := c.r.WithContext(ctx)
	r.Header = c.r.Header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header[http.CanonicalHeaderKey(c.Header)] = []string{c.field}
	r.Body, r.ContentLength, r.GetBody = body, c.body.length, c.body.again
	return r
}

// receive reads the answer, or arranges for the caller to.
func (c *call) receive(a *answer, cancel context.CancelCauseFunc) error {
	resp := a.resp
	if resp == nil {
		return errors.New("httpclient: Base returned neither an answer nor an error")
	}
	if resp.Body == nil {
		resp.Body = http.NoBody // http.Client allows it
	}
	if isEventStream(resp.Header) || resp.ContentLength > c.MaxResponse {
		resp.Body = &stream{resp.Body, resp.Body, cancel}
		return nil
	}
	body, err := intake.ReadAll(io.LimitReader(resp.Body, c.MaxResponse+1), resp.ContentLength)
	if err == nil && int64(len(body)) > c.MaxResponse {
		resp.Body = &stream{io.MultiReader(bytes.NewReader(body), resp.Body), resp.Body, cancel}
		return nil
	}
	_ = resp.Body.Close()
	if err != nil {
		return err
	}
	cancel(nil)
	a.body = body[:len(body):len(body)] // never nil
	resp.Body = io.NopCloser(bytes.NewReader(a.body))
	return nil
}

func isEventStream(h http.Header) bool {
	media, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return media == "text/event-stream"
}

// A stream is an answer that the caller reads as it comes. Closing it ends its try.
type stream struct {
	io.Reader
	body   io.Closer
	cancel context.CancelCauseFunc
}

func (s *stream) Close() error {
	defer s.cancel(nil)
	return s.body.Close()
}

// A wire counts what a Base that has net/http's hooks does in a try: connections that it asked for, and that it got.
type wire struct{ asked, got atomic.Int32 }

func (w *wire) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { w.asked.Add(1) },
		GotConn: func(httptrace.GotConnInfo) { w.got.Add(1) },
	})
}

// mayHaveSent reports whether anything may have reached the server. That an error comes from dialing does not say so:
// net/http dials again for a request that it lost with a reused connection. So the hooks are asked, and the error only
// of a Base without them.
func (w *wire) mayHaveSent(err error) bool {
	if w.got.Load() > 0 || err == nil {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return w.asked.Load() == 0 && !(ok && op.Op == "dial")
}

// hopeless reports whether another try would meet the same error: a server that is not who it should be.
func hopeless(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// A LimitError is the cause of a call or try that ran out of its time. It is an [os.ErrDeadlineExceeded], and no
// context.DeadlineExceeded: that is the caller's own.
type LimitError struct {
	Field string // of Transport: Timeout or TryTimeout
	Limit time.Duration
}

func (e *LimitError) Error() string {
	return "no whole answer within " + e.Field + " (" + e.Limit.String() + ")"
}

// Unwrap returns os.ErrDeadlineExceeded.
func (e *LimitError) Unwrap() error { return os.ErrDeadlineExceeded }

// Timeout reports true, as net.Error has it.
func (e *LimitError) Timeout() bool { return true }
