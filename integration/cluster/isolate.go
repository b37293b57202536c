package cluster

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/moby/moby/client"
)

// Isolate takes the node off the others' network, in both directions, but not off its clients':
// new connections reach it through a door of its own. So it goes on as the primary of its slots,
// for clients that still believe in it, until it finds itself alone.
func (n *Node) Isolate(ctx context.Context) error {
	n.missSoon(ctx)
	if err := n.group.openDoor(ctx); err != nil {
		return n.wrap("isolate", err)
	}
	_, err := n.group.engine.NetworkConnect(ctx, n.group.door(), client.NetworkConnectOptions{Container: n.ContainerID})
	if err == nil {
		_, err = n.group.engine.NetworkDisconnect(ctx, n.group.name, client.NetworkDisconnectOptions{Container: n.ContainerID})
	}
	if err != nil {
		return n.wrap("isolate", err)
	}
	return n.locate(ctx)
}

// Rejoin brings an isolated node back to the others, and returns when all hear each other. Its
// addresses may have changed.
func (c *Cluster) Rejoin(ctx context.Context, n *Node) error {
	_, err := n.group.engine.NetworkConnect(ctx, n.group.name, client.NetworkConnectOptions{Container: n.ContainerID})
	if err == nil {
		_, err = n.group.engine.NetworkDisconnect(ctx, n.group.door(), client.NetworkDisconnectOptions{Container: n.ContainerID})
	}
	if err != nil {
		return n.wrap("rejoin", err)
	}
	if err := n.locate(ctx); err != nil {
		return err
	}
	if err := n.reconnect(ctx); err != nil {
		return err
	}
	return each(c.Nodes(), func(other *Node) error {
		return errors.Join(n.reconnectTo(ctx, other), other.reconnectTo(ctx, n))
	})
}

// reconnect waits a while until the node has heard from all others again. By itself it keeps a connection that
// leads nowhere any more for as long as the other side has a good one to it (measured on Redis 7.0: more
// than a minute), and takes that node for failing. So it is made deaf to the others' pings meanwhile,
// while it still hears answers to its own: what is silent is connected anew. (Its primary need not be
// silent: it forwards what is published on its keys, and that keeps the old connection, too.)
func (n *Node) reconnect(ctx context.Context) (err error) {
	const all, pings = -1, 0
	deaf := func(ctx context.Context, to int) error {
		return n.wrap("debug", n.client.Do(ctx, "debug", "drop-cluster-packet-filter", to).Err())
	}
	if err := n.answers(ctx); err != nil {
		return err
	}
	if err := deaf(ctx, pings); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, deaf(context.WithoutCancel(ctx), all)) }()
	few, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err = Eventually(few, n.Name+" hears from all", func(ctx context.Context) error {
		nodes, err := n.client.ClusterNodes(ctx).Result()
		if err == nil && strings.Contains(nodes, "fail?") {
			err = errors.New(nodes)
		}
		return n.wrap("cluster nodes of", err)
	})
	if ctx.Err() == nil {
		return nil // What is left over, reconnectTo mends.
	}
	return err
}

// reconnectTo waits until the node takes another for well again. What reconnect does for the one that was
// away, the others can't do all at once: deaf to each other, they would all take each other for failing. So a
// connection to the one that was away is ended, and made anew at once, until one of them works.
func (n *Node) reconnectTo(ctx context.Context, other *Node) error {
	for {
		few, cancel := context.WithTimeout(ctx, 3*time.Second)
		err := Eventually(few, n.Name+" hears "+other.Name, func(ctx context.Context) error {
			_, err := n.hears(ctx, other)
			return err
		})
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		// To end one that isn't there would end the node (Redis 7.0).
		if connected, err := n.hears(ctx, other); connected && err != nil {
			_ = n.client.Do(ctx, "debug", "clusterlink", "kill", "to", other.ID).Err()
		}
	}
}

// hears returns an error if the node takes another for failing, and whether it has a connection to it.
func (n *Node) hears(ctx context.Context, other *Node) (connected bool, err error) {
	nodes, err := n.client.ClusterNodes(ctx).Result()
	if err != nil {
		return false, n.wrap("cluster nodes of", err)
	}
	for line := range strings.Lines(nodes) {
		// <id> <address> <flags> <primary> <ping sent> <pong received> <epoch> <link state> <slots>…
		f := strings.Fields(line)
		if len(f) < 8 || f[0] != other.ID || n == other {
			continue
		}
		connected = f[7] == "connected"
		if strings.Contains(f[2], "fail") || !connected {
			err = n.wrap("cluster nodes of", errors.New(line))
		}
	}
	return connected, err
}

// door is the network that an isolated node is reached through.
func (g *group) door() string { return g.name + "-door" }

func (g *group) openDoor(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hasDoor {
		return nil
	}
	_, err := g.engine.NetworkCreate(ctx, g.door(), client.NetworkCreateOptions{Labels: g.labels()})
	g.hasDoor = err == nil
	return err
}
