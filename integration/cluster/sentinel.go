package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Watched is one primary with two replicas, and three sentinels that promote a replica when two of
// them find the primary dead for a second.
type Watched struct {
	group     *group
	nodes     []*Node
	sentinels []*Node
}

const (
	watchedName = "reprise" // of the primary, among sentinels
	sentinels   = 3
)

// StartWatched starts them and returns when every replica follows and every sentinel knows the others.
// The caller closes them.
func StartWatched(ctx context.Context) (_ *Watched, err error) {
	g, err := newGroup(ctx, Image())
	if err != nil {
		return nil, err
	}
	w := &Watched{group: g}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close(ctx))
		}
	}()
	args := []string{"--maxmemory-policy", "noeviction", "--appendonly", "no", "--save", "", "--repl-diskless-sync-delay", "0"}
	primary, err := w.add(ctx, &w.nodes, "primary", server(args...))
	if err != nil {
		return nil, err
	}
	host, port := primary.endpoint()
	follow := server(append(args, "--replicaof", host, port)...)
	for i := range 2 {
		if _, err := w.add(ctx, &w.nodes, fmt.Sprintf("replica-%d", i), follow); err != nil {
			return nil, err
		}
	}
	// A sentinel writes what it learns into its configuration, which therefore has to be a file.
	conf := strings.Join([]string{
		"protected-mode no",
		fmt.Sprintf("sentinel monitor %s %s %s 2", watchedName, host, port),
		"sentinel down-after-milliseconds " + watchedName + " 1000",
		"sentinel failover-timeout " + watchedName + " 10000",
	}, "\n")
	watch := []string{"sh", "-c", `printf '%s\nport 6379\n' "$1" >sentinel.conf && set -- sentinel.conf --sentinel && ` + serve, "sh", conf}
	for i := range sentinels {
		if _, err := w.add(ctx, &w.sentinels, fmt.Sprintf("sentinel-%d", i), watch); err != nil {
			return nil, err
		}
	}
	return w, w.Settle(ctx)
}

func (w *Watched) add(ctx context.Context, to *[]*Node, name string, command []string) (*Node, error) {
	n, err := w.group.start(ctx, name, command...)
	if err != nil {
		return nil, err
	}
	*to = append(*to, n)
	return n, n.answers(ctx)
}

// Client returns a new client that asks the sentinels for the primary. The caller closes it.
func (w *Watched) Client() *redis.Client {
	o := &redis.FailoverOptions{
		MasterName:            watchedName,
		Dialer:                w.dial,
		ContextTimeoutEnabled: true,
	}
	for _, s := range w.sentinels {
		o.SentinelAddrs = append(o.SentinelAddrs, s.Announced())
	}
	return redis.NewFailoverClient(o)
}

func (w *Watched) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	for _, nodes := range [][]*Node{w.nodes, w.sentinels} {
		for _, n := range nodes {
			if n.Announced() == addr {
				return n.dial(ctx)
			}
		}
	}
	return nil, fmt.Errorf("cluster: nothing announces %s", addr)
}

// Primary is the node that all sentinels take for the primary.
func (w *Watched) Primary(ctx context.Context) (*Node, error) {
	var addr string
	for i, s := range w.sentinels {
		// A sentinel answers HELLO as any Redis does, and knows SENTINEL besides.
		found, err := s.client.Do(ctx, "sentinel", "get-master-addr-by-name", watchedName).StringSlice()
		if err != nil || len(found) != 2 {
			return nil, s.wrap("ask", fmt.Errorf("%v, %w", found, err))
		}
		at := net.JoinHostPort(found[0], found[1])
		if i > 0 && at != addr {
			return nil, fmt.Errorf("cluster: the sentinels disagree: %s and %s", addr, at)
		}
		addr = at
	}
	for _, n := range w.nodes {
		if n.Announced() == addr {
			return n, nil
		}
	}
	return nil, fmt.Errorf("cluster: the sentinels name %s, which is none of ours", addr)
}

// Settle returns when two replicas follow the primary, and the sentinels know that and each other.
func (w *Watched) Settle(ctx context.Context) error {
	return Eventually(ctx, "two replicas follow the primary, and three sentinels know", func(ctx context.Context) error {
		primary, err := w.Primary(ctx)
		if err != nil {
			return err
		}
		info, err := primary.client.Info(ctx, "replication").Result()
		if err != nil {
			return err
		}
		if strings.Count(info, "state=online") != len(w.nodes)-1 || !strings.Contains(info, "role:master") {
			return errors.New("not two replicas")
		}
		for _, s := range w.sentinels {
			info, err := s.client.Info(ctx, "sentinel").Result()
			if err != nil {
				return err
			}
			if want := fmt.Sprintf("status=ok,address=%s,slaves=2,sentinels=%d", primary.Announced(), sentinels); !strings.Contains(info, want) {
				return s.wrap("ask", fmt.Errorf("not %s: %s", want, info))
			}
		}
		return nil
	})
}

// Close removes the containers and their network.
func (w *Watched) Close(ctx context.Context) error {
	for _, nodes := range [][]*Node{w.nodes, w.sentinels} {
		for _, n := range nodes {
			n.client.Close()
		}
	}
	return w.group.close(ctx)
}
