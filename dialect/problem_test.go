package dialect_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
)

// Every problem has these properties, whatever its words.
func TestProblemRules(t *testing.T) {
	titles := map[string]string{} // by code
	for name, o := range allOutcomes {
		if o == dialect.ReplayHidden { // is no problem
			continue
		}
		answer := dialect.Problem{}.Render(o, goldenInfo(dialect.Problem{}, o))
		var p dialect.ProblemBody
		d := json.NewDecoder(bytes.NewReader(answer.Body))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if p.Type != "https://github.com/reprise-go/reprise#"+o.String() || p.Code != o.String() ||
			p.Status != o.Status() || answer.Status != o.Status() || p.Retryable != o.Retryable() {
			t.Errorf("%s: %+v", name, p)
		}
		if p.Title == "" || !strings.HasSuffix(p.Detail, ".") {
			t.Errorf("%s: title %q, detail %q", name, p.Title, p.Detail)
		}
		if earlier, ok := titles[p.Code]; ok && earlier != p.Title {
			t.Errorf("%s: one type, two titles: %q, %q", name, earlier, p.Title)
		}
		titles[p.Code] = p.Title
		if bytes.Contains(answer.Body, []byte("se same")) || bytes.HasSuffix(answer.Body, []byte("\n")) ||
			bytes.Contains(answer.Body, []byte(`\u00`)) {
			t.Errorf("%s: body %q", name, answer.Body)
		}
		if strings.Contains(p.Detail, "Retry-After") != o.Retryable() {
			t.Errorf("%s: detail and Retry-After disagree: %s", name, p.Detail)
		}
	}
}

func TestProblemTypeBase(t *testing.T) {
	body := string(dialect.Problem{TypeBase: "https://api.example.com/problems/"}.Render(dialect.Reused, dialect.Info{}).Body)
	if !strings.HasPrefix(body, `{"type":"https://api.example.com/problems/reused","title":`) {
		t.Error(body)
	}
}

// A dialect may be asked for an outcome that it doesn't know yet.
func TestProblemOfStrayOutcome(t *testing.T) {
	got := dialect.Problem{}.Render(99, dialect.Info{})
	if got.Status != 500 || !bytes.Contains(got.Body, []byte(`"code":"unknown","retryable":false`)) {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
}

func TestProblemMarker(t *testing.T) {
	if name, value := (dialect.Problem{}).Marker("abc"); name != "Idempotency-Replayed" || value != "true" {
		t.Errorf("got %s: %s", name, value)
	}
	if (dialect.Problem{}).Syntax() != dialect.Lenient {
		t.Error("the default syntax is Lenient")
	}
}

// A problem has an instance if the API names its requests and says where they can be looked up.
func TestProblemInstance(t *testing.T) {
	for _, tc := range []struct{ base, id, want string }{
		{"", "", ""},
		{"", "req_1", ""},
		{"https://api.example/requests/", "", ""},
		{"https://api.example/requests/", "req_1", "https://api.example/requests/req_1"},
		{"/requests/", "a/../b?c#d", "/requests/a%2F..%2Fb%3Fc%23d"},
		{"urn:uuid:", "0e0a1f4e-5d0a-4bd9-9d5c-8a4b8f0f7c11", "urn:uuid:0e0a1f4e-5d0a-4bd9-9d5c-8a4b8f0f7c11"},
	} {
		for name, o := range allOutcomes {
			if o == dialect.ReplayHidden {
				continue
			}
			body := dialect.Problem{InstanceBase: tc.base}.Render(o, dialect.Info{RequestID: tc.id}).Body
			var p struct{ Instance *string }
			if err := json.Unmarshal(body, &p); err != nil {
				t.Fatal(err)
			}
			if tc.want == "" && p.Instance != nil || tc.want != "" && (p.Instance == nil || *p.Instance != tc.want) {
				t.Errorf("%s, %q and %q: %s", name, tc.base, tc.id, body)
			}
		}
	}
}
