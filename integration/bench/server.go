package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/port"
	"github.com/reprise-go/reprise/lock"
)

// A site is a Redis that is measured on.
type site struct {
	kind    string // single or cluster
	version string
	client  func() redis.UniversalClient // a new one, with a pool of its own
	admin   redis.UniversalClient
	started []*process
}

// given is the Redis that REPRISE_REDIS_URL names, or nil.
func given(ctx context.Context) (*site, error) {
	admin, err := lock.ClientFromEnv("REPRISE_", os.Environ())
	if admin == nil {
		return nil, err
	}
	s := &site{kind: "single", admin: admin, client: func() redis.UniversalClient {
		client, _ := lock.ClientFromEnv("REPRISE_", os.Environ()) // it was one a moment ago
		return client
	}}
	if _, ok := admin.(*redis.ClusterClient); ok {
		s.kind = "cluster"
	}
	n, err := s.size(ctx)
	if err == nil && n > 0 {
		err = fmt.Errorf("REPRISE_REDIS_URL: got a Redis with %d keys, want an empty one: it is flushed again and again", n)
	}
	if err = errors.Join(err, s.ask(ctx)); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// single starts a redis-server on loopback.
func single(ctx context.Context) (*site, error) {
	p, err := start(ctx)
	if err != nil {
		return nil, err
	}
	s := &site{kind: "single", started: []*process{p}}
	s.client = func() redis.UniversalClient {
		return redis.NewClient(&redis.Options{Addr: p.addr, ContextTimeoutEnabled: true})
	}
	s.admin = s.client()
	return s, s.ask(ctx)
}

// cluster starts three primaries on loopback.
func cluster(ctx context.Context) (_ *site, err error) {
	s := &site{kind: "cluster"}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	const nodes, slots = 3, 16384
	var addrs, buses []string
	for i := range nodes {
		_, bus, err := port.Free()
		if err != nil {
			return nil, err
		}
		p, err := start(ctx, "--cluster-enabled", "yes", "--cluster-port", bus)
		if err != nil {
			return nil, err
		}
		buses = append(buses, bus)
		s.started, addrs = append(s.started, p), append(addrs, p.addr)
		node := redis.NewClient(&redis.Options{Addr: p.addr, ContextTimeoutEnabled: true})
		defer node.Close()
		if err := node.ClusterAddSlotsRange(ctx, slots*i/nodes, slots*(i+1)/nodes-1).Err(); err != nil {
			return nil, err
		}
		host, number, _ := strings.Cut(addrs[0], ":")
		if err := node.Do(ctx, "CLUSTER", "MEET", host, number, buses[0]).Err(); err != nil {
			return nil, err
		}
	}
	s.client = func() redis.UniversalClient {
		return redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, ContextTimeoutEnabled: true, DisableRoutingPolicies: true})
	}
	for _, addr := range addrs {
		node := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
		defer node.Close()
		err := until(ctx, func() error {
			info, err := node.ClusterInfo(ctx).Result()
			if err == nil && !(strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")) {
				err = errors.New("the cluster doesn't form: " + info)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	s.admin = s.client()
	return s, s.ask(ctx)
}

// until tries again until there is no error, and gives up after 30 s.
func until(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// ask asks for the version.
func (s *site) ask(ctx context.Context) error {
	info, err := s.admin.Info(ctx, "server").Result()
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "redis_version:"); ok {
			s.version = v
		}
	}
	return err
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

// size is how many keys there are.
func (s *site) size(ctx context.Context) (int64, error) { return s.admin.DBSize(ctx).Result() }

func (s *site) Close() {
	if s.admin != nil {
		_ = s.admin.Close()
	}
	for _, p := range s.started {
		p.kill()
	}
}
