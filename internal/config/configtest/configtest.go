// Package configtest holds what the packages' settings say of themselves against the documentation.
package configtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/internal/config"
)

// Prefix is that of the variables in the documentation.
const Prefix = "REPRISE_"

// A row is one of the documentation's table, of one variable.
type row struct{ variable, fallback, text string }

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
		n := slices.IndexFunc(told, func(r row) bool { return r.variable == name })
		if n < 0 {
			t.Errorf("%s has no row for %s", page, name)
			continue
		}
		if told[n].fallback != i.Default {
			t.Errorf("%s: the default of %s is %q, want %q", page, name, told[n].fallback, i.Default)
		}
		if words, ok := strings.CutPrefix(i.Want, "one of "); ok {
			for word := range strings.SplitSeq(words, ", ") {
				if !strings.Contains(told[n].text, "`"+word+"`") {
					t.Errorf("%s: the row for %s does not have the word %s", page, name, word)
				}
			}
		}
	}
	for i, r := range told {
		belongs := func(prefix string) bool { return strings.HasPrefix(r.variable, Prefix+prefix) }
		if slices.ContainsFunc(prefixes, belongs) && !slices.Contains(read, r.variable) {
			t.Errorf("%s has a row for %s, which nothing reads", page, r.variable)
		}
		if slices.ContainsFunc(told[:i], func(other row) bool { return other.variable == r.variable }) {
			t.Errorf("%s has two rows for %s", page, r.variable)
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
		names = append(names, r.variable)
	}
	return names
}

// rows reads the table of a page. The first cell may name more variables than one: the others by what
// takes the place of the first one's end ("REPRISE_GRPC_TTL_OK, _TTL_ERROR"), or a class of status to
// another ("_2XX … _5XX").
func rows(t *testing.T, page string) (all []row) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| `"+Prefix) {
			continue
		}
		cells := strings.Split(line, "|")
		add := func(variable string) { all = append(all, row{variable, strings.TrimSpace(cells[2]), line}) }
		names := regexp.MustCompile("`([A-Z0-9_]+)`").FindAllStringSubmatch(cells[1], -1)
		first := names[0][1]
		add(first)
		for _, n := range names[1:] {
			end := n[1]
			if strings.Contains(cells[1], "…") {
				for class := first[len(first)-3] + 1; class < end[1]; class++ {
					add(first[:len(first)-3] + string(class) + "XX")
				}
			}
			// As many words of the first give way as there are in the end.
			words := strings.Split(first, "_")
			add(strings.Join(words[:len(words)-strings.Count(end, "_")], "_") + end)
		}
	}
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
