package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/reprise-go/reprise/cmd/reprise/internal/cli"
)

// failing takes no output.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// Output that could not be written isn't done, whatever it was; but for that of a reader who has left.
func TestOutputThatFails(t *testing.T) {
	w := newWorld(t)
	digest := w.done(w.engine(), "paid", answer{Status: 201})
	for _, line := range []string{"ls", "ls --json", "stats", "stats --json", "inspect --digest " + digest, "env", "help", "version --json", "watch --json"} {
		for fault, want := range map[error]int{io.ErrShortWrite: 1, syscall.EPIPE: 0} {
			if line == "watch --json" {
				w.claimed(w.engine(), fault.Error())
			}
			var stderr strings.Builder
			status := cli.Run(t.Context(), cli.Process{Args: strings.Fields(line), Environ: w.environ, Stdin: strings.NewReader(""),
				Stdout: failing{fault}, Stderr: &stderr})
			if status != want || (want == 1) != strings.Contains(stderr.String(), "not all has been written: short write") {
				t.Errorf("%s: %v: exited with %d, want %d: %s", line, fault, status, want, &stderr)
			}
		}
	}
}

// JSON has no NaN, and some records do.
func TestRevealOfNumbersThatJSONHasNot(t *testing.T) {
	w := newWorld(t)
	digest := w.done(w.engine(), "odd", map[string]any{"a": math.NaN(), "b": float32(math.Inf(1)), "c": 1.5})
	got := decode[entry](t, w.wants(0, "", "inspect", "--digest", digest, "--reveal", "--json").stdout)
	if v, _ := json.Marshal(got.Value); string(v) != `{"a":"NaN","b":"+Inf","c":1.5}` {
		t.Errorf("got %s", v)
	}
}

// What a command finds because it was ended is no finding.
func TestEndIsNoFinding(t *testing.T) {
	for _, line := range []string{"check", "doctor", "doctor --json", "ls", "inspect --key k", "conformance"} {
		for cause, status := range map[error]int{context.Canceled: 130, errors.New("--timeout is over"): 1} {
			w := newWorld(t)
			ctx, stop := context.WithCancelCause(t.Context())
			w.before = func(cmd string, _ []string) {
				if cmd != "HELLO" && cmd != "CLIENT" {
					stop(cause)
				}
			}
			args := strings.Fields(line)
			if line == "conformance" {
				api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stop(cause) }))
				defer api.Close()
				args = append(args, api.URL)
			}
			if got := w.runUntil(ctx, "", args...); got.status != status || strings.Contains(got.stdout, "NOT OK") || strings.Contains(got.stdout, "false") {
				t.Errorf("%s: %v: got %+v, want exit %d", line, cause, got, status)
			}
			stop(nil)
		}
	}
}

// A watch that has seen nothing by the end of its time says why.
func TestWatchOfNobody(t *testing.T) {
	w := newWorld(t)
	w.refuse = "SCAN"
	w.wants(1, "in part: could not see all keys at "+w.redis.Addr(), "watch", "--timeout", "100ms")
}

// A key is waited for as long as --timeout says.
func TestKeyThatNeverComes(t *testing.T) {
	w := newWorld(t)
	never, _ := io.Pipe()
	var stderr strings.Builder
	status := cli.Run(t.Context(), cli.Process{Args: []string{"key", "--key", "-", "--timeout", "50ms"}, Environ: w.environ, Stdin: never,
		Stdout: io.Discard, Stderr: &stderr})
	if status != 1 || !strings.Contains(stderr.String(), "it took longer than --timeout (50ms)") {
		t.Errorf("exited with %d: %s", status, &stderr)
	}
}
