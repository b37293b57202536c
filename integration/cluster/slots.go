package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Slot is the hash slot of key: the CRC16 (XMODEM) of the key, or of what its
// first braces hold if that is not empty. See the Redis Cluster specification,
// "Key distribution model" and "Hash tags".
func Slot(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	var crc uint16
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % Slots
}

// view is what a node says of itself.
type view struct {
	primary   bool
	epoch     int
	slots     [][2]int // first and last
	migrating bool
}

func (v view) serves(slot int) bool {
	return v.primary && slices.ContainsFunc(v.slots, func(r [2]int) bool { return r[0] <= slot && slot <= r[1] })
}

// view asks the node about itself.
func (n *Node) view(ctx context.Context) (view, error) {
	if err := n.reachable(); err != nil {
		return view{}, err
	}
	nodes, err := n.client.ClusterNodes(ctx).Result()
	if err != nil {
		return view{}, n.wrap("cluster nodes of", err)
	}
	v, err := viewOf(nodes)
	return v, n.wrap("cluster nodes of", err)
}

// viewOf reads a node's own line of its CLUSTER NODES:
//
//	<id> <address> myself,master <primary> <ping> <pong> <epoch> <link> 0-99 101 [100->-<id>]
//
// Only a primary's marks of slots that are being migrated mean anything: a Valkey 9 replica is told
// that its primary's migration begins, and keeps the mark when that is long over.
func viewOf(nodes string) (view, error) {
	for line := range strings.Lines(nodes) {
		fields := strings.Fields(line)
		if len(fields) < 8 || !strings.Contains(fields[2], "myself") {
			continue
		}
		v := view{primary: strings.Contains(fields[2], "master")}
		v.epoch, _ = strconv.Atoi(fields[6])
		for _, field := range fields[8:] {
			if strings.HasPrefix(field, "[") {
				v.migrating = v.primary
				continue
			}
			first, last, ranged := strings.Cut(field, "-")
			if !ranged {
				last = first
			}
			from, err1 := strconv.Atoi(first)
			to, err2 := strconv.Atoi(last)
			if err := errors.Join(err1, err2); err != nil {
				return view{}, fmt.Errorf("slots: %w", err)
			}
			v.slots = append(v.slots, [2]int{from, to})
		}
		return v, nil
	}
	return view{}, errors.New("no line about itself")
}

// MasterOf is the node that serves key now. Every node is asked about itself
// alone, so the answer does not wait for gossip; where two claim the slot, as
// for a moment after a failover, the higher epoch has it, as in Redis.
func (c *Cluster) MasterOf(ctx context.Context, key string) (*Node, error) {
	slot, views := Slot(key), c.views(ctx)
	var master *Node
	for n, v := range views {
		if v.serves(slot) && (master == nil || v.epoch > views[master].epoch) {
			master = n
		}
	}
	if master == nil {
		return nil, fmt.Errorf("cluster: nobody serves slot %d", slot)
	}
	return master, nil
}

// Masters are the nodes that serve slots now, in the order of Nodes.
func (c *Cluster) Masters(ctx context.Context) []*Node {
	views := c.views(ctx)
	return slices.DeleteFunc(slices.Clone(c.Nodes()), func(n *Node) bool {
		return !views[n].primary || len(views[n].slots) == 0
	})
}

// views asks all nodes at once. One that is dead or paused has none, and is not waited for; one that is
// only slow is.
func (c *Cluster) views(ctx context.Context) map[*Node]view {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var mu sync.Mutex
	views := make(map[*Node]view)
	each(c.Nodes(), func(n *Node) error {
		v, err := n.view(ctx)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			views[n] = v
		}
		return err
	})
	return views
}
