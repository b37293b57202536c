package telemetry

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pageRows returns the cells of the rows of the table in docs/telemetry.md whose head begins so.
func pageRows(t *testing.T, head string) (rows [][]string) {
	t.Helper()
	page, err := os.ReadFile("../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "\n| "+head+" |")
	if !found {
		t.Fatalf("docs/telemetry.md has no table whose head begins with %s", head)
	}
	for _, line := range strings.Split(table, "\n")[2:] {
		if !strings.HasPrefix(line, "|") {
			break
		}
		var cells []string
		for _, cell := range strings.Split(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	return rows
}

// The table of metrics is that of the code, row by row.
func TestMetricsAreDocumented(t *testing.T) {
	rows := pageRows(t, "metric")
	for i, m := range metrics {
		var attributes []string
		for _, key := range m.attributes {
			attributes = append(attributes, "`"+string(key)+"`")
		}
		switch {
		case slices.Equal(m.attributes, ofRequests):
			attributes = []string{"[of requests](#attributes)"}
		case m.attributes == nil:
			attributes = []string{"none"}
		}
		want := []string{"`" + m.name + "`", string(m.kind), "`" + m.unit + "`", strings.Join(attributes, ", "), m.meaning}
		if i >= len(rows) || !slices.Equal(rows[i], want) {
			t.Errorf("docs/telemetry.md lacks, as row %d:\n| %s |", i+1, strings.Join(want, " | "))
		}
	}
	if len(rows) > len(metrics) {
		t.Errorf("docs/telemetry.md has %d metrics, want %d", len(rows), len(metrics))
	}
}

// Every attribute has its row.
func TestAttributesAreDocumented(t *testing.T) {
	var told []string
	for _, row := range pageRows(t, "attribute") {
		for _, name := range strings.Split(row[0], ", ") {
			told = append(told, strings.Trim(name, "`"))
		}
	}
	var want []string
	for _, m := range metrics {
		for _, key := range m.attributes {
			want = append(want, string(key))
		}
	}
	want = append(want, string(keyDigest), string(attempt), string(tries), string(serverAddress))
	slices.Sort(told)
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(told, want) {
		t.Errorf("docs/telemetry.md has the attributes %q, want %q", told, want)
	}
}

// An operation is a script of package lock, or the fetching of a long value.
func TestOperationsAreDocumented(t *testing.T) {
	want := []string{"get"}
	scripts, err := filepath.Glob("../lock/script/*.lua")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		name := strings.TrimSuffix(filepath.Base(script), ".lua")
		if name != "claim" && name != "look" { // which the others begin with
			want = append(want, name)
		}
	}
	var told []string
	for _, row := range pageRows(t, "attribute") {
		if row[0] == "`"+string(operation)+"`" {
			told = strings.Split(strings.ReplaceAll(row[2], "`", ""), ", ")
		}
	}
	slices.Sort(told)
	slices.Sort(want)
	if !slices.Equal(told, want) {
		t.Errorf("docs/telemetry.md has the operations %q, want %q", told, want)
	}
}

func TestSpansAreDocumented(t *testing.T) {
	var told []string
	for _, row := range pageRows(t, "span") {
		told = append(told, strings.Trim(row[0], "`"))
	}
	if !slices.Equal(told, []string{requestSpan, workSpan, callSpan}) {
		t.Errorf("docs/telemetry.md has the spans %q", told)
	}
}
