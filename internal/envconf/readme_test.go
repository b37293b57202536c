package envconf_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The table in docs/settings.md has every variable that a package reads, once, and no other; and no page names one that
// isn't there. What a package reads is in the env tags of its fields.
func TestPageHasEverySetting(t *testing.T) {
	read := variables(t, "../..")
	if len(read) < 50 || !slices.Contains(read, "REPRISE_REDIS_URL") {
		t.Fatalf("only %d variables found in the source: %q", len(read), read)
	}
	page, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	told := rows(string(page))
	for _, v := range read {
		if !slices.Contains(told, v) {
			t.Errorf("%s has no row in docs/settings.md", v)
		}
	}
	for i, v := range told {
		if !slices.Contains(read, v) {
			t.Errorf("docs/settings.md has a row for %s, which nothing reads", v)
		}
		if slices.Contains(told[:i], v) {
			t.Errorf("docs/settings.md has two rows for %s", v)
		}
	}

	read = append(read, "REPRISE_REQUIRE_DOCKER") // the tests' own
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	for _, name := range append(pages, "../../README.md", "../../CONTRIBUTING.md", "../../SECURITY.md", "../../CHANGELOG.md") {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range regexp.MustCompile(`REPRISE_[A-Z0-9_]+`).FindAllString(string(page), -1) {
			if !slices.Contains(read, v) {
				t.Errorf("%s names %s, which nothing reads", filepath.Base(name), v)
			}
		}
	}
}

// rows returns the variables in the first cells of the table. A cell may name more than one: the others by what
// takes the place of the first one's end ("REPRISE_GRPC_TTL_OK, _TTL_ERROR"), or a class of status to another.
func rows(page string) []string {
	var all []string
	for line := range strings.Lines(page) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !strings.HasPrefix(line, "| `REPRISE_") {
			continue
		}
		names := regexp.MustCompile("`([A-Z0-9_]+)`").FindAllStringSubmatch(cell, -1)
		first := names[0][1]
		all = append(all, first)
		for _, n := range names[1:] {
			end := n[1]
			if strings.Contains(cell, "…") {
				for class := first[len(first)-3] + 1; class < end[1]; class++ {
					all = append(all, first[:len(first)-3]+string(class)+"XX")
				}
			}
			// As many words of the first give way as there are in the end.
			words := strings.Split(first, "_")
			all = append(all, strings.Join(words[:len(words)-strings.Count(end, "_")], "_")+end)
		}
	}
	return all
}

// variables returns, sorted and with the table's prefix, the variables of all env tags under root.
func variables(t *testing.T, root string) []string {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			field, ok := n.(*ast.Field)
			if !ok || field.Tag == nil {
				return true
			}
			text, err := strconv.Unquote(field.Tag.Value)
			if err != nil {
				return true
			}
			tag := reflect.StructTag(text)
			if tag.Get("envPrefix") != "" {
				t.Errorf("%s has an envPrefix, which this test doesn't follow", path)
			}
			if name := tag.Get("env"); name != "" && name != "-" {
				found["REPRISE_"+name] = true
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(found))
}
