package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// form makes one cluster of six nodes that know nothing of each other.
func (c *Cluster) form(ctx context.Context) error {
	if err := c.assignSlots(ctx); err != nil {
		return err
	}
	if err := c.introduce(ctx); err != nil {
		return err
	}
	err := each(c.nodes[primaries:], func(n *Node) error {
		primary := c.nodes[slices.Index(c.nodes, n)-primaries]
		// The introductions are still going round: at first n may not know it.
		return Eventually(ctx, n.Name+" follows "+primary.Name, func(ctx context.Context) error {
			return n.client.ClusterReplicate(ctx, primary.ID).Err()
		})
	})
	if err != nil {
		return err
	}
	return c.Settle(ctx)
}

func (c *Cluster) assignSlots(ctx context.Context) error {
	return each(c.nodes, func(n *Node) error {
		if err := n.answers(ctx); err != nil {
			return err
		}
		var err error
		if n.ID, err = n.client.ClusterMyID(ctx).Result(); err != nil {
			return n.wrap("cluster myid", err)
		}
		i := slices.Index(c.nodes, n)
		// Different epochs from the start spare the nodes a dispute over them.
		if err := n.client.Do(ctx, "cluster", "set-config-epoch", i+1).Err(); err != nil {
			return n.wrap("cluster set-config-epoch", err)
		}
		if i >= primaries {
			return nil
		}
		first, last := i*Slots/primaries, (i+1)*Slots/primaries-1
		return n.wrap("cluster addslotsrange", n.client.ClusterAddSlotsRange(ctx, first, last).Err())
	})
}

// introduce makes each node meet each other. To meet one would do, but then
// gossip takes seconds to spread the rest.
func (c *Cluster) introduce(ctx context.Context) error {
	return each(c.nodes, func(n *Node) error {
		for _, other := range c.nodes[slices.Index(c.nodes, n)+1:] {
			host, port := other.endpoint()
			if err := n.client.ClusterMeet(ctx, host, port).Err(); err != nil {
				return n.wrap("cluster meet", err)
			}
		}
		return nil
	})
}

// Settle returns when the cluster is whole: every node is up and serves all
// slots, all agree on who serves which, no slot is being migrated, and every
// primary has a replica that follows it. From then on no node is soon missed. A
// suite that broke something calls it before it goes on.
func (c *Cluster) Settle(ctx context.Context) error {
	if err := Eventually(ctx, "the cluster is whole", c.whole); err != nil {
		return err
	}
	return c.missAfter(ctx, patient)
}

func (c *Cluster) whole(ctx context.Context) error {
	nodes := c.Nodes()
	err := each(nodes, func(n *Node) error { return n.wrap("health of", n.healthy(ctx, len(nodes))) })
	if err != nil {
		return err
	}
	var first string
	for i, n := range nodes {
		//lint:ignore SA1019 CLUSTER SLOTS is what go-redis itself goes by.
		slots, err := n.client.ClusterSlots(ctx).Result()
		if err != nil {
			return n.wrap("cluster slots of", err)
		}
		layout, err := layoutOf(slots)
		if err != nil {
			return n.wrap("layout seen by", err)
		}
		if i == 0 {
			first = layout
		} else if layout != first {
			return fmt.Errorf("cluster: %s and %s disagree:\n%s\n%s", nodes[0].Name, n.Name, first, layout)
		}
	}
	return nil
}

// healthy asks the node about itself, as one of so many.
func (n *Node) healthy(ctx context.Context, nodes int) error {
	view, err := n.view(ctx)
	if err != nil {
		return err
	}
	if view.migrating {
		return errors.New("a slot is being migrated")
	}
	info, err := n.client.ClusterInfo(ctx).Result()
	if err != nil {
		return err
	}
	for _, want := range []string{
		"cluster_state:ok",
		fmt.Sprintf("cluster_slots_ok:%d", Slots),
		fmt.Sprintf("cluster_known_nodes:%d", nodes),
	} {
		if !strings.Contains(info, want+"\r\n") {
			return fmt.Errorf("not %s", want)
		}
	}

	replication, err := n.client.Info(ctx, "replication").Result()
	if err != nil {
		return err
	}
	want := "master_link_status:up"
	if view.primary {
		want = "state=online"
	}
	if !strings.Contains(replication, want) {
		return fmt.Errorf("replication: not %s", want)
	}
	return nil
}

// layoutOf writes down who serves what, in an order that does not depend on
// who was asked.
func layoutOf(slots []redis.ClusterSlot) (string, error) {
	var lines []string
	for _, s := range slots {
		if len(s.Nodes) < 2 {
			return "", fmt.Errorf("slots %d-%d have no replica", s.Start, s.End)
		}
		ids := make([]string, len(s.Nodes))
		for i, n := range s.Nodes {
			ids[i] = n.ID
		}
		slices.Sort(ids[1:])
		lines = append(lines, fmt.Sprintf("%05d-%05d %s", s.Start, s.End, strings.Join(ids, " ")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), nil
}
