package httpadapter

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What holds of every problem, whatever the words.
func TestProblemRules(t *testing.T) {
	titles := map[string]string{} // by code
	for name, o := range allOutcomes {
		if o == ReplayHidden { // is no problem
			continue
		}
		answer := Problem{}.Render(o, goldenInfo(Problem{}, o))
		var p problem
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

func TestProblemAlias(t *testing.T) {
	names := []string{"Idempotency-Key", "X-Idempotency-Key"}
	_, _, err := readKey(map[string][]string{names[0]: {"a"}, names[1]: {"b"}}, names, Lenient)
	ke := err.(*KeyError)
	_, detail := problemText(ke.Outcome, Info{Header: ke.Header, Want: ke.Want})
	want := "A second key was sent in the header X-Idempotency-Key. Accepted: the same key as in Idempotency-Key."
	if detail != want {
		t.Errorf("got %s, want %s", detail, want)
	}
}

func TestProblemTypeBase(t *testing.T) {
	body := string(Problem{TypeBase: "https://api.example.com/problems/"}.Render(Mismatch, Info{}).Body)
	if !strings.HasPrefix(body, `{"type":"https://api.example.com/problems/reused","title":`) {
		t.Error(body)
	}
}

// A dialect is asked for outcomes that it may not know yet.
func TestProblemOfStrayOutcome(t *testing.T) {
	got := Problem{}.Render(99, Info{})
	if got.Status != 500 || !bytes.Contains(got.Body, []byte(`"code":"unknown","retryable":false`)) {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
}

func TestProblemMarker(t *testing.T) {
	if name, value := (Problem{}).Marker("abc"); name != "Idempotency-Replayed" || value != "true" {
		t.Errorf("got %s: %s", name, value)
	}
	if (Problem{}).Syntax() != Lenient {
		t.Error("the default syntax is Lenient")
	}
}
