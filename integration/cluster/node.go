package cluster

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Node is one Redis in its container. Killed, it loses its data: nothing is persisted.
type Node struct {
	*Container
	ID string // what the cluster calls the node (CLUSTER MYID)

	client  *redis.Client
	cluster *Cluster // nil if it is of none

	mu        sync.Mutex
	announced netip.AddrPort
}

func newNode(ctx context.Context, c *Container) (*Node, error) {
	n := &Node{Container: c}
	if err := n.locate(ctx); err != nil {
		return nil, err
	}
	n.client = redis.NewClient(&redis.Options{
		Addr:                  n.Name,
		Dialer:                func(ctx context.Context, _, _ string) (net.Conn, error) { return n.dial(ctx) },
		DialerRetries:         1,                // who waits for a node polls it
		ReadTimeout:           10 * time.Second, // MIGRATE is slow
		ContextTimeoutEnabled: true,
	})
	return n, nil
}

// Announced is the address that the node has for the other nodes, and that it
// tells clients in a redirect: the container's own.
func (n *Node) Announced() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.announced.String()
}

// Client talks to this node and to no other, whatever role it has; it follows
// no redirects. All callers share it, and the cluster closes it.
func (n *Node) Client() *redis.Client { return n.client }

// Kill ends the node at once (SIGKILL). The others of its cluster miss it soon.
func (n *Node) Kill(ctx context.Context) error {
	n.missSoon(ctx)
	return n.Container.Kill(ctx)
}

// missSoon has its cluster miss it soon. Whoever is being killed at the same time doesn't hear of that.
func (n *Node) missSoon(ctx context.Context) {
	if n.cluster != nil {
		_ = n.cluster.MissSoon(ctx)
	}
}

// Restart starts a killed node again, empty but with its place in the cluster,
// and returns when it answers. Its addresses may have changed.
func (n *Node) Restart(ctx context.Context) error {
	if err := n.Container.Restart(ctx); err != nil {
		return err
	}
	if err := n.locate(ctx); err != nil {
		return err
	}
	return n.answers(ctx)
}

func (n *Node) answers(ctx context.Context) error {
	return n.Answers(ctx, func(ctx context.Context) error { return n.client.Ping(ctx).Err() })
}

// locate learns the node's addresses from the engine.
func (n *Node) locate(ctx context.Context) error {
	found, err := n.Container.locate(ctx)
	if err != nil {
		return err
	}
	networks := found.NetworkSettings.Networks
	own := networks[n.group.name]
	if own == nil && networks[n.group.door()] != nil {
		return nil // isolated, it still announces the address that it had
	}
	if own == nil || !own.IPAddress.IsValid() {
		return n.noAddress(ctx, found)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.announced = netip.AddrPortFrom(own.IPAddress, n.port.Num())
	return nil
}

// endpoint is Announced in two parts, as MEET and MIGRATE want it.
func (n *Node) endpoint() (host, port string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.announced.Addr().String(), strconv.Itoa(int(n.announced.Port()))
}
