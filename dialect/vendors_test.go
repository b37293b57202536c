package dialect_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
)

// What the operator adds has its place in each vendor's shape, and takes none where it isn't set.
func TestDocURLAndRequestID(t *testing.T) {
	const page, id = "https://api.example.com/docs", "req_1"
	for _, tt := range []struct {
		dialect   dialect.Dialect
		outcome   dialect.Outcome
		url, id   string
		has       string
		requestID []string // the header
	}{
		{dialect.Credicorp{}, dialect.InProgress, page, id, `    "param": "Idempotency-Key",
    "doc_url": "https://api.example.com/docs",
    "request_id": "req_1"
  }
}`, nil},
		{dialect.Credicorp{}, dialect.InProgress, "", id, `    "param": "Idempotency-Key",
    "request_id": "req_1"
  }
}`, nil},
		{dialect.Credicorp{}, dialect.Unavailable, page, "", `    "message": "The service is briefly unavailable.",
    "doc_url": "https://api.example.com/docs"
  }
}`, nil},
		{dialect.Stripe{}, dialect.InProgress, page, id, `{"error":{"code":"idempotency_key_in_use","doc_url":"https://api.example.com/docs","message":"`, []string{id}},
		{dialect.Stripe{}, dialect.Reused, page, "", `{"error":{"doc_url":"https://api.example.com/docs","message":"Keys for`, nil},
		{dialect.Stripe{}, dialect.OutcomeUnknown, page, id, `{"error":{"code":"outcome_unknown","doc_url":"https://api.example.com/docs","message":"`, []string{id}},
		{dialect.IETF{}, dialect.InProgress, page, id, `{"type":"https://api.example.com/docs","title":`, nil},
	} {
		answer := tt.dialect.Render(tt.outcome, dialect.Info{DocURL: tt.url, RequestID: tt.id})
		if !bytes.Contains(answer.Body, []byte(tt.has)) || !reflect.DeepEqual(answer.Header["Request-Id"], tt.requestID) {
			t.Errorf("%T, %v: got %v\n%s\nwant\n%s", tt.dialect, tt.outcome, answer.Header, answer.Body, tt.has)
		}
	}
	for _, d := range []dialect.Dialect{dialect.Problem{}, dialect.BlueSnap{}} {
		with, without := d.Render(dialect.InProgress, dialect.Info{DocURL: page, RequestID: id}), d.Render(dialect.InProgress, dialect.Info{})
		if !reflect.DeepEqual(with, without) {
			t.Errorf("%T has no place for either, but renders %s", d, with.Body)
		}
	}
}

func TestStripeShouldRetry(t *testing.T) {
	for name, o := range allOutcomes {
		if o == dialect.ReplayHidden { // is not to tell of keys
			continue
		}
		want := map[bool]string{true: "true", false: "false"}[o == dialect.InProgress || o == dialect.Unavailable]
		if got := (dialect.Stripe{}).Render(o, dialect.Info{}).Header["Stripe-Should-Retry"]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %s", name, got, want)
		}
	}
}

// A key is any bytes that a field value can have: the body stays JSON.
func TestStripeQuotesTheKey(t *testing.T) {
	got := string(dialect.Stripe{}.Render(dialect.Reused, dialect.Info{Key: `a"b\c<é` + "\xff"}).Body)
	if want := `a key other than 'a\"b\\c<é\ufffd' if`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The declared language is that of the dialect's words.
func TestIETFLanguage(t *testing.T) {
	if got := (dialect.IETF{}).Render(dialect.Reused, dialect.Info{}).Header.Get("Content-Language"); got != "en" {
		t.Errorf("got %q", got)
	}
	if got := (dialect.IETF{}).Render(dialect.Reused, dialect.Info{Message: "Schlüssel schon verwendet."}).Header.Get("Content-Language"); got != "" {
		t.Errorf("got %q for a message in nobody knows which", got)
	}
}

// Under another name, or another syntax, the vendors' words would be wrong.
func TestVendorsFollowTheConfiguration(t *testing.T) {
	info := dialect.Info{Header: "X-Idempotency-Key", Want: dialect.Lenient.Want()}
	for _, tt := range []struct {
		dialect dialect.Dialect
		outcome dialect.Outcome
		has     string
	}{
		{dialect.Credicorp{}, dialect.InProgress, `"param": "X-Idempotency-Key"`},
		{dialect.Credicorp{}, dialect.KeyMissing, `"Missing required parameter: X-Idempotency-Key.",`},
		{dialect.BlueSnap{}, dialect.KeyTooLong, `"code":"60103","description":"The key in the header X-Idempotency-Key is too long. Accepted: 1 to 255`},
		{dialect.BlueSnap{}, dialect.KeyMalformed, `"code":"60104","description":"The value of the header X-Idempotency-Key is not a valid key. Accepted: 1 to 255`},
	} {
		if got := tt.dialect.Render(tt.outcome, info).Body; !bytes.Contains(got, []byte(tt.has)) {
			t.Errorf("%T, %v: got %s, want %s", tt.dialect, tt.outcome, got, tt.has)
		}
	}
}
