package replay

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/dialect"
)

// Whatever the engine refuses with, clients get a word for it: the same one. An outcome that is in one
// vocabulary alone must be listed here as one of requests that got an answer.
func TestOutcomesAreCodes(t *testing.T) {
	answered := []Outcome{Stored, Unconfirmed, NotStored, Failed, Unguarded, Replayed, LostLease, CallerGone, WorkPanicked}
	words := outcomeWords(t)
	if len(words) < 10 {
		t.Fatalf("found %q in the source", words)
	}
	for _, word := range words {
		isCode := dialect.ParseOutcome(word).String() == word
		if isCode == slices.Contains(answered, Outcome(word)) {
			t.Errorf("%q: code of an error: %t", word, isCode)
		}
	}
}

// outcomeWords reads the constants of type Outcome from the source: there is no other list to forget.
func outcomeWords(t *testing.T) (words []string) {
	file, err := parser.ParseFile(token.NewFileSet(), "outcome.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			kind, _ := spec.Type.(*ast.Ident)
			word, isWord := spec.Values[0].(*ast.BasicLit)
			if kind != nil && kind.Name == "Outcome" && isWord {
				text, err := strconv.Unquote(word.Value)
				if err != nil {
					t.Fatal(err)
				}
				words = append(words, text)
			}
		}
		return true
	})
	return words
}

func TestOutcomeOf(t *testing.T) {
	inner := &InProgressError{Attempt: 1}
	for _, tt := range []struct {
		name string
		err  error
		want Outcome
	}{
		{"none", nil, ""},
		{"the work's own", errors.New("declined"), Unknown},
		{"wrapped", fmt.Errorf("pay: %w", inner), InProgress},
		{"of an engine that Authorize asked", fmt.Errorf("%w: %w", ErrReplayRefused, inner), ReplayRefused},
		{"of an engine that Reconcile asked", fmt.Errorf("%w: %w", ErrOutcomeUnknown, inner), OutcomeUnknown},
		{"of a late finisher whose work failed so", fmt.Errorf("%w: %w", inner, ErrReused), InProgress},
		{"joined", errors.Join(errors.New("declined"), ErrReused), Reused},
		{"a caller's cause that is an engine's", &callerGoneError{inner}, CallerGone},
		{"a caller's deadline", &callerGoneError{context.DeadlineExceeded}, CallerGone},
		{"a foreign value", unreadable("p:1", errors.New("neither a claim nor a record")), Unreadable},
		{"a record that can't be decoded", unreadable("p:1", cache.ErrTooLarge), Unreadable},
	} {
		if got := OutcomeOf(tt.err); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if err := unreadable("p:1", errors.New("junk")); !errors.Is(err, cache.ErrCorrupt) || !errors.Is(err, ErrUnreadable) {
		t.Errorf("got %v", err)
	}
	if err := error(&callerGoneError{context.Canceled}); !errors.Is(err, context.Canceled) || err.Error() != context.Canceled.Error() {
		t.Errorf("got %v", err)
	}
}
