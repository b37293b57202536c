package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/client"
)

// AddNode starts one more node, which joins as a primary without slots. It is the last of Nodes.
func (c *Cluster) AddNode(ctx context.Context) (*Node, error) {
	members := c.Nodes()
	if err := c.MissSoon(ctx); err != nil { // else it takes long until all have heard of it
		return nil, err
	}
	n, err := c.run(ctx, c.started)
	if err != nil {
		return nil, err
	}
	c.started++
	if err := n.answers(ctx); err != nil {
		return nil, err
	}
	if n.ID, err = n.client.ClusterMyID(ctx).Result(); err != nil {
		return nil, n.wrap("cluster myid", err)
	}
	// From here on it is one of us, so that Close and Settle know of it.
	c.setNodes(append(slices.Clone(members), n))
	err = each(members, func(member *Node) error {
		host, port := n.endpoint()
		return member.wrap("cluster meet", member.client.ClusterMeet(ctx, host, port).Err())
	})
	if err != nil {
		return nil, err
	}
	return n, Eventually(ctx, n.Name+" has joined", func(ctx context.Context) error {
		return each(c.Nodes(), func(member *Node) error { return member.knows(ctx, c.Nodes()) })
	})
}

// knows returns nil if the node serves, and has heard of all the others.
func (n *Node) knows(ctx context.Context, others []*Node) error {
	info, err := n.client.ClusterInfo(ctx).Result()
	if err != nil {
		return n.wrap("cluster info of", err)
	}
	nodes, err := n.client.ClusterNodes(ctx).Result()
	if err != nil {
		return n.wrap("cluster nodes of", err)
	}
	if !strings.Contains(info, "cluster_state:ok") {
		return n.wrap("join", errors.New("the cluster is down"))
	}
	for _, other := range others {
		if !strings.Contains(nodes, other.ID) {
			return n.wrap("join", fmt.Errorf("it does not know %s", other.Name))
		}
	}
	return nil
}

// Follow makes n, which has no slots, a replica of primary.
func (c *Cluster) Follow(ctx context.Context, n, primary *Node) error {
	return n.wrap("cluster replicate", n.client.ClusterReplicate(ctx, primary.ID).Err())
}

// RemoveNode ends a node that serves no slots, and has the others forget it.
func (c *Cluster) RemoveNode(ctx context.Context, n *Node) error {
	if v, err := n.view(ctx); err == nil && v.primary && len(v.slots) > 0 {
		return n.wrap("remove", errors.New("it serves slots"))
	}
	others := slices.DeleteFunc(slices.Clone(c.Nodes()), func(other *Node) bool { return other == n })
	if err := n.Container.Kill(ctx); err != nil { // nobody is to miss it
		return err
	}
	err := each(others, func(other *Node) error {
		return other.wrap("cluster forget on", other.client.ClusterForget(ctx, n.ID).Err())
	})
	if err != nil {
		return err
	}
	c.setNodes(others)
	n.client.Close()
	_, err = c.group.engine.ContainerRemove(ctx, n.ContainerID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	return n.wrap("remove", err)
}
