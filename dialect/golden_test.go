package dialect_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/internal/refusal"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden is where the outside observer has them, too, who compares with them.
const golden = "../internal/conformance/golden"

// goldens are the directories there. The vendors' have no documentation URL, so that
// they show the vendors' own bytes.
var goldens = []struct {
	dir     string
	dialect dialect.Dialect
	docURL  string
	accept  string
}{
	{"problem", dialect.Problem{}, "https://api.example.com/docs/idempotency", ""},
	{"ietf", dialect.IETF{}, "https://api.example.com/docs/idempotency", ""},
	{"credicorp", dialect.Credicorp{}, "", ""},
	{"bluesnap", dialect.BlueSnap{}, "", ""},
	{"bluesnap-xml", dialect.BlueSnap{}, "", "application/xml"},
	{"stripe", dialect.Stripe{}, "", ""},
}

// goldenInfo is what the adapter knows at each outcome.
func goldenInfo(d dialect.Dialect, o dialect.Outcome) dialect.Info {
	info := dialect.Info{
		Header:  "Idempotency-Key",
		MaxKey:  d.Syntax().Max(),
		MaxBody: 1 << 20,
		Request: httptest.NewRequest("POST", "/orders", nil),
	}
	info.Request.Header.Set("Idempotency-Key", `"se same"; never said`)
	switch o {
	case dialect.KeyMissing, dialect.KeyMalformed, dialect.KeyTooLong:
		info.Want = d.Syntax().Want()
	case dialect.KeyRepeated:
		_, err := d.Syntax().Parse([]string{"a", "b"})
		info.Want = err.(*dialect.KeyError).Want
	default:
		info.Key = "abc"
	}
	if o.Retryable() {
		info.RetryAfter = 1200 * time.Millisecond
	}
	return info
}

// renderedHTTP is the whole answer as text, with its headers sorted.
func renderedHTTP(d dialect.Dialect, o dialect.Outcome, info dialect.Info) []byte {
	w := httptest.NewRecorder()
	refusal.Write(w, d, o, info)
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

func TestGolden(t *testing.T) {
	for _, g := range goldens {
		for name, o := range allOutcomes {
			t.Run(g.dir+"/"+name, func(t *testing.T) {
				info := goldenInfo(g.dialect, o)
				info.DocURL = g.docURL
				if g.accept != "" {
					info.Request.Header.Set("Accept", g.accept)
				}
				path := filepath.Join(golden, g.dir, name+".http")
				got := renderedHTTP(g.dialect, o, info)
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
}

// A file that nothing renders any more would look like a promise.
func TestGoldenFiles(t *testing.T) {
	files, err := filepath.Glob(golden + "/*/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		dir, name := filepath.Base(filepath.Dir(file)), strings.TrimSuffix(filepath.Base(file), ".http")
		known := false
		for _, g := range goldens {
			known = known || g.dir == dir
		}
		if !known || allOutcomes[name] == 0 {
			t.Errorf("%s belongs to no dialect and outcome", file)
		}
	}
	if want := len(goldens) * len(allOutcomes); len(files) != want {
		t.Errorf("%d golden files, want %d", len(files), want)
	}
}
