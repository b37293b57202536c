package dialect_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/refusal"
)

// What the contract gives to the byte, written down once more: no -update reaches it.
func TestContractBodies(t *testing.T) {
	const key = "order-1"
	list := func(name, code, description string) string {
		return `{"message":[{"errorName":"` + name + `","code":"` + code + `","description":"` + description + `"}]}`
	}
	inXML := func(name, code, description string) string {
		return `<?xml version="1.0" encoding="UTF-8" standalone="yes"?><messages xmlns="http://ws.plimus.com"><message><error-name>` +
			name + `</error-name><code>` + code + `</code><description>` + description + `</description></message></messages>`
	}
	type words struct{ name, code, description string }
	var (
		reused  = words{"SAME_IDEMPOTENCY_KEY_WAS_ALREADY_IN_USE_WITH_PREVIOUS_DIFFERENT_REQUEST", "60101", "This occurs if there is an attempt to reuse an Idempotency-Key with a request different from the first request attempt."}
		running = words{"REQUEST_WITH_SAME_IDEMPOTENCY_KEY_ALREADY_IN_PROGRESS", "60102", "This occurs if a request is retried using the same Idempotency-Key as the original request while it is still being processed."}
		tooLong = words{"IDEMPOTENCY_KEY_MAX_LENGTH_LIMIT_EXCEEDED", "60103", "This occurs if the Idempotency-Key header exceeds the maximum length of 64 characters."}
		invalid = words{"INVALID_IDEMPOTENCY_KEY", "60104", "This occurs if the Idempotency-Key header contains invalid characters. It can only contain Alpha-Numeric characters or hyphens."}
		down    = words{"IDEMPOTENCY_SERVICE_TIMEOUT", "60106", "This occurs if the idempotency service is currently unavailable. Please try again later."}
	)
	credicorpBusy := `{
  "error": {
    "type": "invalid_request_error",
    "code": "idempotency_key_in_progress",
    "message": "A request with this key is still being processed.",
    "param": "Idempotency-Key"
  }
}`
	if len(credicorpBusy) != 199 {
		t.Fatalf("this test has %d bytes for the page's 199", len(credicorpBusy))
	}
	for _, tt := range []struct {
		dialect dialect.Dialect
		outcome dialect.Outcome
		status  int
		retry   bool // Retry-After is there
		media   string
		body    string
	}{
		{dialect.Credicorp{}, dialect.InProgress, 409, true, "application/json", credicorpBusy},
		{dialect.Credicorp{}, dialect.Reused, 409, false, "application/json", `{
  "error": {
    "type": "invalid_request_error",
    "code": "idempotency_key_reused",
    "message": "An idempotency key was reused with a different body.",
    "param": "Idempotency-Key"
  }
}`},
		{dialect.Credicorp{}, dialect.Unavailable, 503, true, "application/json", `{
  "error": {
    "type": "api_error",
    "code": "temporarily_unavailable",
    "message": "The service is briefly unavailable."
  }
}`},
		{dialect.Stripe{}, dialect.InProgress, 409, true, "application/json", `{"error":{"code":"idempotency_key_in_use","doc_url":"https://stripe.com/docs/error-codes/idempotency-key-in-use","message":"There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): order-1. Please try again later.","type":"invalid_request_error"}}`},
		{dialect.Stripe{}, dialect.Reused, 400, false, "application/json", `{"error":{"message":"Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than 'order-1' if you meant to execute a different request.","type":"idempotency_error"}}`},
		{dialect.BlueSnap{}, dialect.Reused, 422, false, "application/json", list(reused.name, reused.code, reused.description)},
		{dialect.BlueSnap{}, dialect.InProgress, 409, true, "application/json", list(running.name, running.code, running.description)},
		{dialect.BlueSnap{}, dialect.KeyTooLong, 400, false, "application/json", list(tooLong.name, tooLong.code, tooLong.description)},
		{dialect.BlueSnap{}, dialect.KeyMalformed, 400, false, "application/json", list(invalid.name, invalid.code, invalid.description)},
		{dialect.BlueSnap{}, dialect.Unavailable, 503, true, "application/json", list(down.name, down.code, down.description)},
		{dialect.BlueSnap{}, dialect.Reused, 422, false, "application/xml", inXML(reused.name, reused.code, reused.description)},
		{dialect.BlueSnap{}, dialect.InProgress, 409, true, "application/xml", inXML(running.name, running.code, running.description)},
		{dialect.BlueSnap{}, dialect.KeyTooLong, 400, false, "application/xml", inXML(tooLong.name, tooLong.code, tooLong.description)},
		{dialect.BlueSnap{}, dialect.KeyMalformed, 400, false, "application/xml", inXML(invalid.name, invalid.code, invalid.description)},
		{dialect.BlueSnap{}, dialect.Unavailable, 503, true, "application/xml", inXML(down.name, down.code, down.description)},
	} {
		info := goldenInfo(tt.dialect, tt.outcome)
		if info.Key != "" {
			info.Key = key
		}
		info.Request.Header.Set("Accept", tt.media)
		w := httptest.NewRecorder()
		refusal.Write(w, tt.dialect, tt.outcome, info)
		h := w.Header()
		if w.Code != tt.status || h.Get("Content-Type") != tt.media || w.Body.String() != tt.body || (h["Retry-After"] != nil) != tt.retry {
			t.Errorf("%T, %v: got\n%d %v\n%s\nwant\n%d %s\n%s", tt.dialect, tt.outcome, w.Code, h, w.Body, tt.status, tt.media, tt.body)
		}
	}
}

