package httpclient

import (
	"cmp"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/reprise-go/reprise/internal/field"
	"github.com/reprise-go/reprise/internal/jitter"
)

// another decides whether there is to be another try, when, and why. No reason means no.
func (c *call) another(a answer) (wait time.Duration, reason string) {
	if c.r.Context().Err() != nil || c.began >= c.MaxTries || c.body.again == nil {
		return 0, ""
	}
	var hint time.Duration
	if a.resp != nil {
		hint, _ = retryAfter(a.resp.Header, time.Now())
	}
	wait = max(hint, jitter.N(backoff(c.Backoff, c.MaxBackoff, c.began)))
	if wait >= c.left() {
		return 0, "" // the wait would end with the call: say at once what is known
	}
	return wait, a.reason()
}

// left is how long the call may still take.
func (c *call) left() time.Duration {
	left := time.Until(c.deadline)
	if d, ok := c.r.Context().Deadline(); ok {
		left = min(left, time.Until(d))
	}
	return left
}

// reason says why the same request may be sent again, or nothing.
func (a answer) reason() string {
	if a.resp == nil {
		if hopeless(a.err) {
			return ""
		}
		return "network error"
	}
	if a.resp.StatusCode < 400 {
		return ""
	}
	// The server's word goes first: it knows what it has done.
	word := func(name string) string { return strings.ToLower(field.Trim(a.resp.Header.Get(name))) }
	switch cmp.Or(word("X-Should-Retry"), word("Stripe-Should-Retry")) {
	case "true":
		return "the server asks for it"
	case "false":
		return ""
	}
	if a.replayed {
		return "" // this is the answer, and will be every time
	}
	if !a.mayComeAgain() {
		return ""
	}
	return "status " + strconv.Itoa(a.resp.StatusCode)
}

// mayComeAgain reports whether sending the request again is safe, as it has a key, and of use. What is said of the key
// goes before the status.
func (a answer) mayComeAgain() bool {
	if a.outcome != 0 {
		return a.outcome.Retryable()
	}
	switch status := a.resp.StatusCode; status {
	case http.StatusConflict:
		// A 409 without is about the resource, or for good.
		_, later := retryAfter(a.resp.Header, time.Now())
		return later
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, 530:
		return true
	default:
		return 520 <= status && status <= 524
	}
}

// backoff is the upper bound of the wait after so many tries: base, doubled by each, up to most.
func backoff(base, most time.Duration, tries int) time.Duration {
	for range tries - 1 {
		if base > most/2 { // doubling could overflow
			return most
		}
		base *= 2
	}
	return base
}

// retryAfter reads Retry-After-Ms, which is the more exact one, or else Retry-After: seconds, or a date (RFC 9110
// §10.2.3). Decimals are accepted in both, as SDKs do. What can't be read is not there.
func retryAfter(h http.Header, now time.Time) (d time.Duration, ok bool) {
	if d, ok = decimal(h.Get("Retry-After-Ms"), time.Millisecond); ok {
		return d, true
	}
	value := h.Get("Retry-After")
	if d, ok = decimal(value, time.Second); ok {
		return d, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	// By the server's own clock, if it tells: ours may be minutes off.
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(at.Sub(now), 0), true
}

// decimal reads digits with at most one point among them. What is longer than a Duration is as long as one.
func decimal(s string, unit time.Duration) (time.Duration, bool) {
	s = strings.Trim(s, " \t")
	if strings.Trim(s, "0123456789.") != "" {
		return 0, false // a sign, an exponent, Inf, NaN
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && f == 0 {
		return 0, false
	}
	if f *= float64(unit); f >= math.MaxInt64 {
		return math.MaxInt64, true
	}
	return time.Duration(math.Ceil(f)), true
}
