package httpclient

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/config"
	"github.com/reprise-go/reprise/internal/field"
	"github.com/reprise-go/reprise/internal/method"
)

// A Transport is an [http.RoundTripper] that gives calls an idempotency key and repeats them. Its
// zero value is ready for use:
//
//	client := &http.Client{Transport: &httpclient.Transport{}}
//
// Every POST and PATCH is sent with a key: the one in its header, else that of [WithKey], else a
// new one. All its tries have that key and the same bytes, so a server that keeps its promise
// carries it out once. A redirect (307, 308) that http.Client follows keeps the key. A key in the
// header is never altered: if a server could read another key than the caller means (several field
// lines, an empty one, a name that is not in canonical form), nothing is sent.
//
// The request is sent again after
//
//   - a network error, an answer that breaks off, and a try that takes longer than TryTimeout,
//   - an error about the key that says that the same request may be sent again, in the words of any
//     ready-made dialect: in progress, with or without Retry-After, and unavailable,
//   - 409 with Retry-After, 408, 425, 429, 500, 502, 503 and 504, and Cloudflare's statuses for the
//     last three: 520 to 524 and 530
//     (developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors),
//
// unless the answer is marked as a replay, which every try would get again, or is an error about
// the key that says that sending it again is of no use. From status 400 on, the server's
// X-Should-Retry or Stripe-Should-Retry (true, false) overrides all of this. Any other answer ends
// the call, and so do the request's context, Timeout and MaxTries. A wait that would last longer
// than the call is not begun.
//
// An answer never becomes an error, whatever its status; [ReplyOf] tells whether it was replayed
// and what it means for the key. A call without an answer ends in a *[CallError]. It wraps
// [ErrOutcomeUnknown] unless surely nothing was done: no connection could be made, or every try
// that arrived was refused with 429. Then the same call with the same key finds out what happened;
// with another key it could do the work twice.
//
// # Answers are read whole
//
// RoundTrip reads an answer of up to MaxResponse bytes before it returns, within TryTimeout. If the
// answer breaks off, the request is sent again, and the caller gets a whole one. A longer answer,
// or a text/event-stream, is passed on as it comes, bounded by the request's context alone; if it
// breaks off, the caller has to call again with Reply.Key.
//
// # What net/http does by itself
//
// If an [http.Transport] loses a reused connection, it sends a request that has an Idempotency-Key
// header again by itself, because it takes the header as the server's promise. So to add the header
// is a decision: a server that ignores it may carry out such a POST twice. TryInfo.Connections
// shows when net/http has done so.
//
// When [http.Client.Timeout] ends a call, http.Client may return the text of the error alone, in
// which errors.Is finds nothing. Use Transport.Timeout or a context instead.
//
// The fields must not be changed once calls have begun. A Transport is safe for concurrent use.
type Transport struct {
	// Base makes each try. Zero means http.DefaultTransport.
	Base http.RoundTripper

	// Dialect is the server's, if its replays have a marker of their own: its Marker counts beside
	// Idempotency-Replayed and Idempotent-Replayed, which need no setting. BlueSnap's marker is the
	// key itself, sent back on replays only. Other servers send the key back always, so without
	// dialect.BlueSnap{} here an echo of the key proves nothing. Errors about the key are
	// recognised in every dialect, also without this setting. Nil means none.
	Dialect dialect.Dialect

	// Methods are those that get a key. Other requests, and those that ask for an Upgrade, go to
	// Base as they are. Zero means POST and PATCH. Not accepted are GET, HEAD, OPTIONS and TRACE,
	// which need no key, and names in lower case, which match nothing: methods are case-sensitive
	// (RFC 9110 §9.1).
	Methods []string

	// Header is the name of the header that carries the key. Zero means Idempotency-Key. Not
	// accepted are headers that net/http writes itself, such as Host and Content-Length: it would
	// silently leave the key out.
	Header string

	// Quoted sends the key as an RFC 9651 String, in double quotes, for servers that accept nothing
	// else. Zero (false) sends it as it is. A key in the request's own header is never altered.
	Quoted bool

	// Timeout bounds a call with all its tries and waits, up to the answer. Zero means 2 min. The
	// request's context bounds it as well.
	Timeout time.Duration

	// TryTimeout bounds one try, up to the end of an answer that is read whole, so that a server
	// that hangs leaves time for another try. Zero means 30 s, or half the time of the call if that
	// is less.
	TryTimeout time.Duration

	// MaxTries is how often a request is sent at most. Zero means 10, which with the waits between
	// them takes longer than the default lease of a server that has died. 1 means no retries.
	MaxTries int

	// Backoff bounds the wait after the first try. The bound doubles with each try, up to
	// MaxBackoff. The wait is random between 0 and the bound, but never less than Retry-After-Ms or
	// Retry-After ask for. Zero means 250 ms and 10 s. (This is full jitter, after Brooker,
	// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.)
	Backoff    time.Duration
	MaxBackoff time.Duration

	// MaxBuffer is the longest request body, in bytes, that is buffered so that it can be sent
	// again. It matters for requests without GetBody. Zero means 1 MiB. A longer body is sent once,
	// with its key: to refuse it would break calls that mostly succeed, and after a failure the
	// caller can repeat the call with CallError.Key.
	MaxBuffer int64

	// MaxResponse is the longest answer, in bytes, that is read whole. Zero means 1 MiB.
	MaxResponse int64

	// Trace is told about tries and waits. Nil is off.
	Trace *Trace
}

