package cli_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/cmd/reprise/internal/cli"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A world is a Redis, and an environment that leads to it.
type world struct {
	*testing.T
	redis   *miniredis.Miniredis
	environ []string
	refuse  string                          // a command that Redis refuses
	says    string                          // what Redis says to it; empty: a refusal
	before  func(cmd string, args []string) // is called before Redis does a command
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, redis: miniredis.RunT(t)}
	w.environ = []string{"REPRISE_REDIS_URL=redis://" + w.redis.Addr(), "REPRISE_LOCK_PIPELINE=off"}
	// It tells of itself what miniredis leaves out.
	w.redis.Server().SetPreHook(func(p *server.Peer, cmd string, args ...string) bool {
		if w.before != nil {
			w.before(cmd, args)
		}
		switch {
		case strings.EqualFold(cmd, w.refuse):
			p.WriteError(cmp.Or(w.says, "NOPERM this user has no permissions to run the '"+strings.ToLower(cmd)+"' command"))
		case cmd == "INFO":
			p.WriteBulk("redis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n")
		default:
			return false
		}
		return true
	})
	return w
}

// engine is a program's, over the same Redis, with what a test sets.
func (w *world) engine(set ...func(*replay.Config)) *replay.Engine {
	w.Helper()
	client := redis.NewClient(&redis.Options{Addr: w.redis.Addr(), ContextTimeoutEnabled: true})
	w.Cleanup(func() { _ = client.Close() })
	cfg := replay.Config{Lock: lock.Config{Pipeline: lock.PipelineOff}}
	for _, f := range set {
		f(&cfg)
	}
	e, err := replay.New(client, cfg)
	if err != nil {
		w.Fatal(err)
	}
	return e
}

// an HTTP answer, by the names of its fields.
type answer struct {
	Status int         `msgpack:"status"`
	Header http.Header `msgpack:"header"`
	Body   []byte      `msgpack:"body"`
}

// done makes a record of a request, and returns its digest.
func (w *world) done(e *replay.Engine, key string, value any) string {
	w.Helper()
	_, err := e.Do(w.Context(), replay.Request{Scope: "acme", Key: key, Fingerprint: "f"}, func(context.Context) (replay.Answer, error) {
		return replay.Answer{Value: value}, nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return e.Digest("acme", key)
}

// claimed has a request in flight until the test ends, and returns its digest.
func (w *world) claimed(e *replay.Engine, key string) string {
	w.Helper()
	began, end, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = e.Do(context.Background(), replay.Request{Scope: "acme", Key: key}, func(context.Context) (replay.Answer, error) {
			close(began)
			<-end
			return replay.Answer{}, nil
		})
	}()
	<-began
	w.Cleanup(func() { close(end); <-ended })
	return e.Digest("acme", key)
}

// abandoned leaves the claim of a request that has failed, and returns its digest.
func (w *world) abandoned(e *replay.Engine, key string) string {
	w.Helper()
	_, err := e.Do(w.Context(), replay.Request{Scope: "acme", Key: key}, func(context.Context) (replay.Answer, error) {
		return replay.Answer{}, errors.New("it fails")
	})
	if err == nil {
		w.Fatal("it has not failed")
	}
	return e.Digest("acme", key)
}

// A result is what a command did.
type result struct {
	status         int
	stdout, stderr string
}

// dead leads the environment to an address at which nobody answers, and returns that.
func (w *world) dead() string {
	gone := miniredis.NewMiniRedis()
	if err := gone.Start(); err != nil {
		w.Fatal(err)
	}
	addr := gone.Addr()
	gone.Close()
	w.environ = append(w.environ, "REPRISE_REDIS_URL=redis://"+addr, "REPRISE_LOCK_TIMEOUT=500ms")
	return addr
}

// run runs a command line, with what is typed.
func (w *world) run(typed string, args ...string) result {
	w.Helper()
	return w.runUntil(context.Background(), typed, args...)
}

// runUntil is run until the end of ctx.
func (w *world) runUntil(ctx context.Context, typed string, args ...string) result {
	w.Helper()
	var stdout, stderr strings.Builder
	status := cli.Run(ctx, cli.Process{
		Args: args, Environ: w.environ, Stdin: strings.NewReader(typed), Stdout: &stdout, Stderr: &stderr})
	return result{status, stdout.String(), stderr.String()}
}

// wants runs a command line that has to end by a status and to print some words, in whatever lines.
func (w *world) wants(status int, words string, args ...string) result {
	w.Helper()
	got := w.run("", args...)
	text := got.stdout + got.stderr
	if got.status != status || !strings.Contains(text, words) && !strings.Contains(strings.Join(strings.Fields(text), " "), words) {
		w.Errorf("reprise %s: exited with %d, want %d, and %q in what it says:\n%s%s", strings.Join(args, " "), got.status, status, words, got.stdout, got.stderr)
	}
	for line := range strings.Lines(got.stdout + got.stderr) {
		if len([]rune(strings.TrimSuffix(line, "\n"))) > 80 && args[0] != "conformance" && args[0] != "ls" && !strings.Contains(line, `"`) {
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
