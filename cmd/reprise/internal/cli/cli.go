package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
)

// A Process is what a command line is run with.
type Process struct {
	Args, Environ  []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// A program is one command line at work, and what its commands share.
type program struct {
	Process
	out, err *screen.Screen

	json    bool
	timeout time.Duration // zero means the command's own
	prefix  string        // of variables
}

// Run runs a command line until ctx ends, and returns what to exit with.
func Run(ctx context.Context, process Process) int {
	redis.SetLogger(silent{}) // whatever it has to say is in the errors, too
	p := &program{Process: process,
		out: screen.New(process.Stdout, process.Environ), err: screen.New(process.Stderr, process.Environ)}
	root := p.root()
	root.SetArgs(process.Args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		p.report(err)
	}
	// What a reader has left is nobody's loss.
	if lost := cmp.Or(p.out.Err(), p.err.Err()); lost != nil && !errors.Is(lost, syscall.EPIPE) {
		err = &fault{failed, fmt.Errorf("not all has been written: %w", lost), ""}
		p.report(err)
	}
	return int(statusOf(err))
}

// silent is a log that nobody reads.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// report says what went wrong.
func (p *program) report(err error) {
	f := &fault{status: statusOf(err), err: err}
	if known, ok := errors.AsType[*fault](err); ok {
		f = known
	}
	if errors.Is(err, errSaid) {
		return
	}
	if p.json {
		_ = json.NewEncoder(safe{p.err}).Encode(struct {
			Error string `json:"error"`
			Cure  string `json:"cure,omitempty"`
			Exit  status `json:"exit"`
		}{f.Error(), f.cure, f.status})
		return
	}
	for _, text := range each(f.err) {
		p.err.Paragraph("reprise: ", text)
	}
	if f.cure != "" {
		p.err.Paragraph("         ", f.cure)
	}
}

// notice writes what is to be known beside the output.
func (p *program) notice(text string) {
	if !p.json {
		p.err.Paragraph("", text)
		return
	}
	_ = json.NewEncoder(safe{p.err}).Encode(struct {
		Notice string `json:"notice"`
	}{text})
}

// each is the text of each error that errors.Join has joined.
func each(err error) []string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var all []string
	for _, e := range joined.Unwrap() {
		all = append(all, each(e)...)
	}
	if text := err.Error(); text != strings.Join(all, "\n") {
		return []string{text} // fmt.Errorf has wrapped several, too
	}
	return all
}

// errSaid is in an error whose text stands on the screen already.
var errSaid = errors.New("said above")

// command makes a command of a function. With a timeout of its own it is ended after that, unless
// --timeout says another.
func (p *program) command(timeout time.Duration, c *cobra.Command, run func(ctx context.Context, args []string) error) *cobra.Command {
	if c.Args == nil {
		c.Args = none
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		if p.timeout < 0 {
			return misuse("--timeout: got %v, want a time", p.timeout)
		}
		if p.timeout != 0 {
			timeout = p.timeout
		}
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w (%v)", errTimeout, timeout))
			defer cancel()
		}
		return run(ctx, args)
	}
	return c
}
