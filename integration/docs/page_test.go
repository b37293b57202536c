package docs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the repository.
const root = "../.."

// A page is a Markdown file.
type page struct {
	name  string // from the root, with slashes
	lines []string
	code  []bool // of each line: it belongs to a fenced block, or fences one
}

// A block is a fenced block of a page.
type block struct {
	page     *page
	line     int // of its first line of text, from 1
	language string
	text     string // ends with a line feed, unless it is empty
}

// manual returns the README and the pages of docs: what users read.
func manual(t *testing.T) []*page { return read(t, "README.md", "docs/*.md") }

// all returns the manual, and what contributors read.
func all(t *testing.T) []*page {
	return slices.Concat(manual(t), read(t, "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"))
}

func read(t *testing.T, patterns ...string) (pages []*page) {
	t.Helper()
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no page is called %s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := filepath.Rel(root, file)
			pages = append(pages, newPage(filepath.ToSlash(name), string(text)))
		}
	}
	return pages
}

func newPage(name, text string) *page {
	p := &page{name: name, lines: strings.Split(strings.TrimSuffix(text, "\n"), "\n")}
	inside := false
	for _, line := range p.lines {
		fence := strings.HasPrefix(line, "```")
		p.code = append(p.code, fence || inside)
		inside = inside != fence
	}
	return p
}

// blocks returns a page's fenced blocks in their order.
func (p *page) blocks() (all []block) {
	open := -1
	for i, line := range p.lines {
		switch {
		case !strings.HasPrefix(line, "```"):
		case open < 0:
			open = i
		default:
			b := block{page: p, line: open + 2, language: strings.TrimPrefix(p.lines[open], "```")}
			for _, l := range p.lines[open+1 : i] {
				b.text += l + "\n"
			}
			all, open = append(all, b), -1
		}
	}
	return all
}

// prose calls f for each line outside of fenced blocks, with its number.
func (p *page) prose(f func(number int, line string)) {
	for i, line := range p.lines {
		if !p.code[i] {
			f(i+1, line)
		}
	}
}

// rows returns the cells of each row of the table whose head begins with the given cells, without its head.
func (p *page) rows(t *testing.T, head ...string) (rows [][]string) {
	t.Helper()
	for i, line := range p.lines {
		if !strings.HasPrefix(line, "| "+strings.Join(head, " | ")+" |") {
			continue
		}
		for _, row := range p.lines[i+2:] {
			if !strings.HasPrefix(row, "|") {
				break
			}
			cells := strings.Split(strings.Trim(strings.ReplaceAll(row, `\|`, "\x00"), "|"), "|")
			for j, cell := range cells {
				cells[j] = strings.TrimSpace(strings.ReplaceAll(cell, "\x00", "|"))
			}
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table whose head begins with %q", p.name, head)
	}
	return rows
}

func readOne(t *testing.T, name string) *page {
	t.Helper()
	return read(t, name)[0]
}
