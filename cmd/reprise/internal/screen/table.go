package screen

import (
	"fmt"
	"strings"
)

// A Cell is one of a table's.
type Cell struct {
	Text  string
	Style Style
}

// Text is a Cell without a style.
func Text(text string) Cell { return Cell{Text: text} }

// A Table has a head and rows of as many cells. The last column takes what the others leave of the
// screen's width, and is broken into lines.
type Table struct {
	Head []string
	Rows [][]Cell
}

// Add adds a row.
func (t *Table) Add(cells ...Cell) { t.Rows = append(t.Rows, cells) }

const gap = 2 // columns between cells

// Print writes a table.
func (s *Screen) Print(t *Table) {
	widths := t.widths()
	if len(t.Head) > 0 {
		var head []Cell
		for _, name := range t.Head {
			head = append(head, Cell{name, Strong})
		}
		s.printRow(head, widths)
	}
	for _, row := range t.Rows {
		s.printRow(row, widths)
	}
}

// widths of all columns but the last.
func (t *Table) widths() (widths []int) {
	measure := func(i int, text string) {
		for len(widths) <= i {
			widths = append(widths, 0)
		}
		widths[i] = max(widths[i], Width(Plain(text)))
	}
	for i, name := range t.Head {
		measure(i, name)
	}
	for _, row := range t.Rows {
		for i, cell := range row {
			measure(i, cell.Text)
		}
	}
	return widths
}

func (s *Screen) printRow(row []Cell, widths []int) {
	var b strings.Builder
	indent := 0
	for i, cell := range row[:len(row)-1] {
		b.WriteString(s.Paint(cell.Style, cell.Text))
		b.WriteString(strings.Repeat(" ", widths[i]-Width(Plain(cell.Text))+gap))
		indent += widths[i] + gap
	}
	width, _ := s.Size()
	last := row[len(row)-1]
	for i, line := range Wrap(Plain(last.Text), max(20, width-indent)) {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", indent))
		}
		b.WriteString(s.Paint(last.Style, line))
		text := strings.TrimRight(b.String(), " ")
		_, _ = fmt.Fprintln(s, text)
		b.Reset()
	}
}
