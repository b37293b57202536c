package dialect

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The example of draft-ietf-httpapi-idempotency-key-header-07 §2.7 as it is printed: no
// Retry-After, and no JSON, for the line break in the detail and the comma at the end.
const draftInProgress = `{
  "type": "https://developer.example.com/idempotency",
  "title": "A request is outstanding for this Idempotency-Key",
  "detail": "A request with the same Idempotency-Key for the
  same operation is being processed or is outstanding.",
}`

// Problem is recognised for each outcome.
func TestRecogniseProblem(t *testing.T) {
	for o := Outcome(1); int(o) < len(outcomes); o++ {
		for _, p := range []Problem{{}, {TypeBase: "urn:example:"}} {
			got, want := p.Render(o, Info{}), o
			switch o {
			case ReplayHidden:
				want = 0
			case KeyTooLong, KeyRepeated: // share a code
				want = KeyMalformed
			}
			if r := Recognise(got.Status, got.ContentType, got.Body); r != want {
				t.Errorf("%v is taken for %v", o, r)
			}
		}
	}
}

func FuzzRecognise(f *testing.F) {
	for _, d := range dialects {
		for o := range outcomes {
			for _, accept := range []string{"application/json", "application/xml"} { // for BlueSnap
				r := &http.Request{Header: http.Header{"Accept": {accept}}}
				said := d.dialect.Render(Outcome(o), Info{Key: "abc", Request: r})
				f.Add(cmp.Or(said.Status, Outcome(o).Status()), said.ContentType, string(said.Body))
			}
		}
	}
	f.Add(409, "application/problem+json", draftInProgress)
	f.Add(422, "application/json", `{"message":[{"code":"60101"},{}],}`)
	f.Fuzz(func(t *testing.T, status int, media, body string) {
		before := body
		o := Recognise(status, media, []byte(body))
		if o == 0 {
			return
		}
		if status < 400 || o.known() == 0 || o == ReplayHidden {
			t.Errorf("%d is taken for outcome %d", status, o)
		}
		// No dialect says an outcome in another class of status, and each says it in words that are
		// in the body.
		if o.Status()/100 != status/100 {
			t.Errorf("%d is taken for %v", status, o)
		}
		words := append([]string{o.String(), vendorCode(o), strings.ToUpper(vendorCode(o))}, wordsOf(o)...)
		if !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(unescaped(body), w) }) {
			t.Errorf("%q is taken for %v", body, o)
		}
		if body != before {
			t.Error("the caller's bytes were changed")
		}
	})
}

// wordsOf returns the words of other dialects for an outcome.
func wordsOf(o Outcome) (words []string) {
	for _, w := range wordings {
		if w.outcome == o {
			words = append(words, w.text)
		}
	}
	return words
}

// unescaped is a text in which a word can be looked for that JSON or XML may have written by
// escapes.
func unescaped(body string) string {
	if strings.ContainsAny(body, `\&`) || strings.Contains(body, "<!") || strings.Contains(body, "<?") {
		var all []string
		for o := range outcomes {
			all = append(all, Outcome(o).String(), vendorCode(Outcome(o)), strings.ToUpper(vendorCode(Outcome(o))))
			all = append(all, wordsOf(Outcome(o))...)
		}
		return strings.Join(all, " ") // anything may be in it
	}
	return body
}
