package docs

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var (
	codeSpan = regexp.MustCompile("`[^`]+`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	anchor   = regexp.MustCompile(`<a id="([^"]+)">`)
)

// Links between pages, and to files of the repository, lead somewhere.
func TestLinksLead(t *testing.T) {
	for _, p := range all(t) {
		text := ""
		p.prose(func(_ int, line string) { text += line + "\n" })
		for _, l := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(text, ""), -1) {
			if strings.Contains(l[1], "://") {
				continue
			}
			target, fragment, _ := strings.Cut(l[1], "#")
			if target = path.Join(path.Dir(p.name), target); strings.HasPrefix(l[1], "#") {
				target = p.name
			}
			leads(t, p.name, target, fragment)
		}
	}
}

// The source names pages of docs, too: in comments, in errors for operators, and in the type of a problem.
func TestSourceLinksLead(t *testing.T) {
	named := regexp.MustCompile(`\bdocs/[a-z]+\.md(#[a-z-]+)?`)
	found := 0
	eachSource(t, func(name string, text []byte) {
		for _, l := range named.FindAllString(string(text), -1) {
			target, fragment, _ := strings.Cut(l, "#")
			leads(t, name, target, fragment)
			found++
		}
	})
	if found < 10 {
		t.Errorf("the source names a page %d times, want 10 at least: the test has lost them", found)
	}
}

// leads checks that a file exists, and if a fragment is given, that it is an anchor there.
func leads(t *testing.T, from, target, fragment string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, target)); err != nil {
		t.Errorf("%s links to %s, which doesn't exist", from, target)
		return
	}
	if fragment != "" && !slices.Contains(readOne(t, target).anchors(), fragment) {
		t.Errorf("%s links to %s#%s, which has no such heading or anchor", from, target, fragment)
	}
}

// anchors returns what links to a page may have behind the #.
func (p *page) anchors() (all []string) {
	p.prose(func(_ int, line string) {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			all = append(all, slug(title[1:]))
		}
		for _, a := range anchor.FindAllStringSubmatch(line, -1) {
			all = append(all, a[1])
		}
	})
	return all
}

// slug is how GitHub makes the anchor of a heading.
func slug(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

// Paths in code spans exist: whoever moves a folder finds the pages that name it.
func TestPathsExist(t *testing.T) {
	span := regexp.MustCompile("`([a-z]+/[A-Za-z0-9_./-]+)`")
	for _, p := range manual(t) {
		p.prose(func(n int, line string) {
			for _, m := range span.FindAllStringSubmatch(line, -1) {
				folder, _, _ := strings.Cut(m[1], "/")
				if _, err := os.Stat(filepath.Join(root, folder)); err != nil {
					continue // a media type or an import path
				}
				if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
					t.Errorf("%s:%d names %s, which doesn't exist", p.name, n, m[1])
				}
			}
		})
	}
}

// eachSource calls f for each file of the repository that is no page.
func eachSource(t *testing.T, f func(name string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || strings.HasSuffix(file, ".md"):
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.ContainsRune(text, 0) {
			name, _ := filepath.Rel(root, file)
			f(filepath.ToSlash(name), text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
