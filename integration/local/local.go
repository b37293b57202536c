// Package local puts a Redis of this machine under a test: redis-server itself, on loopback, for what
// needs one server of its own kind (users, certificates, sentinels) and no cluster. Where it is not
// installed, the test is skipped.
package local

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/integration/port"
)

// A Server is a Redis, or a Sentinel, which ends with the test at the latest.
type Server struct {
	Addr   string // of TCP, or of TLS if Secure started it
	Socket string
	Admin  *redis.Client // on the socket

	cmd *exec.Cmd
}

// Start starts a redis-server with these arguments besides its own.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	addr, port := free(t)
	return run(t, addr, append([]string{"--port", port}, args...)...)
}

// Secure is Start for one that speaks TLS only.
func Secure(t testing.TB, args ...string) *Server {
	t.Helper()
	addr, port := free(t)
	return run(t, addr, append([]string{"--port", "0", "--tls-port", port}, args...)...)
}

// Sentinel starts one with these lines in its configuration, and the command line besides.
func Sentinel(t testing.TB, lines string, args ...string) *Server {
	t.Helper()
	addr, port := free(t)
	conf := filepath.Join(dir(t), "sentinel.conf") // which it writes to
	if err := os.WriteFile(conf, []byte(lines+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return run(t, addr, append([]string{conf, "--sentinel", "--port", port}, args...)...)
}

func run(t testing.TB, addr string, args ...string) *Server {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("NOT RUN: no redis-server is installed")
	}
	work := dir(t)
	s := &Server{Addr: addr, Socket: filepath.Join(work, "redis.sock")}
	args = append(args, "--bind", "127.0.0.1", "--dir", work, "--unixsocket", s.Socket)
	if s.cmd = exec.Command(program, args...); !isSentinel(args) {
		s.cmd.Args = append(s.cmd.Args, "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0")
	}
	var log bytes.Buffer
	s.cmd.Stdout, s.cmd.Stderr = &log, &log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.Admin = redis.NewClient(&redis.Options{Network: "unix", Addr: s.Socket, ContextTimeoutEnabled: true})
	t.Cleanup(func() {
		_ = s.Admin.Close()
		s.Kill()
	})
	err = cluster.Eventually(t.Context(), "redis-server answers", func(ctx context.Context) error {
		err := s.Admin.Ping(ctx).Err()
		if _, isReply := errors.AsType[redis.Error](err); isReply {
			return nil // that it wants a password is an answer
		}
		return err
	})
	if err != nil {
		s.Kill() // and its log is whole
		t.Fatalf("%v\n%s", err, &log)
	}
	return s
}

func isSentinel(args []string) bool { return len(args) > 1 && args[1] == "--sentinel" }

// Kill ends the server at once.
func (s *Server) Kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// dir is short, as the path of a socket has to be.
func dir(t testing.TB) string {
	t.Helper()
	work, err := os.MkdirTemp("", "reprise")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(work) })
	return work
}

// free is an address of loopback that nobody listens on.
func free(t testing.TB) (addr, number string) {
	t.Helper()
	addr, number, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	return addr, number
}