const (
	defaultTimeout    = 2 * time.Minute
	defaultTryTimeout = 30 * time.Second
	defaultMaxTries   = 10
	defaultBackoff    = 250 * time.Millisecond
	defaultMaxBackoff = 10 * time.Second
	defaultBuffer     = 1 << 20
	maxBuffer         = 256 << 20
)

// withDefaults returns a copy with every zero field set to its default, except TryTimeout, whose
// default depends on the call.
func (t *Transport) withDefaults() Transport {
	c := *t
	if c.Base == nil {
		c.Base = http.DefaultTransport
	}
	if len(c.Methods) == 0 {
		c.Methods = method.Default()
	}
	c.Header = cmp.Or(c.Header, dialect.KeyHeader)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.MaxTries = cmp.Or(c.MaxTries, defaultMaxTries)
	c.Backoff = cmp.Or(c.Backoff, defaultBackoff)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, max(c.Backoff, defaultMaxBackoff))
	c.MaxBuffer = cmp.Or(c.MaxBuffer, defaultBuffer)
	c.MaxResponse = cmp.Or(c.MaxResponse, defaultBuffer)
	return c
}

var (
	methodsRule = config.Each(method.Want, method.IsUnsafe, nil)
	bufferRule  = config.Between[int64](1, maxBuffer)
)

// A ConfigError is a setting that isn't accepted: its name, its value and what is accepted. Its
// fields are the strings Name, Value, Want and Other, the second setting of a rule across two.
type ConfigError = config.Error

// Validate returns all faults of the fields, joined, each a *[ConfigError]. RoundTrip calls it too,
// and sends nothing if there is a fault.
func (t *Transport) Validate() error {
	c := t.withDefaults()
	var f config.Faults
	config.Check(&f, "Methods", c.Methods, methodsRule)
	f.Check(field.IsOfRequest(c.Header), "Header", c.Header,
		"the name of a request header other than Host and those of one connection", "")
	f.Check(c.Timeout > 0, "Timeout", c.Timeout, "a duration above 0", "")
	f.Check(c.TryTimeout >= 0, "TryTimeout", c.TryTimeout, "a duration above 0", "")
	f.Check(c.MaxTries > 0, "MaxTries", c.MaxTries, "1 or more", "")
	f.Check(c.Backoff > 0, "Backoff", c.Backoff, "a duration above 0", "")
	f.Check(c.MaxBackoff >= c.Backoff, "MaxBackoff", c.MaxBackoff, "Backoff or more", "Backoff")
	config.Check(&f, "MaxBuffer", c.MaxBuffer, bufferRule)
	config.Check(&f, "MaxResponse", c.MaxResponse, bufferRule)
	return f.Err()
}

// RoundTrip makes a call: one request, sent as often as it takes. It neither changes r nor keeps
// it, and always closes its body. An error before the first try is a *[ConfigError], a
// *[dialect.KeyError] for a key that the header can't carry, or a *[CallError] whose Tries are 0,
// for a body that can't be read or a context that has ended.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c := &call{Transport: t.withDefaults(), r: r}
	if !c.takesPart() {
		return c.Base.RoundTrip(r)
	}
	body, err := c.prepare()
	if err != nil {
		return nil, err
	}
	return c.traced(func() (*http.Response, error) { return c.run(body) })
}

// takesPart reports whether the call gets a key. It leaves to Base what only Base can send or
// refuse: if Base refused such a request here, that would look like a network error after which the
// outcome is unknown.
func (c *call) takesPart() bool {
	return slices.Contains(c.Methods, c.r.Method) && c.r.Header.Get("Upgrade") == "" &&
		c.r.URL != nil && c.r.URL.Host != "" && (c.r.URL.Scheme == "http" || c.r.URL.Scheme == "https")
}

// CloseIdleConnections closes the idle connections of Base, if Base can. It is called by
// [http.Client.CloseIdleConnections].
func (t *Transport) CloseIdleConnections() {
	if b, ok := t.withDefaults().Base.(interface{ CloseIdleConnections() }); ok {
		b.CloseIdleConnections()
	}
}
