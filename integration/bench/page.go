package main

import (
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// replace puts a part's text into the page, between the two comments that name it.
func replace(page, name, text string) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	begin, end := "<!-- bench: "+name+" -->\n", "<!-- end of "+name+" -->\n"
	before, rest, found := strings.Cut(string(old), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return nil // the page doesn't show it
	}
	return os.WriteFile(page, []byte(before+begin+"\n"+wrapped(text)+"\n"+end+after), 0o666)
}

// beside is the file for a page's curves.
func beside(page string) string { return strings.TrimSuffix(page, filepath.Ext(page)) + ".svg" }

// wrapped is a text whose sentences are no wider than the page's. Rows of tables can't be wrapped.
func wrapped(text string) string {
	const columns = 100
	var b strings.Builder
	for line := range strings.Lines(text) {
		width := 0
		if strings.HasPrefix(line, "|") || line == "\n" {
			b.WriteString(line)
			continue
		}
		for i, word := range strings.Fields(line) {
			n := utf8.RuneCountInString(word)
			switch {
			case i == 0:
			case width+1+n > columns:
				b.WriteByte('\n')
				width = 0
			default:
				b.WriteByte(' ')
				width++
			}
			b.WriteString(word)
			width += n
		}
		b.WriteByte('\n')
	}
	return b.String()
}
