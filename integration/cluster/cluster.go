package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	primaries = 3
	size      = 2 * primaries // one replica each

	// Slots is the number of hash slots of a Redis Cluster.
	Slots = 16384
)

// How long a node can be silent until the others take it for dead. While they form a cluster, or are to
// miss one of them, it is short, which also has them tell each other often. Else it is long: a node that
// gets no processor for a while, as on a machine that is busy with other things, is to keep its slots.
const (
	hasty   = 2 * time.Second
	patient = 15 * time.Second
)

// nodeArgs make a node that forms a cluster fast, and keeps nothing on disk.
// DEBUG is there for suites that need a Redis that hangs or runs out of memory.
var nodeArgs = []string{
	"--cluster-enabled", "yes",
	"--cluster-node-timeout", millis(hasty),
	"--maxmemory-policy", "noeviction",
	"--appendonly", "no",
	"--save", "",
	"--repl-diskless-sync-delay", "0", // else a replica waits 5 s for company,
	"--repl-ping-replica-period", "1", // and is in nobody's list for 10 s, until its offset moves
	"--enable-debug-command", "yes",

	// A primary that has given its last slot away stays one, and does not follow whoever got it: else
	// that could happen while it is still being told.
	"--cluster-allow-replica-migration", "no",
}

// Cluster is a Redis Cluster: three primaries and three replicas, until nodes are added.
type Cluster struct {
	group   *group
	args    []string // of every node
	started int      // nodes so far

	mu    sync.Mutex
	nodes []*Node // replaced, never changed
}

// Start starts a cluster and returns when every node serves and every replica
// follows its primary. The redisArgs are added to every node's command line,
// for example "--maxmemory", "64mb". The caller closes the cluster.
func Start(ctx context.Context, redisArgs ...string) (_ *Cluster, err error) {
	g, err := newGroup(ctx, Image())
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		group:   g,
		args:    append(nodeArgs[:len(nodeArgs):len(nodeArgs)], redisArgs...),
		started: size,
		nodes:   make([]*Node, size),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close(ctx))
		}
	}()

	if err := c.runNodes(ctx); err != nil {
		return nil, err
	}
	if err := c.form(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cluster) runNodes(ctx context.Context) error {
	errs := make(chan error)
	for i := range c.nodes {
		go func() {
			var err error
			c.nodes[i], err = c.run(ctx, i)
			errs <- err
		}()
	}
	var failed []error
	for range c.nodes {
		failed = append(failed, <-errs)
	}
	return errors.Join(failed...)
}

// run starts the node that is the cluster's i-th.
func (c *Cluster) run(ctx context.Context, i int) (*Node, error) {
	n, err := c.group.run(ctx, fmt.Sprintf("node-%d", i), c.args...)
	if err == nil {
		n.cluster = c
	}
	return n, err
}

// MissSoon has the nodes take one that is silent for dead after two seconds, until the cluster is found
// whole again. Kill and Isolate do it by themselves, and Pause does not.
func (c *Cluster) MissSoon(ctx context.Context) error { return c.missAfter(ctx, hasty) }

func (c *Cluster) missAfter(ctx context.Context, silence time.Duration) error {
	return each(c.Nodes(), func(n *Node) error {
		if n.reachable() != nil {
			return nil
		}
		return n.wrap("config set", n.client.ConfigSet(ctx, "cluster-node-timeout", millis(silence)).Err())
	})
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// Close removes the containers and their network, in whatever state they are.
func (c *Cluster) Close(ctx context.Context) error {
	for _, n := range c.Nodes() {
		if n != nil {
			n.client.Close()
		}
	}
	return c.group.close(ctx)
}

// Nodes are all nodes. Those at 0, 1 and 2 were the primaries at the start.
func (c *Cluster) Nodes() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes
}

func (c *Cluster) setNodes(nodes []*Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes = nodes
}

// Node is the node at i.
func (c *Cluster) Node(i int) *Node { return c.Nodes()[i] }

// Client returns a new client that shares nothing with any other: its own
// connections, its own view of the cluster. The options can be changed before
// it is made. The caller closes it.
func (c *Cluster) Client(change ...func(*redis.ClusterOptions)) *redis.ClusterClient {
	options := &redis.ClusterOptions{
		Dialer:                c.Dial,
		ContextTimeoutEnabled: true,

		// Else its first command asks any three nodes for their command table, and waits 5 s for
		// those that hang.
		DisableRoutingPolicies: true,
	}
	for _, n := range c.Nodes() {
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
	n, err := c.NodeAt(addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err} // as of a machine that is gone
	}
	return n.dial(ctx)
}

// NodeAt is the node that announces addr.
func (c *Cluster) NodeAt(addr string) (*Node, error) {
	for _, n := range c.Nodes() {
		if n.Announced() == addr {
			return n, nil
		}
	}
	return nil, fmt.Errorf("cluster: no node announces %s", addr)
}

// FlushScripts makes every node, replicas too, forget all scripts.
func (c *Cluster) FlushScripts(ctx context.Context) error {
	return each(c.Nodes(), func(n *Node) error {
		return n.wrap("script flush", n.client.ScriptFlush(ctx).Err())
	})
}
