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

// A Transport is an [http.RoundTripper] whose calls are safe to repeat, and which repeats them. Its zero value is ready:
//
//	client := &http.Client{Transport: &httpclient.Transport{}}
//
// Every POST and PATCH gets an idempotency key: the one in its header, else that of [WithKey], else a new one. One that
// the header has is never altered: where a server could read another key out of it than the caller means (several field
// lines, an empty one, a name that is not in canonical form), nothing is sent. However often it is sent, it is sent with
// that key and the same bytes, so that a server that keeps its word carries it out once; a redirect (307, 308) that
// http.Client follows keeps the key too. It is sent again after
//
//   - a network error, an answer that breaks off half way, and a try that takes longer than TryTimeout,
//   - an error about the key that says that the same request may be sent again, in the words of any dialect: in
//     progress, with Retry-After or without, and unavailable,
//   - 409 with Retry-After, 408, 425, 429, 500, 502, 503 and 504, and what stands for the last three at Cloudflare: 520 to
//     524 and 530 (developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors),
//
// unless the answer is marked as a replay, which would only come again, or is an error about the key that says that
// sending it again is of no use. The server's x-should-retry or Stripe-Should-Retry (true, false) overrides all that for
// any status from 400. It ends with any other answer, with the request's context, and at Timeout or MaxTries. A wait that
// would go past the deadline is not begun.
//
// An answer, whatever its status, is never made an error; [ReplyOf] tells whether it was fresh or replayed, and what it
// means for the key. Without an answer the error is a *[CallError]; it wraps [ErrOutcomeUnknown] unless surely nothing
// was done, as where no connection could be made, or 429 refused every try that arrived. The same call with the same
// key finds out; with another it could do the work twice.
//
// # Answers are read whole
//
// An answer of up to MaxResponse bytes is read before RoundTrip returns, within TryTimeout, so that one that breaks off
// is asked for again, and the caller gets a whole one. A longer one, or a text/event-stream, is passed on as it
// comes, bounded by the request's context alone; if it breaks off, the caller has to call again with Reply.Key.
//
// # What net/http does by itself
//
// An [http.Transport] that loses a reused connection sends a request with an Idempotency-Key header again without
// being asked, since it takes the header for the server's word. Adding the header is therefore no small thing: a
// server that ignores it may carry such a POST out twice. TryInfo.Connections shows when that happened.
//
// When [http.Client.Timeout] ends a call, it may replace the error by its text, in which errors.Is finds nothing. Use
// Timeout here, or a context.
//
// The fields must not be changed once calls have begun. A Transport is safe for concurrent use.
type Transport struct {
	// Base does each try. Zero means http.DefaultTransport.
	Base http.RoundTripper

	// Dialect is the server's, where its replays have a mark of its own: its Marker counts beside
	// Idempotency-Replayed and Idempotent-Replayed, which need no setting. BlueSnap's is the key,
	// sent back on replays only; others send it back always, so that without dialect.BlueSnap{} here
	// an echo proves nothing. Errors about the key are known in every dialect. Nil means none.
	Dialect dialect.Dialect

	// Methods take part; others, and requests that ask for an Upgrade, are passed to Base untouched.
	// Zero means POST and PATCH. GET, HEAD, OPTIONS and TRACE need no key, and are not accepted; nor
	// is one in lower case: methods are case-sensitive (RFC 9110 §9.1), and it would match nothing.
	Methods []string

	// Header carries the key. Zero means Idempotency-Key. Not accepted is what net/http makes itself, and would
	// leave out unnoticed: Host, Content-Length and the like.
	Header string

	// Quoted sends the key as an RFC 9651 String, in double quotes, for servers that accept nothing
	// else. Zero (false) sends it as it is. What a request already carries is never altered.
	Quoted bool

	// Timeout bounds a call with all its tries and waits, up to the answer. Zero means 2 min. The
	// request's context bounds it too.
	Timeout time.Duration

	// TryTimeout bounds one try, up to the end of an answer that is read whole, so that a server that
	// hangs leaves time for another. Zero means 30 s, or half of the time that the call has if that is
	// less.
	TryTimeout time.Duration

	// MaxTries is how often a request is sent. Zero means 10, which with the waits in between is
	// longer than the default lease of a server that died; 1 means never again.
	MaxTries int

	// Backoff bounds the wait after the first try, and doubles for each one after up to MaxBackoff:
	// the wait is random between 0 and the bound, but never less than Retry-After-Ms or Retry-After
	// ask for. Zero means 250 ms and 10 s. (Full jitter, after Brooker, "Exponential Backoff And
	// Jitter", AWS Architecture Blog, 2015.)
	Backoff    time.Duration
	MaxBackoff time.Duration

	// MaxBuffer bounds in bytes a body that is kept to be sent again because the request has no
	// GetBody. Zero means 1 MiB. A longer one is sent once, with its key: refusing it would break a
	// call that mostly succeeds, and after a failure the caller can repeat it with CallError.Key.
	MaxBuffer int64

	// MaxResponse bounds in bytes an answer that is read whole. Zero means 1 MiB.
	MaxResponse int64

	// Trace is told of tries and waits. Nil is off.
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

// withDefaults returns a copy with every zero replaced by its default, but for TryTimeout's, which is a call's own.
func (t *Transport) withDefaults() Transport {
	c := *t
	if c.Base == nil {
		c.Base = http.DefaultTransport
	}
	if len(c.Methods) == 0 {
		c.Methods = []string{http.MethodPost, http.MethodPatch}
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

// ConfigError is one setting that isn't accepted: its name, the value and what is accepted.
type ConfigError = config.Error

// Validate returns every fault of the fields at once, each a *[ConfigError]. RoundTrip asks it too, and sends nothing if
// there is any.
func (t *Transport) Validate() error {
	c := t.withDefaults()
	var f config.Faults
	f.CheckEach("Methods", c.Methods, method.IsUnsafe, nil, method.Want)
	f.Check(field.IsOfRequest(c.Header), "Header", c.Header, "the name of a request header other than Host and those of one connection", "")
	f.Check(c.Timeout > 0, "Timeout", c.Timeout, "a duration above 0", "")
	f.Check(c.TryTimeout >= 0, "TryTimeout", c.TryTimeout, "a duration above 0", "")
	f.Check(c.MaxTries > 0, "MaxTries", c.MaxTries, "1 or more", "")
	f.Check(c.Backoff > 0, "Backoff", c.Backoff, "a duration above 0", "")
	f.Check(c.MaxBackoff >= c.Backoff, "MaxBackoff", c.MaxBackoff, "Backoff or more", "Backoff")
	f.Check(c.MaxBuffer > 0 && c.MaxBuffer <= maxBuffer, "MaxBuffer", c.MaxBuffer, "1 to 268435456 bytes", "")
	f.Check(c.MaxResponse > 0 && c.MaxResponse <= maxBuffer, "MaxResponse", c.MaxResponse, "1 to 268435456 bytes", "")
	return f.Err()
}

// RoundTrip does a call: one request, sent as often as it takes. It neither changes r nor keeps it, and always closes
// its body. What can't be sent at all is an error before the first try: a *[ConfigError], a *[dialect.KeyError] for a
// key that the header can't carry, or a *[CallError] with no Tries for a body that can't be read and a context that has
// ended.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c := &call{Transport: t.withDefaults(), r: r}
	if !c.takesPart() {
		return c.Base.RoundTrip(r)
	}
	body, err := c.prepare(t.Validate())
	if err != nil {
		return nil, err
	}
	return c.run(body)
}

// takesPart leaves to Base what only it can send, or refuse: a request that it refuses would look like a network error
// here, and be told of as one whose outcome is unknown.
func (c *call) takesPart() bool {
	return slices.Contains(c.Methods, c.r.Method) && c.r.Header.Get("Upgrade") == "" &&
		c.r.URL != nil && c.r.URL.Host != "" && (c.r.URL.Scheme == "http" || c.r.URL.Scheme == "https")
}

// CloseIdleConnections is what [http.Client.CloseIdleConnections] calls. It asks Base to.
func (t *Transport) CloseIdleConnections() {
	if b, ok := t.withDefaults().Base.(interface{ CloseIdleConnections() }); ok {
		b.CloseIdleConnections()
	}
}
