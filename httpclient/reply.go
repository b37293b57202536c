package httpclient

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/field"
)

// These say what an answer, or the lack of one, means for the key. errors.Is finds them in a
// *CallError.
var (
	// ErrReused: the key belongs to another operation, and this one was not carried out. Use a new
	// key for it.
	ErrReused = errors.New("httpclient: key used for another request")

	// ErrInProgress: a request with this key is still being carried out. Ask again, with the same
	// key.
	ErrInProgress = errors.New("httpclient: a request with this key is in progress")

	// ErrOutcomeUnknown: the operation may have been carried out or not. Ask again with the same
	// key, or find out by other means; never use another key.
	ErrOutcomeUnknown = errors.New("httpclient: outcome unknown")

	// ErrReplayUnavailable: the operation was carried out, and its answer can't be replayed: it was
	// too large to store, for example. Read the resource to see the result.
	ErrReplayUnavailable = errors.New("httpclient: carried out, but the answer was not stored")
)

// A CallError is the error of a call that has no answer from the server's handler. Its text doesn't
// hold the key.
type CallError struct {
	Key     string
	Tries   int             // how many were begun
	Status  int             // of the last answer, or 0
	Outcome dialect.Outcome // what the server said, or OutcomeUnknown; 0: surely nothing was done

	// Cause is the last network error and why the call ended; nil if there is an answer.
	Cause error
}

func (e *CallError) Error() string {
	what := "httpclient: nothing was done"
	if e.sentinel() != nil {
		what = e.sentinel().Error()
	} else if e.Outcome != 0 {
		what = "httpclient: the server answers: " + e.Outcome.String()
	}
	what = fmt.Sprintf("%s (tries: %d, last status: %d)", what, e.Tries, e.Status)
	if e.Cause != nil {
		what += ": " + e.Cause.Error()
	}
	return what
}

// sentinel returns the package's error for the Outcome, or nil if it has none.
func (e *CallError) sentinel() error {
	switch e.Outcome {
	case dialect.Reused:
		return ErrReused
	case dialect.InProgress:
		return ErrInProgress
	case dialect.OutcomeUnknown:
		return ErrOutcomeUnknown
	case dialect.ReplayUnavailable:
		return ErrReplayUnavailable
	}
	return nil
}

// Unwrap returns the package's error for the Outcome, if there is one, and Cause.
func (e *CallError) Unwrap() []error {
	var all []error
	for _, err := range []error{e.sentinel(), e.Cause} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// Timeout reports whether the call or its last try ran out of time. The *url.Error that http.Client
// returns reports the same.
func (e *CallError) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Cause)
	return ok && t.Timeout()
}

// A Reply is what a Transport knows about an answer.
type Reply struct {
	Key      string
	Tries    int  // how many were made; Base may have sent the request more often by itself
	Replayed bool // the server marks the answer as stored before: this try did nothing

	// OutcomeUnknown: the operation may have been carried out or not, because the last answer, such
	// as a gateway's 502, doesn't tell. With another key the work could be done twice.
	OutcomeUnknown bool

	// Err is a *CallError if the answer is an error about the key, in the words of any ready-made
	// dialect (see dialect.Recognise). It is nil for an answer of the server's handler, whatever
	// its status.
	Err error
}

type replyKey struct{}

// ReplyOf returns what the Transport that returned resp knows about it. It is the zero Reply, whose
// Tries are 0, if there was no Transport, or if the request's method takes no part. It looks at
// resp.Request, and doesn't read resp.Body.
func ReplyOf(resp *http.Response) Reply {
	if resp == nil || resp.Request == nil {
		return Reply{}
	}
	// It is in the context, not in a type of Body: an http.Client with a Timeout wraps Body.
	reply, _ := resp.Request.Context().Value(replyKey{}).(Reply)
	return reply
}

// update adds to the reply what a try tells about the operation.
func (c *call) update(res *result, mayHaveSent bool) {
	c.reply.Tries = c.began
	if res.resp == nil {
		c.reply.OutcomeUnknown = c.reply.OutcomeUnknown || mayHaveSent
		return
	}
	h, status := res.resp.Header, res.resp.StatusCode
	res.replayed = c.isReplay(h, status)
	res.outcome = dialect.Recognise(status, h.Get("Content-Type"), res.body)
	c.status, c.reply.Replayed = status, res.replayed
	switch res.outcome {
	case dialect.InProgress, dialect.OutcomeUnknown:
		c.reply.OutcomeUnknown = true
		return
	case dialect.Reused, dialect.ReplayUnavailable, dialect.ReplayRefused:
		c.reply.OutcomeUnknown = false
		return
	}
	_, later := retryAfter(h, time.Now())
	switch {
	case res.replayed || dialect.IsFinal(status):
		c.reply.OutcomeUnknown = false
	case status >= 500, status == http.StatusRequestTimeout,
		status == http.StatusConflict && later:
		// By RFC 9110 a 408 comes before the work begins, but some servers also send it when a
		// handler takes too long (tower-http's TimeoutLayer).
		c.reply.OutcomeUnknown = true
	}
	// Any other status, such as 401 or 429, refused this try before anything was done. It tells
	// nothing about earlier tries.
}

// isReplay reports whether the answer is marked as a replay: by a marker whose value is true, or by
// the marker of the server's dialect. Where that marker is the key itself, it counts only on
// statuses that the dialect stores: on others, somebody else echoes the key, a gateway for example.
func (c *call) isReplay(h http.Header, status int) bool {
	isTrue := func(name string) bool { return strings.EqualFold(field.Trim(h.Get(name)), "true") }
	if isTrue("Idempotency-Replayed") || isTrue("Idempotent-Replayed") {
		return true
	}
	if c.Dialect == nil {
		return false
	}
	name, value := c.Dialect.Marker(c.reply.Key)
	return keyOf(h.Get(name)) == value && (value != c.reply.Key || c.Dialect.Stores(status))
}
