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

// A result is what one try ended with: an answer or an error.
type result struct {
	resp *http.Response
	body []byte // of resp, if it was read whole; else nil
	err  error

	outcome  dialect.Outcome // of an answer that is an error about the key; else 0
	replayed bool            // the answer is marked as a replay
}

// status returns the status of the answer, or 0 if there is none.
func (res result) status() int {
	if res.resp == nil {
		return 0
	}
	return res.resp.StatusCode
}

// try sends the request once, and receives the answer.
func (c *call) try(body io.ReadCloser) (res result) {
	c.began++
	start := time.Now()
	ctx, cancel := context.WithCancelCause(c.r.Context())
	limit := &TimeoutError{Field: "TryTimeout", Limit: c.TryTimeout}
	left := c.TryTimeout
	if rest := time.Until(c.deadline); rest < left {
		left, limit = rest, &TimeoutError{Field: "Timeout", Limit: c.Timeout}
	}
	timer := time.AfterFunc(left, func() { cancel(limit) })

	var conns connCounter
	res.resp, res.err = c.Base.RoundTrip(c.request(conns.withTrace(ctx), body))
	if res.err == nil {
		res.err = c.receive(&res, cancel)
	}
	if !timer.Stop() && res.err == nil && res.body == nil {
		// The time of the try ran out just before its answer was passed on.
		_ = res.resp.Body.Close()
		res.err = limit
	}
	if res.err != nil {
		if context.Cause(ctx) == limit && c.r.Context().Err() == nil {
			res.err = limit // in place of Base's own error for a context that has ended
		}
		cancel(nil)
		res.resp, res.body = nil, nil
	}
	// If Base used several connections, it lost all but the last, and the answer tells nothing of
	// what was sent on those.
	c.reply.OutcomeUnknown = c.reply.OutcomeUnknown || conns.got.Load() > 1
	c.update(&res, conns.mayHaveSent(res.err))
	c.Trace.try(c.r.Context(), TryInfo{
		Key: c.reply.Key, Try: c.began, Status: res.status(), Outcome: res.outcome,
		Replayed: res.replayed, Err: res.err,
		Took: time.Since(start), Connections: int(conns.got.Load()),
	})
	return res
}

// request returns the caller's request with the key and with a body for one try. Base may send it
// again by itself, as net/http does when it loses an idle connection: the key makes that safe, and
// it is quicker than another try.
func (c *call) request(ctx context.Context, body io.ReadCloser) *http.Request {
	r := c.r.WithContext(ctx)
	r.Header = c.r.Header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header[http.CanonicalHeaderKey(c.Header)] = []string{c.headerValue}
	r.Body, r.ContentLength, r.GetBody = body, c.body.length, c.body.again
	return r
}

// receive reads the answer whole, or leaves it to the caller to read it as it comes.
func (c *call) receive(res *result, cancel context.CancelCauseFunc) error {
	resp := res.resp
	if resp == nil {
		return errors.New("httpclient: Base returned neither an answer nor an error")
	}
	if resp.Body == nil {
		resp.Body = http.NoBody // http.Client allows a Base to return nil
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
	res.body = body[:len(body):len(body)] // not nil: see result
	resp.Body = io.NopCloser(bytes.NewReader(res.body))
	return nil
}

func isEventStream(h http.Header) bool {
	media, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return media == "text/event-stream"
}

// A stream is the body of an answer that the caller reads as it comes. Closing it ends the try.
type stream struct {
	io.Reader
	body   io.Closer
	cancel context.CancelCauseFunc
}

func (s *stream) Close() error {
	defer s.cancel(nil)
	return s.body.Close()
}

// A connCounter counts the connections that Base asks for in a try, and those that it gets. A Base
// that doesn't call the hooks of net/http/httptrace leaves both at 0.
type connCounter struct{ asked, got atomic.Int32 }

func (n *connCounter) withTrace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { n.asked.Add(1) },
		GotConn: func(httptrace.GotConnInfo) { n.got.Add(1) },
	})
}

// mayHaveSent reports whether anything may have reached the server. An error from dialing is no
// proof that nothing has: net/http also dials again for a request that it lost with a reused
// connection. So the counters decide, and the error only for a Base that doesn't call the hooks.
func (n *connCounter) mayHaveSent(err error) bool {
	if n.got.Load() > 0 || err == nil {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return n.asked.Load() == 0 && !(ok && op.Op == "dial")
}

// isPermanent reports whether another try would end with the same error: the server has no valid
// certificate.
func isPermanent(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// A TimeoutError is the cause of a call or of a try that ran out of time. It wraps
// [os.ErrDeadlineExceeded], and not context.DeadlineExceeded, which is for the caller's own
// context.
type TimeoutError struct {
	Field string        // of Transport: Timeout or TryTimeout
	Limit time.Duration // its value
}

func (e *TimeoutError) Error() string {
	return "no whole answer within " + e.Field + " (" + e.Limit.String() + ")"
}

// Unwrap returns os.ErrDeadlineExceeded.
func (e *TimeoutError) Unwrap() error { return os.ErrDeadlineExceeded }

// Timeout reports true; it is a method of net.Error.
func (e *TimeoutError) Timeout() bool { return true }
