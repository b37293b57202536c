package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// A newcomer reads the README to its end.
func TestReadmeIsShort(t *testing.T) {
	readme := readOne(t, "README.md")
	if n := len(readme.lines); n > 120 {
		t.Errorf("README.md has %d lines, want 120 at most", n)
	}
	text := strings.Join(readme.lines, "\n")
	for _, p := range read(t, "docs/*.md") {
		if !strings.Contains(text, "]("+p.name+")") {
			t.Errorf("README.md has no link to %s", p.name)
		}
	}
}

// A page begins with its answer: a paragraph under the title, which fits on a screen.
func TestPagesBeginWithTheAnswer(t *testing.T) {
	for _, p := range manual(t) {
		if !strings.HasPrefix(p.lines[0], "# ") || p.lines[1] != "" {
			t.Errorf("%s doesn't begin with a title", p.name)
		}
		length := slices.Index(p.lines[2:], "")
		if first := p.lines[2]; p.code[2] || strings.ContainsAny(first[:1], "#|->") || length < 2 || length > 8 {
			t.Errorf("%s:3: after the title stand %d lines that begin with %q, want a paragraph of 2 to 8 lines",
				p.name, length, first)
		}
	}
}

// Prose is no wider than code: 100 columns.
func TestProseIsNotWide(t *testing.T) {
	for _, p := range all(t) {
		p.prose(func(n int, line string) {
			if strings.HasPrefix(line, "|") || strings.Contains(line, "](http") || p.name == "CHANGELOG.md" {
				return // a row or an address can't be wrapped
			}
			if width := utf8.RuneCountInString(line); width > 100 {
				t.Errorf("%s:%d is %d columns wide, want 100 at most", p.name, n, width)
			}
		})
	}
}

// Each block says by its language what becomes of it, so that none escapes the tests by chance.
func TestBlocksHaveALanguage(t *testing.T) {
	for _, p := range all(t) {
		for _, b := range p.blocks() {
			if !slices.Contains([]string{"go", "sh", "output", "redis", "text"}, b.language) {
				t.Errorf("%s:%d: a block of language %q, want one of this package's documentation", p.name, b.line, b.language)
			}
		}
		indented := regexp.MustCompile(`^(    |\t)`)
		p.prose(func(n int, line string) {
			if indented.MatchString(line) && p.lines[n-2] == "" {
				t.Errorf("%s:%d: an indented block, want a fenced one", p.name, n)
			}
		})
	}
}
