// Package refusal writes the answer to a request that is refused: a dialect's words, and the headers that are the same in
// all dialects.
package refusal

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/reprise-go/reprise/dialect"
)

// Write answers with a dialect's words for an outcome. Errors are never stored, neither by us nor by caches.
func Write(w http.ResponseWriter, d dialect.Dialect, o dialect.Outcome, info dialect.Info) {
	hidden := o == dialect.ReplayHidden
	if hidden {
		info = dialect.Info{Request: info.Request} // all else is about a key
	}
	answer := d.Render(o, info)
	h := w.Header()
	for name, values := range answer.Header {
		h[http.CanonicalHeaderKey(name)] = slices.Clone(values) // a dialect may render the same map for all
	}
	h.Set("Content-Type", answer.ContentType)
	h.Set("Content-Length", strconv.Itoa(len(answer.Body)))
	if h.Get("Content-Encoding") != "" {
		h.Del("Content-Length") // a compressor around us has announced itself: the length will be another
	}
	if !hidden {
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Should-Retry", strconv.FormatBool(o.Retryable()))
		h.Del("Retry-After")
	}
	if o.Retryable() {
		h.Set("Retry-After", strconv.Itoa(retryAfterSeconds(info.RetryAfter)))
	}
	if info.DocURL != "" {
		h.Add("Link", "<"+info.DocURL+`>; rel="describedby"; type="text/html"`)
	}
	status := answer.Status
	if status == 0 {
		status = o.Status()
	}
	w.WriteHeader(status)
	w.Write(answer.Body) // an error means that the client has gone
}

// retryAfterSeconds rounds up, so that nobody comes back before the lease has ended. Zero would invite a busy loop, and
// half a minute is as long as a client should be kept from asking.
func retryAfterSeconds(d time.Duration) int {
	d = min(max(d, time.Second), 30*time.Second)
	return int((d + time.Second - 1) / time.Second)
}
