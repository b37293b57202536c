package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/lock"
)

// A site is a Redis that is measured on.
type site struct {
	name    string // single or cluster
	version string
	client  func() redis.UniversalClient // a new one, with a pool of its own
	admin   redis.UniversalClient
	close   func()
}

// given is the Redis that REPRISE_REDIS_URL names, or nil.
func given(ctx context.Context) (*site, error) {
	admin, err := lock.ClientFromEnv("REPRISE_", os.Environ())
	if admin == nil {
		return nil, err
	}
	s := &site{name: "single", admin: admin, close: func() {}}
	if _, ok := admin.(*redis.ClusterClient); ok {
		s.name = "cluster"
	}
	s.client = func() redis.UniversalClient {
		client, _ := lock.ClientFromEnv("REPRISE_", os.Environ())
		return client
	}
	n := int64(0)
	err = s.each(ctx, func(ctx context.Context, node *redis.Client) error {
		size, err := node.DBSize(ctx).Result()
		n += size
		return err
	})
	if err == nil && n > 0 {
		err = fmt.Errorf("REPRISE_REDIS_URL: got a Redis with %d keys, want an empty one: it is flushed again and again", n)
	}
	return s, errors.Join(err, s.ask(ctx))
}

// single starts a redis-server on loopback.
func single(ctx context.Context) (*site, error) {
	p, err := start(ctx)
	if err != nil {
		return nil, err
	}
	s := &site{name: "single", close: p.kill}
	s.client = func() redis.UniversalClient {
		return redis.NewClient(&redis.Options{Addr: p.addr, ContextTimeoutEnabled: true})
	}
	s.admin = s.client()
	if err := s.ask(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// ask asks for the version.
func (s *site) ask(ctx context.Context) error {
	info, err := s.admin.Info(ctx, "server").Result()
	if err != nil {
		return err
	}
	for line := range bytes.Lines([]byte(info)) {
		if v, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("redis_version:")); ok {
			s.version = string(v)
		}
	}
	return nil
}

// each does something to every server that has keys.
func (s *site) each(ctx context.Context, do func(context.Context, *redis.Client) error) error {
	if c, ok := s.admin.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, do)
	}
	return do(ctx, s.admin.(*redis.Client))
}

// flush forgets all keys, and returns when their memory is free.
func (s *site) flush(ctx context.Context) error {
	return s.each(ctx, func(ctx context.Context, node *redis.Client) error { return node.Do(ctx, "FLUSHDB", "SYNC").Err() })
}

func (s *site) Close() {
	_ = s.admin.Close()
	s.close()
}

// A process is a redis-server that this one has started.
type process struct {
	addr string
	cmd  *exec.Cmd
	log  bytes.Buffer
	dir  string
}

// start starts a redis-server, which ends with this process at the latest, and waits for its answer.
func start(ctx context.Context, args ...string) (*process, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("%w: install it, or name a Redis by REPRISE_REDIS_URL", err)
	}
	p := &process{}
	if p.dir, err = os.MkdirTemp("", "reprise-bench"); err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.addr = free.Addr().String()
	_ = free.Close()
	p.cmd = exec.Command(path, append([]string{"--port", strconv.Itoa(free.Addr().(*net.TCPAddr).Port), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--dir", p.dir}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	admin := redis.NewClient(&redis.Options{Addr: p.addr, ContextTimeoutEnabled: true, MaxRetries: -1})
	defer admin.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for err = admin.Ping(ctx).Err(); err != nil; err = admin.Ping(ctx).Err() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			p.kill()
			return nil, fmt.Errorf("redis-server doesn't answer: %w\n%s", err, &p.log)
		}
	}
	return p, nil
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = os.RemoveAll(p.dir)
}