// The codes that the contract gives without a body, the draft's words, and the codes of outcomes
// that a vendor has no words for: clients branch on all of them.
func TestContractCodes(t *testing.T) {
	const drafts = `{"type":"https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/","title":"`
	for _, tt := range []struct {
		dialect dialect.Dialect
		outcome dialect.Outcome
		status  int
		has     string
	}{
		{dialect.IETF{}, dialect.InProgress, 409, drafts + `A request is outstanding for this Idempotency-Key","status":409,`},
		{dialect.IETF{}, dialect.Reused, 422, drafts + `Idempotency-Key is already used","status":422,`},
		{dialect.IETF{}, dialect.KeyMissing, 400, drafts + `Idempotency-Key is missing","status":400,`},
		{dialect.IETF{}, dialect.OutcomeUnknown, 409, `"code":"outcome-unknown","retryable":false}`},
		{dialect.Credicorp{}, dialect.KeyMissing, 400, `"code": "parameter_missing",`},
		{dialect.Credicorp{}, dialect.KeyMalformed, 400, `"code": "invalid_request",`},
		{dialect.Credicorp{}, dialect.KeyTooLong, 400, `"code": "invalid_request",`},
		{dialect.Credicorp{}, dialect.KeyRepeated, 400, `"code": "invalid_request",`},
		{dialect.Credicorp{}, dialect.OutcomeUnknown, 409, `"code": "outcome_unknown",`},
		{dialect.Credicorp{}, dialect.ReplayUnavailable, 409, `"code": "replay_unavailable",`},
		{dialect.Credicorp{}, dialect.BodyTooLarge, 413, `"code": "body_too_large",`},
		{dialect.Credicorp{}, dialect.Unreadable, 500, `"type": "api_error",`},
		{dialect.BlueSnap{}, dialect.KeyMissing, 400, `"errorName":"IDEMPOTENCY_KEY_MISSING","code":"400",`},
		{dialect.BlueSnap{}, dialect.KeyRepeated, 400, `"errorName":"INVALID_IDEMPOTENCY_KEY","code":"60104","description":"A second key`},
		{dialect.BlueSnap{}, dialect.OutcomeUnknown, 409, `"errorName":"OUTCOME_UNKNOWN","code":"409",`},
		{dialect.BlueSnap{}, dialect.ReplayUnavailable, 409, `"errorName":"REPLAY_UNAVAILABLE","code":"409",`},
		{dialect.Stripe{}, dialect.KeyMissing, 400, `{"error":{"code":"idempotency_key_missing","message":"`},
		{dialect.Stripe{}, dialect.KeyTooLong, 400, `{"error":{"code":"idempotency_key_invalid","message":"`},
		{dialect.Stripe{}, dialect.OutcomeUnknown, 409, `{"error":{"code":"outcome_unknown","message":"`},
		{dialect.Stripe{}, dialect.ReplayUnavailable, 409, `{"error":{"code":"replay_unavailable","message":"`},
		{dialect.Stripe{}, dialect.Unavailable, 503, `"type":"api_error"}}`},
	} {
		got := renderedHTTP(tt.dialect, tt.outcome, goldenInfo(tt.dialect, tt.outcome))
		if !bytes.Contains(got, []byte(tt.has)) || !bytes.HasPrefix(got, fmt.Appendf(nil, "HTTP/1.1 %d ", tt.status)) {
			t.Errorf("%T, %v: got\n%s\nwant %d with %s", tt.dialect, tt.outcome, got, tt.status, tt.has)
		}
	}
}

