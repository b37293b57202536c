package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A test or an example that a page names exists.
func TestNamedTestsExist(t *testing.T) {
	exists := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Example|Fuzz|Benchmark)\w+)\(`)
	eachSource(t, func(name string, text []byte) {
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range declared.FindAllSubmatch(text, -1) {
				exists[string(m[1])] = true
			}
		}
	})
	named, found := regexp.MustCompile(`\b(?:Test|Example)[A-Z]\w+`), 0
	for _, p := range all(t) {
		for i, line := range p.lines {
			for _, name := range named.FindAllString(line, -1) {
				found++
				if !exists[name] {
					t.Errorf("%s:%d names %s, which doesn't exist", p.name, i+1, name)
				}
			}
		}
	}
	if found < 40 {
		t.Errorf("%d names found, want 40 at least: the test has lost them", found)
	}
}

// A make target that a page names exists, and is in make help.
func TestNamedTargetsExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	span, named, found := regexp.MustCompile("`[^`]+`"), regexp.MustCompile(`\bmake ([a-z][a-z-]+)`), 0
	for _, p := range all(t) {
		for i, line := range p.lines {
			code := span.FindAllString(line, -1)
			if p.code[i] {
				code = []string{line}
			}
			for _, m := range named.FindAllStringSubmatch(strings.Join(code, ""), -1) {
				found++
				target := regexp.MustCompile(`(?m)^([a-z-]+ )*` + regexp.QuoteMeta(m[1]) + `\b[a-z -]*:.*## `)
				if !target.Match(makefile) {
					t.Errorf("%s:%d: the Makefile has no documented target %s", p.name, i+1, m[1])
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("%d targets found, want 20 at least: the test has lost them", found)
	}
}

// The page has as many mutants as the table of make mutants.
func TestMutantsAreCounted(t *testing.T) {
	table, err := os.ReadFile(filepath.Join(root, "integration/sim/mutants/table.go"))
	if err != nil {
		t.Fatal(err)
	}
	count := len(regexp.MustCompile(`(?m)^\t\{(mutant\{)?"`).FindAll(table, -1))
	text := strings.Join(readOne(t, "docs/proof.md").lines, " ")
	if want := fmt.Sprintf("%d of %d", count, count); !strings.Contains(text, want) {
		t.Errorf("docs/proof.md doesn't say %q of the mutants", want)
	}
}
