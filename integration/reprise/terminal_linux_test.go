package reprise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reprise-go/reprise/integration/cluster"
)

// A terminal is one of 80 columns, with a command in it.
type terminal struct {
	*testing.T
	keyboard *os.File
	cmd      *exec.Cmd
	read     chan struct{}

	mu   sync.Mutex
	text strings.Builder
}

// open runs a command in a terminal.
func (w *world) open(t *testing.T, environ []string, args ...string) *terminal {
	t.Helper()
	return w.start(t, "", &exec.Cmd{Path: program, Args: append([]string{program}, args...), Env: append(w.environ, environ...)})
}

// start runs a command in a terminal into which something has been typed. What it writes elsewhere is
// set already.
func (w *world) start(t *testing.T, typed string, cmd *exec.Cmd) *terminal {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(keyboard.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	x := &terminal{T: t, keyboard: keyboard, read: make(chan struct{}), cmd: cmd}
	x.press(typed)
	x.cmd.Stdin, x.cmd.Stderr = tty, tty
	if x.cmd.Stdout == nil {
		x.cmd.Stdout = tty
	}
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	go func() {
		defer close(x.read)
		_, _ = io.Copy(x, keyboard) // until the last end of it is closed
	}()
	return x
}

// Write takes what is shown.
func (x *terminal) Write(text []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.text.Write(text)
}

func (x *terminal) shown() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.text.String()
}

func (x *terminal) waitFor(words string) {
	x.Helper()
	err := cluster.Eventually(x.Context(), "it shows "+words, func(context.Context) error {
		if !strings.Contains(x.shown(), words) {
			return errors.New(x.shown())
		}
		return nil
	})
	if err != nil {
		x.Fatal(err)
	}
}

func (x *terminal) press(keys string) {
	x.Helper()
	if _, err := io.WriteString(x.keyboard, keys); err != nil {
		x.Fatal(err)
	}
}

// ends waits for the end of the command, which has to be by a status.
func (x *terminal) ends(status int) string {
	x.Helper()
	_ = x.cmd.Wait()
	<-x.read
	_ = x.keyboard.Close()
	if got := x.cmd.ProcessState.ExitCode(); got != status {
		x.Errorf("it exits with %d, want %d:\n%s", got, status, x.shown())
	}
	return x.shown()
}

const ctrlC = "\x03"

// Somebody who sits there is asked, and answers.
func TestQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digest := w.dead("dead")
	for _, tt := range []struct {
		keys   string
		status int
		words  string
	}{
		{"n\n", 4, "nothing was done"},
		{"\n", 4, "nothing was done"},
		{ctrlC, 130, "nothing was done"},
	} {
		x := w.open(t, nil, "release", "--digest", digest)
		x.waitFor("Go on? [y/N] ")
		if !strings.Contains(x.shown(), "Release will free the key.") {
			t.Errorf("it doesn't say what it will do:\n%s", x.shown())
		}
		x.press(tt.keys)
		if text := x.ends(tt.status); !strings.Contains(text, tt.words) {
			t.Errorf("%q: it shows\n%s", tt.keys, text)
		}
		w.wants(0, "state abandoned, attempt 1", "inspect", "--digest", digest)
	}
	x := w.open(t, nil, "release", "--digest", digest)
	x.waitFor("Go on? [y/N] ")
	x.press("y\n")
	if text := x.ends(0); !strings.Contains(text, "released") || !strings.Contains(text, `"verb":"release"`) {
		t.Errorf("it shows\n%s", text)
	}
	w.wants(3, "", "inspect", "--digest", digest)
}

// A yes that was typed before the question is none.
func TestYesBeforeTheQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digest := w.dead("dead")
	x := w.start(t, "y\n", &exec.Cmd{Path: program, Args: []string{program, "release", "--digest", digest}, Env: w.environ})
	x.waitFor("Go on? [y/N] ")
	x.press("n\n")
	x.ends(4)
	w.wants(0, "state abandoned", "inspect", "--digest", digest)
}

// Who is asked has been shown what, wherever the output goes.
func TestQuestionBesideOutput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digest := w.dead("dead")
	for _, args := range [][]string{nil, {"--json"}} {
		var stdout strings.Builder
		x := w.start(t, "", &exec.Cmd{Path: program, Args: append([]string{program, "release", "--digest", digest}, args...), Env: w.environ, Stdout: &stdout})
		x.waitFor("Go on? [y/N] ")
		if text := x.shown(); !strings.Contains(text, "abandoned, attempt 1") || !strings.Contains(text, "Release will free the key.") {
			t.Errorf("%q: it asks, and shows\n%s", args, text)
		}
		x.press("n\n")
		x.ends(4)
		if stdout.Len() > 0 {
			t.Errorf("%q: its output is %s", args, &stdout)
		}
	}
}

// The key changes while somebody reads what stands there: nothing is done, and what is there now is
// shown.
func TestKeyChangesBetweenLookAndAct(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digest := w.dead("dead")
	x := w.open(t, nil, "release", "--digest", digest)
	x.waitFor("Go on? [y/N] ")
	w.dead("dead") // again
	x.press("y\n")
	text := x.ends(4)
	if _, now, _ := strings.Cut(text, "Now:"); !strings.Contains(now, "attempt 2") || !strings.Contains(now, "changed: now it is abandoned") {
		t.Errorf("it shows\n%s", text)
	}
	w.wants(0, "state abandoned, attempt 2", "inspect", "--digest", digest)
}

// Lines fit into 80 columns, and have colours unless NO_COLOR is set.
func TestTerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digest := w.dead("dead")
	for _, args := range [][]string{
		{"inspect", "--digest", digest}, {"ls"}, {"stats"}, {"check"}, {"doctor"}, {"env"}, {"help"}, {"key", "--scope", "a", "--key", "b"}, {"version"},
	} {
		text := w.open(t, []string{"NO_COLOR=1"}, args...).ends(0)
		if strings.Contains(text, "\x1b") {
			t.Errorf("%q: it has colours:\n%q", args, text)
		}
		for line := range strings.Lines(text) {
			if n := len([]rune(strings.TrimRight(line, "\r\n"))); n > 80 && !strings.HasPrefix(line, "REPRISE_REDIS_URL=") { // which is as long as it is
				t.Errorf("%q: %d columns: %s", args, n, line)
			}
		}
	}
	for _, args := range [][]string{{"ls"}, {"check"}, {"inspect", "--digest", digest}} {
		if text := w.open(t, []string{"NO_COLOR=", "TERM=xterm"}, args...).ends(0); !strings.Contains(text, "\x1b[3") {
			t.Errorf("%q: it has no colours:\n%q", args, text)
		}
		if got := w.run(args...); strings.Contains(got.stdout, "\x1b") {
			t.Errorf("%q: a pipe gets colours: %v", args, got)
		}
	}
	if err := w.client.Set(t.Context(), "reprise:"+strings.Repeat("漢", 40), "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if text := w.open(t, []string{"NO_COLOR=1"}, "ls").ends(0); !strings.Contains(text, digest+" abandoned") || !strings.Contains(text, "漢…  foreign") {
		t.Errorf("a long key leaves no room:\n%s", text)
	}
	x := w.open(t, []string{"TERM=xterm"}, "watch", "--interval", "100ms")
	x.waitFor("0 in flight")
	slow := w.claimed("slow")
	x.waitFor("1 in flight")
	x.waitFor(slow.digest)
	x.press(ctrlC)
	x.ends(0)
}
