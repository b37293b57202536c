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

// What an answer, or the lack of one, means for the key, for errors.Is. The error is a *CallError.
var (
	// ErrReused: the key belongs to another operation, and this one was not carried out.
	ErrReused = errors.New("httpclient: key used for another request")

	// ErrInProgress: a request with this key is still being carried out. Ask again, with the key.
	ErrInProgress = errors.New("httpclient: a request with this key is in progress")

	// ErrOutcomeUnknown: the operation may have been carried out or not. Ask again with the key, or
	// find out by other means; never use another key.
	ErrOutcomeUnknown = errors.New("httpclient: outcome unknown")
)

// A CallError is a call that has no answer from the server's handler. Its text doesn't hold the key.
type CallError struct {
	Key     string
	Tries   int
	Status  int             // of the last answer, or 0
	Outcome dialect.Outcome // what the server said, or dialect.OutcomeUnknown; 0 means that surely nothing was done
	Cause   error           // without an answer: the last network error, and why the call ended; else nil
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

func (e *CallError) sentinel() error {
	switch e.Outcome {
	case dialect.Reused:
		return ErrReused
	case dialect.InProgress:
		return ErrInProgress
	case dialect.OutcomeUnknown:
		return ErrOutcomeUnknown
	}
	return nil
}

// Unwrap returns ErrReused, ErrInProgress or ErrOutcomeUnknown by the Outcome, if it has one, and Cause.
func (e *CallError) Unwrap() []error {
	var all []error
	for _, err := range []error{e.sentinel(), e.Cause} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// Timeout reports whether the call, or its last try, ran out of time; so does the *url.Error around it, then.
func (e *CallError) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Cause)
	return ok && t.Timeout()
}

// A Reply is what a Transport knows of an answer.
type Reply struct {
	Key      string
	Tries    int  // how often the request was sent, but for what Base did by itself
	Replayed bool // the answer is marked as stored before: nothing was carried out for this try

	// Unknown: the operation may have been carried out or not, since the tries ended on an answer
	// that leaves it open, such as a gateway's 502. Another key could repeat the work.
	Unknown bool

	// Err is nil for an answer of the server's handler, whatever its status, and else a *CallError:
	// the answer is about the key. It is known by its body, in any ready-made dialect: see
	// dialect.Recognise.
	Err error
}

type replyKey struct{}

// ReplyOf returns what the Transport that resp came through knows of it, by way of resp.Request; the zero Reply, with no
// Tries, if it came through none or if its method takes no part. It leaves resp.Body alone.
func ReplyOf(resp *http.Response) Reply {
	if resp == nil || resp.Request == nil {
		return Reply{}
	}
	// The context, and not a type of Body: http.Client wraps Body where it has a Timeout.
	reply, _ := resp.Request.Context().Value(replyKey{}).(Reply)
	return reply
}

// note takes down what a try says of the operation.
func (c *call) note(a *answer, mayHaveSent bool) {
	c.reply.Tries = c.began
	if a.resp == nil {
		c.reply.Unknown = c.reply.Unknown || mayHaveSent
		return
	}
	h, status := a.resp.Header, a.resp.StatusCode
	a.replayed = c.isReplay(h, status)
	a.outcome = dialect.Recognise(status, h.Get("Content-Type"), a.body)
	c.status, c.reply.Replayed = status, a.replayed
	switch a.outcome {
	case dialect.InProgress, dialect.OutcomeUnknown:
		c.reply.Unknown = true
		return
	case dialect.Reused, dialect.ReplayUnavailable, dialect.ReplayRefused:
		c.reply.Unknown = false
		return
	}
	_, later := retryAfter(h, time.Now())
	switch {
	case a.replayed || dialect.IsFinal(status):
		c.reply.Unknown = false
	case status >= 500 || status == http.StatusRequestTimeout || status == http.StatusConflict && later:
		// By its definition a 408 comes before the work, but some servers say it of a handler that took too
		// long (tower-http's TimeoutLayer).
		c.reply.Unknown = true
	}
	// Else it was turned away before anything was done: 401, 429. That says nothing of an earlier try.
}

// isReplay knows the markers that say so in words, and that of the server's dialect. Where that is the key itself, it is
// a replay's on answers only that the dialect stores: on others it is somebody else's, such as a gateway's.
func (c *call) isReplay(h http.Header, status int) bool {
	says := func(name string) bool { return strings.EqualFold(field.Trim(h.Get(name)), "true") }
	if says("Idempotency-Replayed") || says("Idempotent-Replayed") {
		return true
	}
	if c.Dialect == nil {
		return false
	}
	name, value := c.Dialect.Marker(c.reply.Key)
	return keyIn(h.Get(name)) == value && (value != c.reply.Key || c.Dialect.Stores(status))
}
