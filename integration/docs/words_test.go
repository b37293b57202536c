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

// Whatever replay.Trace or Idempotency-Shadow can say stands among the words.
func TestWordsOfTrace(t *testing.T) {
	text := strings.Join(readOne(t, "docs/architecture.md").lines, "\n")
	_, text, _ = strings.Cut(text, "\n## Words of outcomes\n")
	text, _, _ = strings.Cut(text, "\n## ")
	words := constants(t, "replay", "Outcome")
	if !slices.Contains(words, string(replay.InProgress)) {
		t.Fatalf("only these outcomes were found in the source: %q", words)
	}
	for _, word := range words {
		if !strings.Contains(text, "`"+word+"`") {
			t.Errorf("docs/architecture.md doesn't have the word %s", word)
		}
	}
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
