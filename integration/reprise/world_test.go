package reprise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/local"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// program is what is tested, built.
var program string

func TestMain(m *testing.M) {
	work, err := os.MkdirTemp("", "reprise-")
	if err == nil {
		program = filepath.Join(work, "reprise")
		build := exec.Command("go", "build", "-o", program, "github.com/reprise-go/reprise/cmd/reprise")
		build.Dir = filepath.Join("..", "..") // the workspace has both modules
		build.Stderr = os.Stderr
		err = build.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration/reprise:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(work)
	os.Exit(code)
}

// patience is how long a command may take that hangs, before the test says so.
const patience = time.Minute

// A world is a cluster, a program's engine over it, and the environment of the commands.
type world struct {
	*testing.T
	cluster *local.Cluster
	client  *redis.ClusterClient
	engine  *replay.Engine
	environ []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, cluster: local.StartCluster(t)}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "REPRISE_") { // which are for tests
			w.environ = append(w.environ, v)
		}
	}
	w.environ = append(w.environ, "REPRISE_LOCK_TTL=6s")
	w.within("2s")
	w.client = w.cluster.Client(t)
	w.engine = w.engineWith(replay.Config{Lock: lock.Config{TTL: 6 * time.Second}})
	return w
}

// within has the commands give up on a node that doesn't answer for so long: by default, long enough for
// a machine that is busy with other things.
func (w *world) within(timeout string) {
	w.environ = append(w.environ, "REPRISE_LOCK_TIMEOUT="+timeout,
		"REPRISE_REDIS_URL="+w.cluster.URL+"&read_timeout="+timeout+"&dial_timeout="+timeout)
}

func (w *world) engineWith(cfg replay.Config) *replay.Engine {
	w.Helper()
	e, err := replay.New(w.client, cfg)
	if err != nil {
		w.Fatal(err)
	}
	return e
}

// A run is what a command did.
type run struct {
	status         int
	stdout, stderr string
}

func (r run) String() string { return fmt.Sprintf("exit %d\n%s%s", r.status, r.stdout, r.stderr) }

func (w *world) run(args ...string) run {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = w.environ, &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		w.Fatalf("reprise %s hangs: %s%s", strings.Join(args, " "), &stdout, &stderr)
	}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		w.Fatal(err)
	}
	return run{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// wants runs a command that has to exit with a status and to print some words, in whatever lines.
func (w *world) wants(status int, words string, args ...string) run {
	w.Helper()
	got := w.run(args...)
	if text := strings.Join(strings.Fields(got.stdout+got.stderr), " "); got.status != status || !strings.Contains(text, words) {
		w.Errorf("reprise %s: want exit %d and %q, got %v", strings.Join(args, " "), status, words, got)
	}
	return got
}

// lines decodes a command's lines of JSON, or its one document.
func lines[T any](t *testing.T, text string) (all []T) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var v T
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		all = append(all, v)
	}
	return all
}

func one[T any](t *testing.T, text string) T {
	t.Helper()
	all := lines[T](t, text)
	if len(all) != 1 {
		t.Fatalf("want one document: %s", text)
	}
	return all[0]
}

// done makes a record, and returns its digest.
func (w *world) done(key string) string {
	w.Helper()
	_, err := w.engine.Do(w.Context(), replay.Request{Scope: "acme", Key: key}, func(context.Context) (replay.Answer, error) {
		return replay.Answer{Value: "paid"}, nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return w.engine.Digest("acme", key)
}

// dead leaves the claim of a request that failed.
func (w *world) dead(key string) string {
	w.Helper()
	_, err := w.engine.Do(w.Context(), replay.Request{Scope: "acme", Key: key}, func(context.Context) (replay.Answer, error) {
		return replay.Answer{}, errors.New("it fails")
	})
	if err == nil {
		w.Fatal("it has not failed")
	}
	return w.engine.Digest("acme", key)
}

// A request is one in flight.
type request struct {
	digest string
	end    chan struct{} // ends its work when it is closed
	lost   chan error    // why its context ended before
}

func (w *world) claimed(key string) *request {
	w.Helper()
	r := &request{digest: w.engine.Digest("acme", key), end: make(chan struct{}), lost: make(chan error, 1)}
	began, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = w.engine.Do(context.Background(), replay.Request{Scope: "acme", Key: key}, func(ctx context.Context) (replay.Answer, error) {
			close(began)
			select {
			case <-r.end:
			case <-ctx.Done():
				r.lost <- context.Cause(ctx)
			}
			return replay.Answer{Value: "paid"}, nil
		})
	}()
	<-began
	w.Cleanup(func() {
		select {
		case <-r.end:
		default:
			close(r.end)
		}
		<-ended
	})
	return r
}

// at is a key whose record is at the server, and its digest.
func (w *world) at(s *local.Server, keys ...string) (key, digest string) {
	w.Helper()
	for i := range 1000 {
		key = fmt.Sprintf("%s-%d", strings.Join(keys, "-"), i)
		digest = w.engine.Digest("acme", key)
		if master, err := w.client.MasterForKey(w.Context(), "reprise:"+digest); err != nil {
			w.Fatal(err)
		} else if master.Options().Addr == s.Addr {
			return key, digest
		}
	}
	w.Fatal("no such key")
	return "", ""
}
