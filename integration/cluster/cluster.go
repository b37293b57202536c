package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/redis/go-redis/v9"
)

const (
	primaries = 3
	size      = 2 * primaries // one replica each

	// Slots is the number of hash slots of a Redis Cluster.
	Slots = 16384
)

// nodeArgs make a node that forms a cluster fast, notices a dead one after two
// seconds, and keeps nothing on disk. DEBUG is there for suites that need a
// Redis that hangs or runs out of memory.
var nodeArgs = []string{
	"--cluster-enabled", "yes",
	"--cluster-node-timeout", "2000",
	"--maxmemory-policy", "noeviction",
	"--appendonly", "no",
	"--save", "",
	"--repl-diskless-sync-delay", "0", // else a replica waits 5 s for company,
	"--repl-ping-replica-period", "1", // and is in nobody's list for 10 s, until its offset moves
	"--enable-debug-command", "yes",
}

// Cluster is a Redis Cluster of three primaries and three replicas.
type Cluster struct {
	group *group
	nodes []*Node
}

// Start starts a cluster and returns when every node serves and every replica
// follows its primary. The redisArgs are added to every node's command line,
// for example "--maxmemory", "64mb". The caller closes the cluster.
func Start(ctx context.Context, redisArgs ...string) (_ *Cluster, err error) {
	g, err := newGroup(ctx)
	if err != nil {
		return nil, err
	}
	c := &Cluster{group: g, nodes: make([]*Node, size)}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close(ctx))
		}
	}()

	if err := c.runNodes(ctx, redisArgs); err != nil {
		return nil, err
	}
	if err := c.form(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cluster) runNodes(ctx context.Context, redisArgs []string) error {
	args := append(nodeArgs[:len(nodeArgs):len(nodeArgs)], redisArgs...)
	errs := make(chan error)
	for i := range c.nodes {
		go func() {
			var err error
			c.nodes[i], err = c.group.run(ctx, fmt.Sprintf("node-%d", i), args...)
			errs <- err
		}()
	}
	var failed []error
	for range c.nodes {
		failed = append(failed, <-errs)
	}
	return errors.Join(failed...)
}

// Close removes the containers and their network, in whatever state they are.
func (c *Cluster) Close(ctx context.Context) error {
	for _, n := range c.nodes {
		if n != nil {
			n.client.Close()
		}
	}
	return c.group.close(ctx)
}

// Nodes are all nodes. Those at 0, 1 and 2 were the primaries at the start.
func (c *Cluster) Nodes() []*Node { return c.nodes }

// Node is the node at i.
func (c *Cluster) Node(i int) *Node { return c.nodes[i] }

// Client returns a new client that shares nothing with any other: its own
// connections, its own view of the cluster. The options can be changed before
// it is made. The caller closes it.
func (c *Cluster) Client(change ...func(*redis.ClusterOptions)) *redis.ClusterClient {
	options := &redis.ClusterOptions{
		Dialer:                c.Dial,
		ContextTimeoutEnabled: true,
	}
	for _, n := range c.nodes {
		options.Addrs = append(options.Addrs, n.Announced())
	}
	for _, change := range change {
		change(options)
	}
	return redis.NewClusterClient(options)
}

// Dial connects to the node that announces addr. It is the Dialer of every
// Client: redirects name addresses inside the containers' network, and only the
// published ports lead there from everywhere.
func (c *Cluster) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	for _, n := range c.nodes {
		if n.Announced() == addr {
			return n.dial(ctx)
		}
	}
	return nil, fmt.Errorf("cluster: no node announces %s", addr)
}

// FlushScripts makes every node, replicas too, forget all scripts.
func (c *Cluster) FlushScripts(ctx context.Context) error {
	return each(c.nodes, func(n *Node) error {
		return n.wrap("script flush", n.client.ScriptFlush(ctx).Err())
	})
}
