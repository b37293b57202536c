package httpadapter

import (
	"net/http"
	"strings"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/field"
	"github.com/reprise-go/reprise/replay"
)

// verdict says what becomes of a key by the handler's answer.
func (a *Adapter) verdict(status int, h http.Header, body []byte) replay.Verdict {
	switch {
	case a.stores(status, h) && !saysAgain(status, h, body):
		return replay.Keep
	case status < 500:
		// The handler declined before it did anything: a retry is a first request.
		return replay.Release
	}
	return replay.Abandon
}

// stores reports whether the configuration has an answer stored.
func (a *Adapter) stores(status int, h http.Header) bool {
	switch {
	case status < 200:
		return false // It switches protocols.
	case a.cfg.StoresFunc != nil:
		return a.cfg.StoresFunc(status, h)
	}
	return a.cfg.Stores.stores(a.cfg.Dialect, status)
}

// saysAgain reports whether an answer says that the same request may be sent again: by Retry-After
// or a vendor's word for it on a 4xx or 5xx, or as a service behind the handler says, in any
// dialect, that it has the key in progress or can't look. Such an answer is no result, and no
// policy has it stored: retries would be told "again" until it expires, long after the reason has
// gone.
func saysAgain(status int, h http.Header, body []byte) bool {
	if status < 400 {
		return false
	}
	for name, values := range h { // A handler may have written names to the map in any case.
		for _, v := range values {
			switch v = field.Trim(v); http.CanonicalHeaderKey(name) {
			case "Retry-After", "Retry-After-Ms":
				if v != "" {
					return true
				}
			case "X-Should-Retry", "Stripe-Should-Retry":
				if strings.EqualFold(v, "true") {
					return true
				}
			}
		}
	}
	return dialect.Recognise(status, h.Get("Content-Type"), body).Retryable()
}

// retention is how long an answer is stored; 0 leaves it to the engine.
func (a *Adapter) retention(status int, h http.Header) time.Duration {
	if a.cfg.TTLFunc != nil {
		if d := a.cfg.TTLFunc(status, h); d > 0 {
			return d
		}
	}
	switch status / 100 {
	case 2:
		return a.cfg.TTL2xx
	case 3:
		return a.cfg.TTL3xx
	case 4:
		return a.cfg.TTL4xx
	case 5:
		return a.cfg.TTL5xx
	}
	return 0
}
