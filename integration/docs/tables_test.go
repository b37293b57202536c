package docs

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
)

// outcomes returns all of them, and the one of an unexpected error.
func outcomes() (all []dialect.Outcome) {
	unknown := dialect.Outcome(0)
	for o := dialect.Outcome(1); o.String() != unknown.String(); o++ {
		all = append(all, o)
	}
	return append(all, unknown)
}

// The README's table has every code that a client can see, with its status, and says "same request" if the same request
// may be sent again. A problem's type is a link to its row.
func TestOutcomes(t *testing.T) {
	want := map[string]string{}
	retryable := map[string]bool{}
	for _, o := range outcomes() {
		if o != dialect.ReplayHidden { // it tells of no key, and so has no code
			want[fmt.Sprintf("<a id=%q></a>`%s`", o.String(), o)] = strconv.Itoa(o.Status())
			retryable[o.String()] = o.Retryable()
		}
	}
	for _, row := range readOne(t, "README.md").rows(t, "status", "code") {
		status, code, advice := row[0], row[1], row[3]
		if want[code] != status {
			t.Errorf("README.md: a row of %s with status %s, want %q", code, status, want[code])
		}
		name := strings.Trim(code[strings.LastIndex(code, ">")+1:], "`")
		if strings.Contains(advice, "same request") != retryable[name] {
			t.Errorf("README.md: %s: %q, but it can be retried: %v", name, advice, retryable[name])
		}
		delete(want, code)
	}
	for code := range want {
		t.Errorf("README.md has no row of %s", code)
	}
}

// The table of dialects says what each answers, and the page says that all else is as the README has it.
func TestDialects(t *testing.T) {
	rows := readOne(t, "docs/dialects.md").rows(t, "dialect", "errors", "in progress", "reused", "replays are marked", "keys", "stores")
	var names []string
	for _, row := range rows {
		name := strings.Trim(row[0], "`")
		names = append(names, name)
		d := dialect.Named(name)
		if d == nil {
			t.Errorf("there is no dialect %s", name)
			continue
		}
		marker, value := d.Marker("<the key>")
		stores := "final"
		if d.Stores(http.StatusInternalServerError) {
			stores = "all"
		}
		for column, want := range map[int]string{
			2: strconv.Itoa(statusIn(d, dialect.InProgress)),
			3: strconv.Itoa(statusIn(d, dialect.Reused)),
			4: fmt.Sprintf("`%s: %s`", http.CanonicalHeaderKey(marker), value),
			6: "`" + stores + "`",
		} {
			if row[column] != want {
				t.Errorf("docs/dialects.md: %s: %s, want %s", name, row[column], want)
			}
		}
		for status := range 600 {
			if stores == "final" && d.Stores(status) != dialect.IsFinal(status) {
				t.Errorf("%s: it stores %d other than the final answers", name, status)
			}
		}
		for _, o := range outcomes() {
			if o != dialect.Reused && statusIn(d, o) != o.Status() {
				t.Errorf("%s: %s is %d, but docs/dialects.md says that it is as in the README, %d", name, o, statusIn(d, o), o.Status())
			}
		}
	}
	if !slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(dialect.Names()))) {
		t.Errorf("docs/dialects.md has %q, want %q", names, dialect.Names())
	}
}

func statusIn(d dialect.Dialect, o dialect.Outcome) int {
	answer := d.Render(o, dialect.Info{Request: &http.Request{Header: http.Header{}}})
	if answer.Status == 0 {
		return o.Status()
	}
	return answer.Status
}

// Which statuses are final stands in the settings, once.
func TestFinalStatuses(t *testing.T) {
	cell := readOne(t, "docs/settings.md").rows(t, "word", "HTTP", "gRPC")[0][1]
	for status := 400; status < 500; status++ {
		if told := strings.Contains(cell, strconv.Itoa(status)); told == dialect.IsFinal(status) && http.StatusText(status) != "" {
			t.Errorf("docs/settings.md: %q, but %d is final: %v", cell, status, dialect.IsFinal(status))
		}
	}
}

// Every folder has its row in the table of folders, and each package under internal a line of its own.
func TestFolders(t *testing.T) {
	page := readOne(t, "docs/architecture.md")
	var told []string
	for _, row := range page.rows(t, "folder", "owns", "must not know") {
		told = append(told, strings.Trim(row[0], "`"))
	}
	for _, row := range page.rows(t, "package under `internal`", "owns") {
		told = append(told, "internal/"+strings.Trim(row[0], "`"))
	}
	for _, pattern := range []string{"*/*.go", "internal/*/*.go", "*/script/*.lua", "examples/*/*.go", "integration/*/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			folder, _ := filepath.Rel(root, filepath.Dir(file))
			if top, _, _ := strings.Cut(folder, "/"); top == "examples" || top == "integration" {
				folder = top // its folders are in docs/testing.md, or explain themselves
			}
			if !slices.Contains(told, filepath.ToSlash(folder)) {
				t.Errorf("docs/architecture.md has no row of %s", folder)
				told = append(told, folder)
			}
		}
	}
	for _, folder := range told {
		if _, err := os.Stat(filepath.Join(root, folder)); err != nil {
			t.Errorf("docs/architecture.md has a row of %s, which doesn't exist", folder)
		}
	}
}

// Every kind of log line has its row, with the name of its event and its text to the letter; and no
// line is logged in another way, without a name.
func TestEventsOfLogs(t *testing.T) {
	var want []string
	line := regexp.MustCompile(`ratelog\.(?:Warn|Error)\("([^"]+)", "([^"]+)"\)`)
	other := regexp.MustCompile(`(?:[lL]og|[lL]ogger)\.(?:LogAttrs|Log|Debug|Info|Warn|Error)(?:Context)?\((?:ctx|context\.Background\(\)), (?:slog\.|")`)
	for _, room := range []string{"lock", "replay", "httpadapter", "grpcadapter", "effect", "httpclient"} {
		files, err := filepath.Glob(filepath.Join(root, room, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(room, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, m := range line.FindAllSubmatch(text, -1) {
				want = append(want, fmt.Sprintf("`%s` `%s`", m[1], m[2]))
			}
			if m := other.Find(text); m != nil {
				t.Errorf("%s logs by %s, without an event: make it a line of package ratelog", file, m)
			}
		}
	}
	var got []string
	for _, row := range readOne(t, "docs/failures.md").rows(t, "event", "line") {
		events, lines := codeSpan.FindAllString(row[0], -1), codeSpan.FindAllString(row[1], -1)
		if len(events) != len(lines) {
			t.Errorf("docs/failures.md: %d events and %d lines in one row: %s", len(events), len(lines), row[0])
			continue
		}
		for i := range events {
			got = append(got, events[i]+" "+lines[i])
		}
	}
	slices.Sort(want)
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("docs/failures.md has these events:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(want) < 15 {
		t.Errorf("%d lines found, want 15 at least: the test has lost them", len(want))
	}
}
