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

// nextTry decides whether there is another try, after which wait and for which reason. An empty
// reason means that there is none.
func (c *call) nextTry(last result) (wait time.Duration, reason string) {
	if c.r.Context().Err() != nil || c.began >= c.MaxTries || c.body.again == nil {
		return 0, ""
	}
	var hint time.Duration
	if last.resp != nil {
		hint, _ = retryAfter(last.resp.Header, time.Now())
	}
	wait = max(hint, jitter.N(backoff(c.Backoff, c.MaxBackoff, c.began)))
	if wait >= c.timeLeft() {
		return 0, "" // the call would end during the wait: return at once what is known
	}
	return wait, last.retryReason()
}

// timeLeft returns how long the call may still take.
func (c *call) timeLeft() time.Duration {
	left := time.Until(c.deadline)
	if d, ok := c.r.Context().Deadline(); ok {
		left = min(left, time.Until(d))
	}
	return left
}

// retryReason says why the same request should be sent again. It is empty if it should not.
func (res result) retryReason() string {
	if res.resp == nil {
		if isPermanent(res.err) {
			return ""
		}
		return "network error"
	}
	if res.resp.StatusCode < 400 {
		return ""
	}
	// The server's own advice comes first: it knows what it has done.
	advice := func(name string) string {
		return strings.ToLower(field.Trim(res.resp.Header.Get(name)))
	}
	switch cmp.Or(advice("X-Should-Retry"), advice("Stripe-Should-Retry")) {
	case "true":
		return "the server asks for it"
	case "false":
		return ""
	}
	if res.replayed {
		return "" // every try would get this same answer
	}
	if !res.isRetryable() {
		return ""
	}
	return "status " + strconv.Itoa(res.resp.StatusCode)
}

// isRetryable reports whether it is of use to send the request again; the key makes it safe. What
// an error says about the key comes before the status.
func (res result) isRetryable() bool {
	if res.outcome != 0 {
		return res.outcome.Retryable()
	}
	switch status := res.resp.StatusCode; status {
	case http.StatusConflict:
		// A 409 without Retry-After is about the resource, or final.
		_, later := retryAfter(res.resp.Header, time.Now())
		return later
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout, 530:
		return true
	default:
		return 520 <= status && status <= 524
	}
}

// backoff returns the upper bound of the wait after so many tries. It begins at base and doubles
// with each try, up to most.
func backoff(base, most time.Duration, tries int) time.Duration {
	for range tries - 1 {
		if base > most/2 { // doubling could overflow
			return most
		}
		base *= 2
	}
	return base
}

// retryAfter reads Retry-After-Ms, which is more exact, or else Retry-After, which has seconds or a
// date (RFC 9110 §10.2.3). It accepts decimals in both, as SDKs do. A value that can't be read
// counts as missing.
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
	// The date is by the server's clock, so it is compared with the server's Date, if there is one:
	// this machine's clock may be minutes off.
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(at.Sub(now), 0), true
}

// decimal reads digits with at most one point. A value beyond the longest Duration becomes that.
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
