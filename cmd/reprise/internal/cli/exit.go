package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reprise-go/reprise/cmd/reprise/internal/screen"
)

// A status is what the program exits with. Scripts rely on them, so none ever changes its meaning.
type status int

const (
	done        status = 0
	failed      status = 1
	misused     status = 2
	free        status = 3
	changed     status = 4
	found       status = 5
	interrupted status = 130
)

// statuses say what each means. It is the text of `reprise help exit-codes`.
var statuses = []struct {
	status  status
	meaning string
}{
	{done, "done, or nothing was found amiss"},
	{failed, "Redis can't be asked, or only in part (what was seen has been printed), or something else failed, such as writing the output"},
	{misused, "the command line, or a variable, isn't accepted"},
	{free, "nothing stands under the key"},
	{changed, "nothing was done: it doesn't fit what stands there, that has changed, or the answer was not yes"},
	{found, "check, doctor, conformance or env found something that isn't as it has to be"},
	{interrupted, "stopped by a signal; watch and board are meant to be, and exit with 0"},
}

// A fault is an error that says what to exit with, and what helps.
type fault struct {
	status status
	err    error
	cure   string // may be empty
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// misuse is a fault of the command line.
func misuse(format string, args ...any) error {
	return &fault{misused, fmt.Errorf(format, args...), ""}
}

// errNoNode is why nothing can be said of a Redis.
var errNoNode = errors.New("no node answers")

// counted is how much was found.
func counted(n int, one, more string) error { return errors.New(count(n, one, more)) }

// errTimeout is why a command is ended that takes too long.
var errTimeout = errors.New("it took longer than --timeout")

// ended is the fault of a command that was ended before it had done its work; nil if it was not. What
// comes of the end is no finding.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil:
		return nil
	case errors.Is(cause, context.Canceled):
		return &fault{interrupted, errors.New("stopped by a signal"), ""}
	}
	return &fault{failed, cause, ""}
}

// statusOf is what to exit with after err.
func statusOf(err error) status {
	if f, ok := errors.AsType[*fault](err); ok {
		return f.status
	}
	switch {
	case err == nil:
		return done
	case errors.Is(err, context.Canceled):
		return interrupted
	}
	return failed
}

// exitCodes is a page of the help.
func exitCodes() *cobra.Command {
	var b strings.Builder
	for _, s := range statuses {
		fmt.Fprintf(&b, "%4d  %s\n", s.status, strings.Join(screen.Wrap(s.meaning, 74), "\n      "))
	}
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the program exits with",
		Long:  "Every command exits with one of these, which never change their meaning:\n\n" + strings.TrimSuffix(b.String(), "\n"),
	}
}
