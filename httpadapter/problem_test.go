package httpadapter

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenInfo is what the handler knows at each outcome.
func goldenInfo(o Outcome) Info {
	info := Info{
		Header:  "Idempotency-Key",
		MaxKey:  255,
		MaxBody: 1 << 20,
		DocURL:  "https://api.example.com/docs/idempotency",
		Request: httptest.NewRequest("POST", "/orders", nil),
	}
	info.Request.Header.Set("Idempotency-Key", `"se same"; never said`)
	switch o {
	case KeyMissing, KeyMalformed, KeyTooLong:
		info.Want = Lenient.Want()
	case KeyRepeated:
		_, err := Lenient.Parse([]string{"a", "b"})
		info.Want = err.(*KeyError).Want
	default:
		info.Key = "abc"
	}
	if o.Retryable() {
		info.RetryAfter = 1200 * time.Millisecond
	}
	return info
}

// renderedHTTP is the whole answer as text, with its headers sorted.
func renderedHTTP(d Dialect, o Outcome, info Info) []byte {
	w := httptest.NewRecorder()
	writeError(w, d, o, info)
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %s\n", w.Result().Status)
	var lines []string
	for name, values := range w.Result().Header {
		for _, value := range values {
			lines = append(lines, name+": "+value+"\n")
		}
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, "") + "\n")
	b.Write(w.Body.Bytes())
	return b.Bytes()
}

func TestProblemGolden(t *testing.T) {
	for name, o := range allOutcomes {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "golden", "problem", name+".http")
			got := renderedHTTP(Problem{}, o, goldenInfo(o))
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// A file that nothing renders any more would look like a promise.
func TestProblemGoldenFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/problem/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if allOutcomes[strings.TrimSuffix(filepath.Base(file), ".http")] == 0 {
			t.Errorf("%s belongs to no outcome", file)
		}
	}
	if len(files) != len(allOutcomes) {
		t.Errorf("%d golden files for %d outcomes", len(files), len(allOutcomes))
	}
}

// What holds of every problem, whatever the words.
func TestProblemRules(t *testing.T) {
	titles := map[string]string{} // by code
	for name, o := range allOutcomes {
		answer := Problem{}.Render(o, goldenInfo(o))
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
