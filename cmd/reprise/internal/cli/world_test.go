package cli_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"github.com/reprise-go/reprise/cmd/reprise/internal/cli"
)

// A world is a Redis, and an environment that leads to it.
type world struct {
	*testing.T
	redis   *miniredis.Miniredis
	environ []string
	refuse  string // a command that Redis refuses
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, redis: miniredis.RunT(t)}
	w.environ = []string{"REPRISE_REDIS_URL=redis://" + w.redis.Addr(), "REPRISE_LOCK_PIPELINE=off"}
	// It tells of itself what miniredis leaves out.
	w.redis.Server().SetPreHook(func(p *server.Peer, cmd string, _ ...string) bool {
		switch {
		case strings.EqualFold(cmd, w.refuse):
			p.WriteError("NOPERM this user has no permissions to run the '" + strings.ToLower(cmd) + "' command")
		case cmd == "INFO":
			p.WriteBulk("redis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n")
		default:
			return false
		}
		return true
	})
	return w
}

// A result is what a command did.
type result struct {
	status         int
	stdout, stderr string
}

// run runs a command line, with what is typed.
func (w *world) run(typed string, args ...string) result {
	w.Helper()
	var stdout, stderr strings.Builder
	status := cli.Run(context.Background(), cli.Process{
		Args: args, Environ: w.environ, Stdin: strings.NewReader(typed), Stdout: &stdout, Stderr: &stderr})
	return result{status, stdout.String(), stderr.String()}
}

// wants runs a command line that has to end by a status and to print some words.
func (w *world) wants(status int, words string, args ...string) result {
	w.Helper()
	got := w.run("", args...)
	if got.status != status || !strings.Contains(got.stdout+got.stderr, words) {
		w.Errorf("reprise %s: exited with %d, want %d, and %q in what it says:\n%s%s", strings.Join(args, " "), got.status, status, words, got.stdout, got.stderr)
	}
	for line := range strings.Lines(got.stdout + got.stderr) {
		if len([]rune(strings.TrimSuffix(line, "\n"))) > 80 && args[0] != "conformance" && !strings.HasPrefix(line, "{") && !strings.Contains(line, `"`) {
			w.Errorf("reprise %s: a line of more than 80 columns: %s", strings.Join(args, " "), line)
		}
	}
	return got
}

// decode reads what a command with --json has printed.
func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}
