package httpclient

import (
	"context"
	"time"

	"github.com/reprise-go/reprise/dialect"
)

// A Trace is told what calls go through. Its functions may be nil, are called on the goroutine of the call with
// the request's context, and must not block. Keys are in them for tracing a call; they don't belong in a log.
type Trace struct {
	// Try is called after each try.
	Try func(context.Context, TryInfo)

	// Retry is called before each wait for another try.
	Retry func(context.Context, RetryInfo)
}

// TryInfo is one try.
type TryInfo struct {
	Key      string
	Try      int             // from 1
	Status   int             // of the answer, or 0
	Outcome  dialect.Outcome // of an answer that is idempotency's own, or 0
	Replayed bool
	Err      error         // why there is no answer
	Took     time.Duration // up to the end of an answer that is read whole, else of its header

	// Connections is how many Base used: more than one means that net/http sent the request again
	// by itself, 0 that nothing was sent, or that Base doesn't tell (httptrace.ClientTrace.GotConn).
	Connections int
}

// RetryInfo is a decision to try again.
type RetryInfo struct {
	Key    string
	Try    int // the one to come
	Wait   time.Duration
	Reason string // in words: "network error", "status 503"
	Status int    // of the answer before, or 0
	Err    error  // of the try before
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
