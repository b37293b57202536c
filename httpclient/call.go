package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/field"
)

// A call is one request of the caller, with all the tries that it takes. A single goroutine uses
// it.
type call struct {
	Transport // with its defaults

	r           *http.Request // the caller's request, which is never changed
	body        payload
	headerValue string    // of the header that carries the key
	deadline    time.Time // set by Timeout
	began       int       // how many tries have begun

	status int   // of the last answer, or 0
	reply  Reply // what is known so far
}

// prepare does everything that can fail before the first try, and returns the body of that try. If
// it fails, it has closed the caller's body.
func (c *call) prepare() (io.ReadCloser, error) {
	if err := c.check(); err != nil {
		if c.r.Body != nil {
			_ = c.r.Body.Close()
		}
		return nil, err
	}
	ctx, cancel := context.WithDeadline(c.r.Context(), c.deadline)
	defer cancel()
	var err error
	if c.body, err = newPayload(ctx, c.r, c.MaxBuffer); err != nil {
		_, err = c.finish(result{err: err})
	}
	return c.body.first, err
}

// check returns an error for a request that can't be sent at all. It sets deadline and key.
func (c *call) check() error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("httpclient: %w", err)
	}
	if err := checkHeader(c.r.Header); err != nil {
		return fmt.Errorf("httpclient: %w", err)
	}
	c.deadline = time.Now().Add(c.Timeout)
	if c.TryTimeout == 0 {
		c.TryTimeout = defaultTryTimeout
		if c.MaxTries > 1 {
			c.TryTimeout = min(c.TryTimeout, c.timeLeft()/2) // there must be time for two tries
		}
	}
	if err := c.chooseKey(); err != nil {
		return err
	}
	if c.r.Context().Err() != nil {
		_, err := c.finish(result{})
		return err
	}
	return nil
}

// checkHeader refuses what net/http would refuse (RFC 9110 §5), for the reason given at takesPart.
func checkHeader(h http.Header) error {
	for name, values := range h {
		if !field.IsToken(name) {
			return fmt.Errorf("%q is no header name", name)
		}
		for _, v := range values {
			// The error doesn't quote the value: it may be a secret.
			if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				return fmt.Errorf("the value of the header %s has a control character", name)
			}
		}
	}
	return nil
}

// run sends the request until an answer settles it, or until there is no time, no try or no reason
// left for another try.
func (c *call) run(body io.ReadCloser) (*http.Response, error) {
	for {
		res := c.try(body)
		wait, reason := c.nextTry(res)
		if reason == "" {
			return c.finish(res)
		}
		c.Trace.retry(c.r.Context(), RetryInfo{
			Key: c.reply.Key, Try: c.began + 1, Wait: wait, Reason: reason,
			Status: res.status(), Err: res.err,
		})
		if !c.sleep(wait) {
			return c.finish(res) // the caller has left, and gets what there is
		}
		// The answer is discarded only now: without a body for the next try it would be the last.
		next, err := c.body.again()
		if err != nil {
			if res.err != nil {
				res.err = errors.Join(res.err, err)
			}
			return c.finish(res)
		}
		if res.resp != nil {
			_ = res.resp.Body.Close()
		}
		body = next
	}
}

// sleep waits, and reports whether the caller is still there.
func (c *call) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return c.r.Context().Err() == nil // both channels may have been ready
	case <-c.r.Context().Done():
	//lint:ignore SA1019 An http.Client with a Timeout still uses it.
	case <-c.r.Cancel:
	}
	return false
}

// finish turns the last try into what RoundTrip returns. It never returns the answer of an earlier
// try: if the last try ended in a network error, an earlier 429 would wrongly say that nothing was
// done.
func (c *call) finish(last result) (*http.Response, error) {
	if last.resp != nil {
		if last.outcome != 0 {
			c.reply.Err = &CallError{
				Key: c.reply.Key, Tries: c.began, Status: c.status, Outcome: last.outcome,
			}
		}
		ctx := context.WithValue(c.r.Context(), replyKey{}, c.reply)
		last.resp.Request = c.r.WithContext(ctx)
		return last.resp, nil
	}
	err := &CallError{Key: c.reply.Key, Tries: c.began, Status: c.status, Cause: last.err}
	if c.reply.OutcomeUnknown {
		err.Outcome = dialect.OutcomeUnknown
	}
	// errors.Is finds what ended the call, beside what ended the last try.
	for _, ended := range []error{c.r.Context().Err(), context.Cause(c.r.Context())} {
		if ended != nil && !errors.Is(err.Cause, ended) {
			if err.Cause != nil {
				ended = fmt.Errorf("%w: %w", ended, err.Cause)
			}
			err.Cause = ended
		}
	}
	return nil, err
}
