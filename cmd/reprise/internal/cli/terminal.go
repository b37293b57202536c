package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// keyboard is where somebody can answer who sees standard error; nil if nobody is there.
func (p *program) keyboard() *os.File {
	in, isFile := p.Stdin.(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) || !p.err.IsTerminal() {
		return nil
	}
	return in
}

// confirm asks somebody who sits there, and returns nil for a yes that was typed after the question.
func (p *program) confirm(ctx context.Context, question string) error {
	in := p.keyboard()
	if in == nil {
		return &fault{misused, errors.New("there is no terminal to ask on"), "--yes does it without a question"}
	}
	if err := dropTyped(in); err != nil {
		return &fault{failed, fmt.Errorf("the terminal can't be asked on: %w", err), "--yes does it without a question"}
	}
	_, _ = fmt.Fprint(p.err, question)
	answers := make(chan string, 1)
	go func() { // it may read for ever, while the program ends
		line, _ := bufio.NewReader(in).ReadString('\n')
		answers <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case answer := <-answers:
		if answer == "y" || answer == "yes" {
			return nil
		}
		return &fault{changed, errors.New("nothing was done"), ""}
	case <-ctx.Done():
		_, _ = fmt.Fprintln(p.err)
		if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
			return &fault{changed, fmt.Errorf("nothing was done: %w", cause), ""}
		}
		return &fault{interrupted, errors.New("nothing was done"), ""}
	}
}

// safe writes JSON of which nothing can drive a terminal.
type safe struct{ to io.Writer }

// Write escapes within strings what a terminal would obey. Outside of them, JSON has nothing such.
func (s safe) Write(text []byte) (int, error) {
	if _, err := io.WriteString(s.to, escaped(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}
