package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/cluster"
)

// slots is how many a cluster has.
const slots = 16384

// A Cluster is three primaries and a replica of each, on loopback, where every program of this machine
// gets to all of them.
type Cluster struct {
	Servers []*Server // the primaries, and then the replica of each
	IDs     []string  // by which the cluster knows them
	URL     string    // for REPRISE_REDIS_URL
}

// StartCluster starts one, which ends with the test. A node that is away is missed after ten minutes:
// whoever stops one has it stopped.
func StartCluster(t testing.TB, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{}
	var buses []string
	for range 6 {
		_, bus := free(t)
		buses = append(buses, bus)
		c.Servers = append(c.Servers, Start(t, append([]string{"--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0"}, args...)...))
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	for i, s := range c.Servers {
		id, err := s.Admin.ClusterMyID(ctx).Result()
		must(err)
		c.IDs = append(c.IDs, id)
		if i < 3 {
			must(s.Admin.ClusterAddSlotsRange(ctx, i*slots/3, (i+1)*slots/3-1).Err())
		}
		must(s.Admin.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
	}
	for i, s := range c.Servers { // each meets each: gossip would take seconds
		host, port, _ := net.SplitHostPort(s.Addr)
		for _, other := range c.Servers[:i] {
			must(other.Admin.Do(ctx, "CLUSTER", "MEET", host, port, buses[i]).Err())
		}
	}
	c.eventually(t, "all nodes know each other", func(ctx context.Context, s *Server) error {
		nodes, err := s.Admin.ClusterNodes(ctx).Result()
		if n := strings.Count(nodes, "connected\n") + strings.Count(nodes, "connected "); err == nil && (n < len(c.Servers) || strings.Contains(nodes, "handshake")) {
			err = fmt.Errorf("%d of %d", n, len(c.Servers))
		}
		return err
	})
	for i, s := range c.Servers[3:] {
		must(s.Admin.ClusterReplicate(ctx, c.IDs[i]).Err())
	}
	c.eventually(t, "the cluster serves", func(ctx context.Context, s *Server) error {
		info, err := s.Admin.ClusterInfo(ctx).Result()
		if err == nil && !strings.Contains(info, "cluster_state:ok") {
			err = fmt.Errorf("%s", strings.SplitN(info, "\r\n", 2)[0])
		}
		if err == nil {
			if info, err = s.Admin.Info(ctx, "replication").Result(); err == nil && !strings.Contains(info, "master_link_status:up") && !strings.Contains(info, "state=online") {
				err = fmt.Errorf("no replica is online")
			}
		}
		if err != nil {
			return err
		}
		//lint:ignore SA1019 go-redis asks for this one, and CLUSTER SHARDS has replicas before it does
		ranges, err := s.Admin.ClusterSlots(ctx).Result()
		for _, r := range ranges {
			if len(r.Nodes) < 2 {
				err = fmt.Errorf("of %d to %d it knows no replica", r.Start, r.End)
			}
		}
		return err
	})
	for _, s := range c.Servers { // a short one has them tell each other often
		must(s.Admin.ConfigSet(ctx, "cluster-node-timeout", "600000").Err())
	}
	c.URL = "redis://" + c.Servers[0].Addr + "?addr=" + c.Servers[1].Addr + "&addr=" + c.Servers[2].Addr
	return c
}

func (c *Cluster) eventually(t testing.TB, what string, check func(context.Context, *Server) error) {
	t.Helper()
	for _, s := range c.Servers {
		if err := cluster.Eventually(t.Context(), what, func(ctx context.Context) error { return check(ctx, s) }); err != nil {
			t.Fatal(err)
		}
	}
}

// Client returns a client of the cluster, which ends with the test.
func (c *Cluster) Client(t testing.TB) *redis.ClusterClient {
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{c.Servers[0].Addr, c.Servers[1].Addr}, ContextTimeoutEnabled: true, DisableRoutingPolicies: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// Primary is the server that has a slot, as they were spread at the start.
func (c *Cluster) Primary(slot int) *Server {
	for i := range 3 {
		if slot < (i+1)*slots/3 {
			return c.Servers[i]
		}
	}
	return nil
}

// Unlink has a primary's replica hear no more of it: the link ends, and is refused from then on.
func (c *Cluster) Unlink(t testing.TB, primary int) {
	t.Helper()
	replica := c.Servers[primary+3]
	if err := replica.Admin.ConfigSet(t.Context(), "masteruser", "nobody").Err(); err != nil {
		t.Fatal(err)
	}
	if err := replica.Admin.ConfigSet(t.Context(), "masterauth", "wrong").Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.Servers[primary].Admin.ClientKillByFilter(t.Context(), "TYPE", "REPLICA").Err(); err != nil {
		t.Fatal(err)
	}
}

// FailOver ends a primary, and has its replica elected, whatever that has heard of it.
func (c *Cluster) FailOver(t testing.TB, primary int) {
	t.Helper()
	c.Servers[primary].Kill()
	replica := c.Servers[primary+3]
	if err := replica.Admin.Do(t.Context(), "CLUSTER", "FAILOVER", "FORCE").Err(); err != nil {
		t.Fatal(err)
	}
	for i, s := range c.Servers {
		if i == primary {
			continue
		}
		err := cluster.Eventually(t.Context(), "all know the new primary", func(ctx context.Context) error {
			if s == replica {
				role, err := s.Admin.Info(ctx, "replication").Result()
				if err == nil && !strings.Contains(role, "role:master") {
					err = fmt.Errorf("it is a replica yet")
				}
				return err
			}
			//lint:ignore SA1019 as above
			ranges, err := s.Admin.ClusterSlots(ctx).Result()
			for _, r := range ranges {
				if r.Start == primary*slots/3 && r.Nodes[0].Addr == replica.Addr {
					return nil
				}
			}
			return errors.Join(err, fmt.Errorf("of slot %d it knows another", primary*slots/3))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Stop freezes the server: connections stay open, and nothing answers.
func (s *Server) Stop() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue wakes it up.
func (s *Server) Continue() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// Move puts a slot into the state in which it is on its way from one server to another, or with back
// ends that.
func (c *Cluster) Move(t testing.TB, slot, from, to int, back bool) {
	t.Helper()
	number := strconv.Itoa(slot)
	for _, step := range []struct {
		at    *Server
		state []any
	}{
		{c.Servers[to], []any{"IMPORTING", c.IDs[from]}},
		{c.Servers[from], []any{"MIGRATING", c.IDs[to]}},
	} {
		if back {
			step.state = []any{"STABLE"}
		}
		if err := step.at.Admin.Do(t.Context(), append([]any{"CLUSTER", "SETSLOT", number}, step.state...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
