package cluster

import (
	"context"
	"errors"
	"strings"

	"github.com/moby/moby/client"
)

// Isolate takes the node off the others' network, in both directions, but not off its clients':
// new connections reach it through a door of its own. So it goes on as the primary of its slots,
// for clients that still believe in it, until it finds itself alone.
func (n *Node) Isolate(ctx context.Context) error {
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

// Rejoin brings an isolated node back to the others. Its addresses may have changed.
func (n *Node) Rejoin(ctx context.Context) error {
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
	return n.reconnect(ctx)
}

// reconnect waits until the node has heard from all others again. By itself it keeps a connection that
// leads nowhere any more for as long as the other side has a good one to it (measured on Redis 7.0: more
// than a minute), and takes that node for failing. So it is made deaf to the others' pings meanwhile,
// while it still hears answers to its own: what is silent is connected anew.
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
	return Eventually(ctx, n.Name+" hears from all", func(ctx context.Context) error {
		nodes, err := n.client.ClusterNodes(ctx).Result()
		if err == nil && strings.Contains(nodes, "fail?") {
			err = errors.New(nodes)
		}
		return n.wrap("cluster nodes of", err)
	})
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
