package screen

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"
)

// standard is the width of lines where nobody says another.
const standard = 80

// A Screen is one stream that people read.
type Screen struct {
	w        io.Writer
	file     *os.File // nil if it is none
	terminal bool
	color    bool
	err      error
}

// New makes a Screen over w. It is a terminal if w is a file that is one, and has colours if it is a
// terminal, NO_COLOR isn't set (https://no-color.org) and TERM is not dumb.
func New(w io.Writer, environ []string) *Screen {
	s := &Screen{w: w}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		s.file, s.terminal = file, true
		s.color = !slices.ContainsFunc(environ, func(variable string) bool {
			off, _ := strings.CutPrefix(variable, "NO_COLOR=")
			return variable == "TERM=dumb" || off != variable && off != ""
		})
	}
	return s
}

// IsTerminal tells whether somebody is there to see it change.
func (s *Screen) IsTerminal() bool { return s.terminal }

// Size returns the width and height of the terminal, or 80 and 0 for what is none.
func (s *Screen) Size() (width, height int) {
	if s.terminal {
		if width, height, err := term.GetSize(int(s.file.Fd())); err == nil && width > 20 {
			return width, height
		}
	}
	return standard, 0
}

// A Style is how a word looks where there are colours.
type Style string

const (
	None   Style = ""
	Good   Style = "32" // green
	Bad    Style = "31" // red
	Notice Style = "33" // yellow
	Strong Style = "1"  // bold
	Faint  Style = "2"
)

// Paint returns text in a style, made safe by [Plain].
func (s *Screen) Paint(style Style, text string) string {
	if text = Plain(text); style == None || !s.color || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}

// Write writes text as it is: what others can have had a hand in goes through Paint, Plain or a Table
// first.
func (s *Screen) Write(text []byte) (int, error) {
	n, err := s.w.Write(text)
	s.Fail(err)
	return n, err
}

// Fail notes that something could not be written. The first error is kept.
func (s *Screen) Fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// Err is the first error of what could not be written.
func (s *Screen) Err() error { return s.err }

// Printf writes text, with its arguments made safe.
func (s *Screen) Printf(format string, args ...any) {
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			args[i] = Plain(arg)
		case error:
			args[i] = Plain(arg.Error())
		case fmt.Stringer:
			args[i] = Plain(arg.String())
		}
	}
	_, _ = fmt.Fprintf(s, format, args...)
}

// Println writes a line in a style.
func (s *Screen) Println(style Style, text string) { _, _ = fmt.Fprintln(s, s.Paint(style, text)) }

// Paragraph writes text in lines no wider than the screen, the first after lead, the others below it.
func (s *Screen) Paragraph(lead, text string) {
	width, _ := s.Size()
	indent := Width(lead)
	for i, line := range Wrap(Plain(text), max(20, width-indent)) {
		if i > 0 {
			lead = strings.Repeat(" ", indent)
		}
		_, _ = fmt.Fprintln(s, strings.TrimRight(Plain(lead)+line, " "))
	}
}