// What holds of every dialect and outcome, an outcome of later days and none at all included.
func TestDialectRules(t *testing.T) {
	for _, g := range goldens {
		for o := dialect.Outcome(0); int(o) <= dialect.OutcomeCount; o++ {
			info := goldenInfo(g.dialect, o)
			info.Request.Header.Set("Accept", g.accept)
			if o == dialect.ReplayHidden { // says nothing of ours: TestHiddenSaysNothing
				continue
			}
			own := g.dialect.Render(o, info)
			info.Message = `Nö: <&> "mit Komma", so`
			reworded := g.dialect.Render(o, info)
			for _, body := range [][]byte{own.Body, reworded.Body} {
				valid := json.Valid(body)
				if strings.HasSuffix(own.ContentType, "xml") {
					valid = xml.Unmarshal(body, new(struct{})) == nil
				}
				if !valid || bytes.HasSuffix(body, []byte("\n")) || bytes.Contains(body, []byte(`\u00`)) || bytes.Contains(body, []byte("se same")) {
					t.Errorf("%s, %d: body %q", g.dir, o, body)
				}
			}
			if own.Status != 0 && own.Status != o.Status() && o != dialect.Reused {
				t.Errorf("%s, %d: status %d, want the default's %d", g.dir, o, own.Status, o.Status())
			}
			if own.ContentType != reworded.ContentType || own.Status != reworded.Status {
				t.Errorf("%s, %d: a message changed more than the words", g.dir, o)
			}
			if said := sayings(t, reworded); !slices.Contains(said, info.Message) {
				t.Errorf("%s, %d: the message is not in %q", g.dir, o, said)
			} else if before := sayings(t, own); len(before) != len(said) || differences(before, said) != 1 {
				t.Errorf("%s, %d: a message made %q of %q", g.dir, o, said, before)
			}
		}
		if got := g.dialect.Render(99, dialect.Info{}); len(got.Body) == 0 || got.Status != 0 && got.Status != 500 {
			t.Errorf("%s: a stray outcome, of which nothing is known: %+v", g.dir, got)
		}
	}
}

// sayings returns the strings of a body, in their order.
func sayings(t *testing.T, r dialect.Rendering) (said []string) {
	t.Helper()
	if strings.HasSuffix(r.ContentType, "xml") {
		var list dialect.BlueSnapErrors
		if err := xml.Unmarshal(r.Body, &list); err != nil || len(list.Message) != 1 {
			t.Fatalf("%v: %s", err, r.Body)
		}
		m := list.Message[0]
		return []string{m.Name, m.Code, m.Description}
	}
	for d := json.NewDecoder(bytes.NewReader(r.Body)); ; {
		token, err := d.Token()
		if err != nil {
			return said
		}
		if s, ok := token.(string); ok {
			said = append(said, s)
		}
	}
}

func differences(a, b []string) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

func TestDialectPolicies(t *testing.T) {
	final := dialect.IsFinal // which has a test of its own
	for _, tt := range []struct {
		dialect        dialect.Dialect
		name, value    string
		stores         func(int) bool
		accepts, turns []string
	}{
		{dialect.Problem{}, "Idempotency-Replayed", "true", final, []string{`"a b"`, "a"}, []string{"a b"}},
		{dialect.IETF{}, "Idempotency-Replayed", "true", final, []string{`"a b"`}, []string{"a"}},
		{dialect.Credicorp{}, "Idempotency-Replayed", "true", final, []string{`"a,b"`, strings.Repeat("~", 255)}, []string{"a b", strings.Repeat("~", 256), "é"}},
		{dialect.BlueSnap{}, "idempotency-key", "k-1", final, []string{"Az09-", strings.Repeat("a", 64)}, []string{"a_b", `"a"`, strings.Repeat("a", 65)}},
		{dialect.Stripe{}, "Idempotent-Replayed", "true", func(int) bool { return true }, []string{`a "b", é`, strings.Repeat("~", 255)}, []string{"", strings.Repeat("~", 256)}},
	} {
		if name, value := tt.dialect.Marker("k-1"); name != tt.name || value != tt.value {
			t.Errorf("%T: marker %s: %s", tt.dialect, name, value)
		}
		for _, status := range []int{200, 201, 204, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503} {
			if got := tt.dialect.Stores(status); got != tt.stores(status) {
				t.Errorf("%T: stores %d: %v", tt.dialect, status, got)
			}
		}
		for _, key := range tt.accepts {
			if _, err := tt.dialect.Syntax().Parse([]string{key}); err != nil {
				t.Errorf("%T: %q: %v", tt.dialect, key, err)
			}
		}
		for _, key := range tt.turns {
			if _, err := tt.dialect.Syntax().Parse([]string{key}); err == nil {
				t.Errorf("%T: %q is accepted", tt.dialect, key)
			}
		}
	}
}
