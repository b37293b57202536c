package httpclient

import (
	"context"
	"time"

	"github.com/reprise-go/reprise/dialect"
)

// A Trace is told about the tries and waits of calls. Its functions may be nil. They are called on
// the goroutine of the call, with the request's context, and must not block. They are given keys,
// to tell calls apart; keys don't belong in a log.
type Trace struct {
	// Try is called after each try.
	Try func(context.Context, TryInfo)

	// Retry is called before each wait for another try.
	Retry func(context.Context, RetryInfo)
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
