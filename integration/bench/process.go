package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// A process is a redis-server that this one has started.
type process struct {
	addr string
	cmd  *exec.Cmd
	log  bytes.Buffer
	dir  string
}

// start starts a redis-server, and waits for its answer.
func start(ctx context.Context, args ...string) (*process, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("%w: install it, or name a Redis by REPRISE_REDIS_URL", err)
	}
	p := &process{}
	if p.dir, err = os.MkdirTemp("", "reprise-bench"); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p.addr = net.JoinHostPort("127.0.0.1", port)
	p.cmd = exec.Command(path, append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", p.dir,
		"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	admin := redis.NewClient(&redis.Options{Addr: p.addr, ContextTimeoutEnabled: true, MaxRetries: -1})
	defer admin.Close()
	if err := until(ctx, func() error { return admin.Ping(ctx).Err() }); err != nil {
		p.kill()
		return nil, fmt.Errorf("redis-server doesn't answer: %w\n%s", err, &p.log)
	}
	return p, nil
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = os.RemoveAll(p.dir)
}

// freePort is one that nobody listens on, and that leaves room for the port of a cluster's bus, which
// is 10,000 beyond.
func freePort() (string, error) {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		if port+10_000 < 1<<16 {
			return strconv.Itoa(port), nil
		}
	}
}
