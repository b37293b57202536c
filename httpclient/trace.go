package httpclient

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/reprise-go/reprise/dialect"
)

// A Trace is told about calls, their tries and waits. Its functions may be nil. They are called on
// the goroutine of the call, with the request's context, and must not block. They are given keys,
// to tell calls apart; keys don't belong in a log.
type Trace struct {
	// Started is called before the first try. What it returns takes the place of the request's context,
	// also in the request that Base gets. Finished is called with it after the last one, or when there
	// will be none.
	Started  func(context.Context, CallInfo) context.Context
	Finished func(context.Context, CallInfo)

	// Try is called after each try.
	Try func(context.Context, TryInfo)

	// Retry is called before each wait for another try.
	Retry func(context.Context, RetryInfo)
}

// CallInfo describes a call, as far as it has come: all of it for Finished.
type CallInfo struct {
	Key    string
	Method string // of the request
	Host   string // and port, of the request's URL

	Tries    int             // how many have begun
	Status   int             // of the answer, or 0
	Outcome  dialect.Outcome // of an answer that is an error about the key, or 0
	Replayed bool
	Took     time.Duration
	Err      error // why there is no answer
}

// TryInfo describes one try.
type TryInfo struct {
	Key      string
	Try      int             // from 1
	Status   int             // of the answer, or 0
	Outcome  dialect.Outcome // of an answer that is an error about the key, or 0
	Replayed bool
	Err      error         // why there is no answer
	Took     time.Duration // up to the end of an answer that is read whole, or up to the end of the header

	// Connections is how many connections Base used. More than one means that net/http sent the
	// request again by itself; 0 means that nothing was sent, or that Base doesn't call
	// httptrace.ClientTrace.GotConn.
	Connections int
}

// RetryInfo describes the decision to try again.
type RetryInfo struct {
	Key    string
	Try    int // the number of the next try
	Wait   time.Duration
	Reason string // such as "network error" or "status 503"
	Status int    // of the last answer, or 0
	Err    error  // of the last try, or nil
}

// traced tells of both ends of a call.
func (c *call) traced(run func() (*http.Response, error)) (*http.Response, error) {
	t := c.Trace
	if t == nil {
		return run()
	}
	begun := time.Now()
	info := CallInfo{Key: c.reply.Key, Method: c.r.Method, Host: c.r.URL.Host}
	if t.Started != nil {
		c.r = c.r.WithContext(t.Started(c.r.Context(), info))
	}
	resp, err := run()
	if t.Finished == nil {
		return resp, err
	}
	info.Tries, info.Replayed, info.Took, info.Err = c.began, c.reply.Replayed, time.Since(begun), err
	if resp != nil {
		info.Status = resp.StatusCode
	}
	for _, of := range []error{err, c.reply.Err} {
		if failed, ok := errors.AsType[*CallError](of); ok {
			info.Outcome = failed.Outcome
		}
	}
	t.Finished(c.r.Context(), info)
	return resp, err
}

func (t *Trace) try(ctx context.Context, i TryInfo) {
	if t != nil && t.Try != nil {
		t.Try(ctx, i)
	}
}

func (t *Trace) retry(ctx context.Context, i RetryInfo) {
	if t != nil && t.Retry != nil {
		t.Retry(ctx, i)
	}
}
