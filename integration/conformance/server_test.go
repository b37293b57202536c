package conformance

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
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

	"github.com/reprise-go/reprise/internal/conformance"
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
func startPayments(t *testing.T, c *conformance.Contract, s *conformance.Setting) (*conformance.Target, error) {
	program, err := payments()
	if err != nil {
		return nil, err
	}
	server := exec.Command(program, "-addr", "127.0.0.1:0", "-replicas", "3")
	server.Env = append([]string{"REPRISE_HTTP_DIALECT=" + c.Dialect()}, s.Environ...)
	page := "" // for the vendors, whose bodies it would change; the others are asked with and without
	if s == conformance.Usual && slices.Contains([]string{"problem", "ietf"}, c.Dialect()) {
		page = conformance.GoldenPage
		server.Env = append(server.Env, "REPRISE_HTTP_DOC_URL="+page)
	}
	if s.Doomed {
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
	target := conformance.Payments()
	target.Servers, target.Page = servers, page
	return target, nil
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
		killer := time.AfterFunc(conformance.Patience, func() { _ = server.Process.Kill() })
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
