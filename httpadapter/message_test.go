package httpadapter

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
)

// The operator's words and request ID are asked for once an error is sure, with the request at
// hand.
func TestMessageAndRequestID(t *testing.T) {
	german := func(o dialect.Outcome, r *http.Request) string {
		if o == dialect.KeyMissing && strings.HasPrefix(r.Header.Get("Accept-Language"), "de") {
			return "Der Schlüssel fehlt."
		}
		return ""
	}
	a := newAdapter(t, Config{
		DialectName: "credicorp", RequireKey: true, Message: german,
		RequestID: func(r *http.Request) string { return r.Header.Get("X-Trace") },
	})
	ask := func(language string) *httptest.ResponseRecorder {
		return serve(a, nil, func(r *http.Request) {
			r.Header.Del("Idempotency-Key")
			r.Header.Set("Accept-Language", language)
			r.Header.Set("X-Trace", "req_1")
		})
	}
	for language, message := range map[string]string{"de-AT": "Der Schlüssel fehlt.", "en": "Missing required parameter: Idempotency-Key."} {
		want := `{
  "error": {
    "type": "invalid_request_error",
    "code": "parameter_missing",
    "message": "` + message + `",
    "param": "Idempotency-Key",
    "request_id": "req_1"
  }
}`
		if w := ask(language); w.Code != 400 || w.Body.String() != want {
			t.Errorf("%s: got %d %s, want %s", language, w.Code, w.Body, want)
		}
	}
}
