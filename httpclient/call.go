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

// A call is one request of the caller's, and all the tries it takes. One goroutine has it.
type call struct {
	Transport // with its defaults

	r        *http.Request // the caller's: read, never written
	body     payload
	field    string    // what the header carries
	deadline time.Time // by Timeout
	began    int       // tries that have begun

	status int   // of the last answer, or 0
	reply  Reply // what is known so far; Unknown: a try may have had an effect, and no answer has told
}

// prepare makes everything ready that can fail before a try. It returns the body of the first, and has closed the
// caller's if it fails.
func (c *call) prepare(fault error) (io.ReadCloser, error) {
	c.deadline = time.Now().Add(c.Timeout)
	if c.TryTimeout == 0 {
		c.TryTimeout = defaultTryTimeout
		if c.MaxTries > 1 {
			c.TryTimeout = min(c.TryTimeout, c.left()/2) // so that two have room
		}
	}
	if fault == nil {
		fault = checkFields(c.r.Header)
	}
	if fault != nil {
		fault = fmt.Errorf("httpclient: %w", fault)
	} else if fault = c.chooseKey(); fault == nil && c.r.Context().Err() != nil {
		_, fault = c.finish(answer{})
	}
	if fault != nil {
		if c.r.Body != nil {
			_ = c.r.Body.Close()
		}
		return nil, fault
	}
	ctx, cancel := context.WithDeadline(c.r.Context(), c.deadline)
	defer cancel()
	var err error
	if c.body, err = newPayload(ctx, c.r, c.MaxBuffer); err != nil {
		_, err = c.finish(answer{err: err})
	}
	return c.body.first, err
}

// checkFields refuses what net/http would refuse (RFC 9110 §5), for the same reason as takesPart.
func checkFields(h http.Header) error {
	for name, values := range h {
		if !field.IsToken(name) {
			return fmt.Errorf("%q is no header name", name)
		}
		for _, v := range values {
			// The value stays unsaid: it may be a secret.
			if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				return fmt.Errorf("the value of the header %s has a control character", name)
			}
		}
	}
	return nil
}

// run tries until an answer settles it, or there is no time, try or reason left.
func (c *call) run(body io.ReadCloser) (*http.Response, error) {
	for {
		a := c.try(body)
		wait, reason := c.another(a)
		if reason == "" {
			return c.finish(a)
		}
		c.Trace.retry(c.r.Context(), RetryInfo{Key: c.reply.Key, Try: c.began + 1, Wait: wait, Reason: reason, Status: a.status(), Err: a.err})
		if !c.sleep(wait) {
			return c.finish(a) // at once: whoever has left may still want to know what there was
		}
		// Only now is the answer given up, for without a body for the next try it is all there is.
		next, err := c.body.again()
		if err != nil {
			if a.err != nil {
				a.err = errors.Join(a.err, err)
			}
			return c.finish(a)
		}
		if a.resp != nil {
			_ = a.resp.Body.Close()
		}
		body = next
	}
}

// sleep reports whether the wait went by before the caller left.
func (c *call) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return c.r.Context().Err() == nil // both may have come at one instant
	case <-c.r.Context().Done():
	//lint:ignore SA1019 An http.Client with a Timeout still uses it.
	case <-c.r.Cancel:
	}
	return false
}

// finish turns the last try into what RoundTrip returns. An earlier one's answer never is: after a network error, a 429
// from before would say that nothing was done.
func (c *call) finish(a answer) (*http.Response, error) {
	if a.resp != nil {
		if a.outcome != 0 {
			c.reply.Err = &CallError{Key: c.reply.Key, Tries: c.began, Status: c.status, Outcome: a.outcome}
		}
		a.resp.Request = c.r.WithContext(context.WithValue(c.r.Context(), replyKey{}, c.reply))
		return a.resp, nil
	}
	err := &CallError{Key: c.reply.Key, Tries: c.began, Status: c.status, Cause: a.err}
	if c.reply.Unknown {
		err.Outcome = dialect.OutcomeUnknown
	}
	// What ended the call stays within reach of errors.Is, beside what ended the last try.
	for _, gone := range []error{c.r.Context().Err(), context.Cause(c.r.Context())} {
		if gone != nil && !errors.Is(err.Cause, gone) {
			if err.Cause != nil {
				gone = fmt.Errorf("%w: %w", gone, err.Cause)
			}
			err.Cause = gone
		}
	}
	return nil, err
}
