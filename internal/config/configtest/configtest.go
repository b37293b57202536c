// Package configtest holds what the packages' settings say of themselves against the documentation.
package configtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/internal/config"
)

// Prefix is that of the variables in the documentation.
const Prefix = "REPRISE_"

// Table checks that the table of a page has one row for each setting with a variable, with its
// default and all words that it accepts, and no row besides of a variable that begins with one of
// these prefixes.
func Table(t *testing.T, page string, settings config.Settings, prefixes ...string) {
	t.Helper()
	told := rows(t, page)
	var read []string
	for _, setting := range settings {
		i := setting.Info()
		if i.Variable == "" {
			continue
		}
		name := Prefix + i.Variable
		read = append(read, name)
		n := slices.IndexFunc(told, func(r config.Told) bool { return r.Variable == name })
		if n < 0 {
			t.Errorf("%s has no row for %s", page, name)
			continue
		}
		if told[n].Default != i.Default {
			t.Errorf("%s: the default of %s is %q, want %q", page, name, told[n].Default, i.Default)
		}
		if words, ok := strings.CutPrefix(i.Want, "one of "); ok {
			for word := range strings.SplitSeq(words, ", ") {
				if !strings.Contains(told[n].Meaning, "`"+word+"`") {
					t.Errorf("%s: the row for %s does not have the word %s", page, name, word)
				}
			}
		}
	}
	for i, r := range told {
		belongs := func(prefix string) bool { return strings.HasPrefix(r.Variable, Prefix+prefix) }
		if slices.ContainsFunc(prefixes, belongs) && !slices.Contains(read, r.Variable) {
			t.Errorf("%s has a row for %s, which nothing reads", page, r.Variable)
		}
		if slices.ContainsFunc(told[:i], func(other config.Told) bool { return other.Variable == r.Variable }) {
			t.Errorf("%s has two rows for %s", page, r.Variable)
		}
	}
}

// Fields checks that every field of a Config that the environment could set has a row. Functions,
// interfaces and pointers are for code alone.
func Fields[C any](t *testing.T, settings config.Settings) {
	t.Helper()
	fields(t, reflect.TypeFor[C](), "", settings)
}

func fields(t *testing.T, c reflect.Type, outer string, settings config.Settings) {
	t.Helper()
	for f := range c.Fields() {
		name := outer + f.Name
		hasRow := slices.ContainsFunc(settings, func(s config.Setting) bool { return s.Info().Field == name })
		switch kind := f.Type.Kind(); {
		case hasRow, kind == reflect.Func, kind == reflect.Interface, kind == reflect.Pointer:
		case kind == reflect.Struct:
			fields(t, f.Type, name+".", settings)
		default:
			t.Errorf("%s has no row for the field %s", c, name)
		}
	}
}

// Variables returns the variables that the table of a page has.
func Variables(t *testing.T, page string) (names []string) {
	t.Helper()
	for _, r := range rows(t, page) {
		names = append(names, r.Variable)
	}
	return names
}

// rows reads the table of a page.
func rows(t *testing.T, page string) []config.Told {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	all := config.ReadPage(Prefix, string(text))
	if len(all) == 0 {
		t.Fatalf("%s has no table of settings", page)
	}
	return all
}

// Words checks that a policy accepts every constant of its type in the package under test.
func Words[P config.Policy[P]](t *testing.T) {
	t.Helper()
	name := reflect.TypeFor[P]().Name()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) == 0 {
				return true
			}
			kind, isNamed := spec.Type.(*ast.Ident)
			value, isLiteral := spec.Values[0].(*ast.BasicLit)
			if !isNamed || !isLiteral || kind.Name != name {
				return true
			}
			found++
			if word, _ := strconv.Unquote(value.Value); !slices.Contains(P("").Words(), P(word)) {
				t.Errorf("%s does not accept %s, which is %q", name, spec.Names[0], word)
			}
			return true
		})
	}
	if found == 0 {
		t.Fatalf("no constant of %s in %q", name, files)
	}
}
