package httpadapter

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// What the operator adds has its place in each vendor's shape, and takes none where it isn't set.
func TestDocURLAndRequestID(t *testing.T) {
	const page, id = "https://api.example.com/docs", "req_1"
	for _, tt := range []struct {
		dialect   Dialect
		outcome   Outcome
		url, id   string
		has       string
		requestID []string // the header
	}{
		{Credicorp{}, InProgress, page, id, `    "param": "Idempotency-Key",
    "doc_url": "https://api.example.com/docs",
    "request_id": "req_1"
  }
}`, nil},
		{Credicorp{}, InProgress, "", id, `    "param": "Idempotency-Key",
    "request_id": "req_1"
  }
}`, nil},
		{Credicorp{}, Unavailable, page, "", `    "message": "The service is briefly unavailable.",
    "doc_url": "https://api.example.com/docs"
  }
}`, nil},
		{Stripe{}, InProgress, page, id, `{"error":{"code":"idempotency_key_in_use","doc_url":"https://api.example.com/docs","message":"`, []string{id}},
		{Stripe{}, Mismatch, page, "", `{"error":{"doc_url":"https://api.example.com/docs","message":"Keys for`, nil},
		{Stripe{}, OutcomeUnknown, page, id, `{"error":{"code":"outcome_unknown","doc_url":"https://api.example.com/docs","message":"`, []string{id}},
		{IETF{}, InProgress, page, id, `{"type":"https://api.example.com/docs","title":`, nil},
	} {
		answer := tt.dialect.Render(tt.outcome, Info{DocURL: tt.url, RequestID: tt.id})
		if !bytes.Contains(answer.Body, []byte(tt.has)) || !reflect.DeepEqual(answer.Header["Request-Id"], tt.requestID) {
			t.Errorf("%T, %v: got %v\n%s\nwant\n%s", tt.dialect, tt.outcome, answer.Header, answer.Body, tt.has)
		}
	}
	for _, d := range []Dialect{Problem{}, BlueSnap{}} {
		with, without := d.Render(InProgress, Info{DocURL: page, RequestID: id}), d.Render(InProgress, Info{})
		if !reflect.DeepEqual(with, without) {
			t.Errorf("%T has no place for either, but renders %s", d, with.Body)
		}
	}
}

func TestStripeShouldRetry(t *testing.T) {
	for name, o := range allOutcomes {
		if o == ReplayHidden { // is not to tell of keys
			continue
		}
		want := map[bool]string{true: "true", false: "false"}[o == InProgress || o == Unavailable]
		if got := (Stripe{}).Render(o, Info{}).Header["Stripe-Should-Retry"]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %s", name, got, want)
		}
	}
}

// A key is any bytes that a field value can have: the body stays JSON.
func TestStripeQuotesTheKey(t *testing.T) {
	got := string(Stripe{}.Render(Mismatch, Info{Key: `a"b\c<é` + "\xff"}).Body)
	if want := `a key other than 'a\"b\\c<é\ufffd' if`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The declared language is that of the dialect's words.
func TestIETFLanguage(t *testing.T) {
	if got := (IETF{}).Render(Mismatch, Info{}).Header.Get("Content-Language"); got != "en" {
		t.Errorf("got %q", got)
	}
	if got := (IETF{}).Render(Mismatch, Info{Message: "Schlüssel schon verwendet."}).Header.Get("Content-Language"); got != "" {
		t.Errorf("got %q for a message in nobody knows which", got)
	}
}

// Under another name, or another syntax, the vendors' words would be wrong.
func TestVendorsFollowTheConfiguration(t *testing.T) {
	info := Info{Header: "X-Idempotency-Key", Want: Lenient.Want()}
	for _, tt := range []struct {
		dialect Dialect
		outcome Outcome
		has     string
	}{
		{Credicorp{}, InProgress, `"param": "X-Idempotency-Key"`},
		{Credicorp{}, KeyMissing, `"Missing required parameter: X-Idempotency-Key.",`},
		{BlueSnap{}, KeyTooLong, `"code":"60103","description":"The key in the header X-Idempotency-Key is too long. Accepted: 1 to 255`},
		{BlueSnap{}, KeyMalformed, `"code":"60104","description":"The value of the header X-Idempotency-Key is not a valid key. Accepted: 1 to 255`},
	} {
		if got := tt.dialect.Render(tt.outcome, info).Body; !bytes.Contains(got, []byte(tt.has)) {
			t.Errorf("%T, %v: got %s, want %s", tt.dialect, tt.outcome, got, tt.has)
		}
	}
}

// The operator's words and request ID are asked for once an error is sure, with the request at hand.
func TestMessageAndRequestID(t *testing.T) {
	german := func(o Outcome, r *http.Request) string {
		if o == KeyMissing && strings.HasPrefix(r.Header.Get("Accept-Language"), "de") {
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
