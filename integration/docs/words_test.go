package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/replay"
)

// The table of words has each outcome that is an error, by one word everywhere.
func TestWordsOfOutcomes(t *testing.T) {
	var want [][]string
	for _, o := range []struct {
		name    string // of all three
		err     error
		outcome replay.Outcome
		dialect dialect.Outcome
	}{
		{"InProgress", replay.ErrInProgress, replay.InProgress, dialect.InProgress},
		{"Reused", replay.ErrReused, replay.Reused, dialect.Reused},
		{"OutcomeUnknown", replay.ErrOutcomeUnknown, replay.OutcomeUnknown, dialect.OutcomeUnknown},
		{"ReplayUnavailable", replay.ErrReplayUnavailable, replay.ReplayUnavailable, dialect.ReplayUnavailable},
		{"ReplayRefused", replay.ErrReplayRefused, replay.ReplayRefused, dialect.ReplayRefused},
		{"Unavailable", replay.ErrUnavailable, replay.Unavailable, dialect.Unavailable},
		{"Unreadable", replay.ErrUnreadable, replay.Unreadable, dialect.Unreadable},
	} {
		word := string(replay.OutcomeOf(o.err))
		if word != string(o.outcome) || word != o.dialect.String() {
			t.Errorf("%s has the words %s, %s and %s, want one", o.name, word, o.outcome, o.dialect)
		}
		reason := strings.ToUpper(strings.ReplaceAll(word, "-", "_"))
		row := []string{word, "replay.Err" + o.name, o.name, o.name, reason}
		for i, cell := range row {
			row[i] = "`" + cell + "`"
		}
		want = append(want, row)
	}
	got := readOne(t, "docs/architecture.md").rows(t, "word", "Go error", "`replay.Outcome`")
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("docs/architecture.md has\n%q, want\n%q", got, want)
	}
}

// Whatever replay.Trace or Idempotency-Shadow can say has its meaning in one place: the code of an error in the README,
// any other word in the table of outcomes.
func TestWordsOfTrace(t *testing.T) {
	var told []string
	for _, row := range readOne(t, "README.md").rows(t, "status", "code") {
		told = append(told, strings.Trim(row[1][strings.LastIndex(row[1], ">")+1:], "`"))
	}
	codes := len(told)
	for _, row := range readOne(t, "docs/telemetry.md").rows(t, "outcome", "the work ran") {
		told = append(told, strings.Trim(row[0], "`"))
	}
	words := constants(t, "replay", "Outcome")
	if !slices.Contains(words, string(replay.InProgress)) {
		t.Fatalf("only these outcomes were found in the source: %q", words)
	}
	for _, word := range words {
		if n := count(told, word); n != 1 {
			t.Errorf("the tables of README.md and docs/telemetry.md have the word %s %d times, want once", word, n)
		}
	}
	for _, word := range told[codes:] {
		if !slices.Contains(words, word) {
			t.Errorf("docs/telemetry.md has an outcome that there is not: %s", word)
		}
	}
}

func count(all []string, word string) (n int) {
	for _, s := range all {
		if s == word {
			n++
		}
	}
	return n
}

// constants returns the values of a package's string constants of a type.
func constants(t *testing.T, folder, typeName string) (values []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == typeName {
				for _, value := range spec.Values {
					if literal, ok := value.(*ast.BasicLit); ok {
						text, _ := strconv.Unquote(literal.Value)
						values = append(values, text)
					}
				}
			}
			return true
		})
	}
	return values
}
