package conformance

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// A setting is what a row needs of the server beside its dialect, in words and as variables.
type setting struct {
	needs   string
	environ []string
	doomed  bool // its Redis is there when the server starts, and then no more
}

var (
	usual = &setting{}

	refusing = &setting{
		needs:   "REPRISE_REPLAY_ON_ABANDONED=refuse",
		environ: []string{"REPRISE_REPLAY_ON_ABANDONED=refuse"},
	}

	// shortLease: work can last longer than its lease, and a duplicate waits for its turn.
	shortLease = &setting{
		needs:   "REPRISE_LOCK_MAX_HOLD=1s and REPRISE_REPLAY_WAIT=1m",
		environ: []string{"REPRISE_LOCK_TTL=1s", "REPRISE_LOCK_TIMEOUT=500ms", "REPRISE_LOCK_MAX_HOLD=1s", "REPRISE_REPLAY_WAIT=1m"},
	}

	withoutStore = &setting{
		needs:   "no Redis",
		environ: []string{"REPRISE_LOCK_TIMEOUT=500ms"},
		doomed:  true,
	}
)

// payments builds examples/payments, and as this test is built: with the race detector, or without.
var payments = sync.OnceValues(func() (program string, err error) {
	program = filepath.Join(scratch, "payments")
	build := exec.Command("go", "build", "-o", program)
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		build.Args = append(build.Args, "-race")
	}
	build.Args = append(build.Args, "./payments")
	build.Dir = filepath.Join("..", "..", "examples")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v: %w\n%s", build, err, out)
	}
	return program, nil
})

// redisURL names the Redis that the servers are to use, beside other variables that begin so.
const redisURL = "REPRISE_REDIS_URL"

// givenRedis are the variables of a Redis that was given; without one each program has its own inside.
// Nothing is to stay there for long, nor is anything there in our way: no key is used twice.
func givenRedis() []string {
	if os.Getenv(redisURL) == "" {
		return nil
	}
	environ := []string{"REPRISE_REPLAY_TTL=1h"}
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, "REPRISE_REDIS_") {
			environ = append(environ, variable)
		}
	}
	return environ
}

// startPayments starts a fleet of three in one program, which the end of the test ends.
func startPayments(t *testing.T, c *contract, s *setting) (*target, error) {
	program, err := payments()
	if err != nil {
		return nil, err
	}
	server := exec.Command(program, "-addr", "127.0.0.1:0", "-replicas", "3")
	server.Env = append([]string{"REPRISE_HTTP_DIALECT=" + c.dialect}, s.environ...)
	page := "" // for the vendors, whose bodies it would change; the others are asked with and without
	if s == usual && slices.Contains([]string{"problem", "ietf"}, c.dialect) {
		page = goldenPage
		server.Env = append(server.Env, "REPRISE_HTTP_DOC_URL="+page)
	}
	if s.doomed {
		store := miniredis.NewMiniRedis()
		if err := store.Start(); err != nil {
			return nil, err
		}
		defer store.Close()
		server.Env = append(server.Env, redisURL+"=redis://"+store.Addr())
	} else {
		server.Env = append(server.Env, givenRedis()...)
	}
	servers, err := start(t, server)
	if err != nil {
		return nil, err
	}
	return &target{
		servers: servers,
		path:    "/payments",
		header:  http.Header{"Content-Type": {"application/json"}},
		body:    `{"amount":1999,"currency":"GBP"}`,
		tenant:  "X-Account",
		page:    page,
	}, nil
}

// start returns the servers that the program says it serves, in its first line:
//
//	Serving http://127.0.0.1:41001/payments, http://127.0.0.1:41002/payments over an embedded Redis.
func start(t *testing.T, server *exec.Cmd) (servers []string, err error) {
	var log bytes.Buffer
	server.Stderr = &log
	stdout, err := server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	read := make(chan struct{}) // all that it printed
	t.Cleanup(func() {
		// It lets work in flight end, of which there is none; what hangs is killed, and that is a fault.
		_ = server.Process.Signal(syscall.SIGTERM)
		killer := time.AfterFunc(patience, func() { _ = server.Process.Kill() })
		<-read
		err := server.Wait()
		killer.Stop()
		if err != nil { // a data race, for one
			t.Errorf("examples/payments ended with %v:\n%s", err, &log)
		}
	})
	out := bufio.NewReader(stdout)
	line, err := out.ReadString('\n')
	go func() {
		_, _ = io.Copy(io.Discard, out)
		close(read)
	}()
	list, _, serves := strings.Cut(strings.TrimPrefix(line, "Serving "), " over ")
	if !serves {
		return nil, fmt.Errorf("examples/payments begins with %q, %v", line, err)
	}
	for url := range strings.SplitSeq(list, ", ") {
		servers = append(servers, strings.TrimSuffix(url, "/payments"))
	}
	return servers, nil
}
