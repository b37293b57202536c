package cluster

import (
	"context"
	"errors"
	"net"

	"github.com/redis/go-redis/v9"
)

// Single is one plain Redis, in no cluster: for what is measured, and for locks
// over several deployments that know nothing of each other.
type Single struct {
	Addr string // a loopback address

	group *group
	node  *Node
}

// StartSingle starts one Redis and returns when it answers. The redisArgs are
// added to its command line. The caller closes it.
func StartSingle(ctx context.Context, redisArgs ...string) (*Single, error) {
	g, err := newGroup(ctx, Image())
	if err != nil {
		return nil, err
	}
	args := append([]string{"--maxmemory-policy", "noeviction", "--appendonly", "no", "--save", ""}, redisArgs...)
	n, err := g.run(ctx, "single", args...)
	if err != nil {
		return nil, errors.Join(err, g.close(ctx))
	}
	s := &Single{Addr: n.Published(), group: g, node: n}
	if err := n.answers(ctx); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

// Node is the Redis in its container, to be killed and restarted.
func (s *Single) Node() *Node { return s.node }

// Client returns a new client, which finds its Redis after a restart too. The
// caller closes it.
func (s *Single) Client() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:                  s.Addr,
		Dialer:                func(ctx context.Context, _, _ string) (net.Conn, error) { return s.node.dial(ctx) },
		ContextTimeoutEnabled: true,
	})
}

// Close removes the container.
func (s *Single) Close(ctx context.Context) error {
	s.node.client.Close()
	return s.group.close(ctx)
}
