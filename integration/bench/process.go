package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/port"
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
	addr, number, err := port.Free()
	if err != nil {
		return nil, err
	}
	p.addr = addr
	p.cmd = exec.Command(path, append([]string{"--port", number, "--bind", "127.0.0.1", "--dir", p.dir,
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
