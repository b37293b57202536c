// Package refusal writes the answer to a request that is refused: the dialect's status and body,
// and the headers that are the same in all dialects.
package refusal

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/reprise-go/reprise/dialect"
)

// Write answers with what the dialect says about the outcome. Caches must not store such an answer.
func Write(w http.ResponseWriter, d dialect.Dialect, o dialect.Outcome, info dialect.Info) {
	hidden := o == dialect.ReplayHidden
	if hidden {
		info = dialect.Info{Request: info.Request} // everything else is about the key
	}
	answer := d.Render(o, info)
	h := w.Header()
	for name, values := range answer.Header {
		h[http.CanonicalHeaderKey(name)] = slices.Clone(values) // a dialect may return the same map each time
	}
	h.Set("Content-Type", answer.ContentType)
	h.Set("Content-Length", strconv.Itoa(len(answer.Body)))
	if h.Get("Content-Encoding") != "" {
		h.Del("Content-Length") // an outer middleware compresses the body
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
	w.Write(answer.Body) // it fails if the client has gone
}

// retryAfterSeconds returns whole seconds, rounded up so that no client comes back before the lease
// has ended. It is at least 1, because 0 would invite a busy loop, and at most 30, because no
// client should be kept waiting for longer.
func retryAfterSeconds(d time.Duration) int {
	d = min(max(d, time.Second), 30*time.Second)
	return int((d + time.Second - 1) / time.Second)
}
