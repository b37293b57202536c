package chaos

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
)

// These are about what Redis can't promise, and the database does. Mode default is there to show what
// happens without it.

// leastRequests says how long each of these goes on. `make chaos` asks for 10,000.
var leastRequests = flag.Int("requests", 1000, "send at least so many requests in each load of 7 to 9")

func newForgetfulFleet(t *testing.T, c *cluster.Cluster, env []string) *fleet {
	t.Helper()
	f := newFleet(t, c, unacked(env))
	f.least = (*leastRequests + leastAsked - 1) / leastAsked
	return f
}

// All that Redis knows is wiped out again and again, for as long as the load lasts.
func TestFlushedInALoop(t *testing.T) {
	c, ctx := cluster.Shared(t), bounded(t)
	f := newForgetfulFleet(t, c, inShort)
	flushed := 0
	loads := f.underLoads(ctx, func(ctx context.Context, loads []*load) {
		heal := f.breaks()
		for ; !enough(loads) && ctx.Err() == nil; lasts(ctx, 20*time.Millisecond) {
			for _, n := range c.Masters(ctx) {
				must(t, n.Client().FlushAll(ctx).Err())
			}
			flushed++
		}
		heal()
	})
	f.log("flushed %d times", flushed)
	f.forgot(t, "7 FLUSHALL in a loop", loads)
}

// All nodes hang, and later all are killed and come back empty. Meanwhile every request runs without
// a claim, and so do its duplicates, at the same time.
func TestRedisGone(t *testing.T) {
	c, ctx := cluster.Shared(t), bounded(t)
	f := newForgetfulFleet(t, c, failOpen)
	away := 2 * time.Millisecond * time.Duration(*leastRequests) // 20 s of 10,000
	loads := f.under(ctx, func(ctx context.Context) {
		f.without(ctx, away, (*cluster.Node).Pause, func() {
			must(t, all(c, func(n *cluster.Node) error { return n.Unpause(ctx) }))
		})
		lasts(ctx, time.Second)
		f.without(ctx, away, (*cluster.Node).Kill, func() { f.restartAll(ctx) })
	})
	f.forgot(t, "8 Redis gone, failing open", loads)
}

// A primary and a machine are killed at the same time, again and again, each time others.
func TestKilledTogether(t *testing.T) {
	c, ctx := cluster.Shared(t), bounded(t)
	f := newForgetfulFleet(t, c, inShort)
	loads := f.underLoads(ctx, func(ctx context.Context, loads []*load) {
		for round := range *leastRequests / 500 {
			f.killTogether(ctx, round, loads[0].hot())
		}
	})
	const scenario = "9 API and primary killed together"
	told := 0
	for _, l := range loads {
		r := f.reportForgetful(t, scenario, l)
		f.durable(t, l, r)
		r.felt(t, r.count.errors)
		told += r.count.told
	}
	row{scenario: scenario, mode: "any"}.felt(t, told) // few, so that one mode alone can have none
}

func (f *fleet) reportForgetful(t *testing.T, scenario string, l *load) row {
	t.Helper()
	r := row{scenario: scenario, mode: l.mode.Name, count: l.count(shortLease, f.windows)}
	report(t, r)
	if r.count.requests < *leastRequests {
		t.Errorf("%s, %s: %d requests, want %d", scenario, r.mode, r.count.requests, *leastRequests)
	}
	return r
}

// forgot reports loads of which Redis forgot what it knew. Where nothing else remembers, that shows.
func (f *fleet) forgot(t *testing.T, scenario string, loads []*load) {
	t.Helper()
	for _, l := range loads {
		r := f.reportForgetful(t, scenario, l)
		r.felt(t, r.count.untold)
	}
}

// without takes all nodes away for a while.
func (f *fleet) without(
	ctx context.Context, away time.Duration, take func(*cluster.Node, context.Context) error, bring func(),
) {
	f.t.Helper()
	heal := f.breaks()
	must(f.t, all(f.cluster, func(n *cluster.Node) error { return take(n, ctx) }))
	f.log("Redis is gone")
	lasts(ctx, away)
	bring()
	f.log("Redis is back")
	must(f.t, f.cluster.Settle(ctx))
	f.log("settled")
	heal()
}

// restartAll starts all nodes again, in the order of the addresses that they had: an engine gives
// out the lowest that is free. Whoever got another one all the same is introduced.
func (f *fleet) restartAll(ctx context.Context) {
	f.t.Helper()
	nodes := slices.SortedFunc(slices.Values(f.cluster.Nodes()), func(a, b *cluster.Node) int {
		return addressOf(a).Compare(addressOf(b))
	})
	for _, n := range nodes {
		must(f.t, n.Restart(ctx))
	}
	must(f.t, all(f.cluster, func(n *cluster.Node) error {
		for _, other := range nodes {
			if n == other {
				continue
			}
			at := addressOf(other)
			if err := n.Client().ClusterMeet(ctx, at.Addr().String(), strconv.Itoa(int(at.Port()))).Err(); err != nil {
				return err
			}
		}
		return nil
	}))
}

func addressOf(n *cluster.Node) netip.AddrPort { return netip.MustParseAddrPort(n.Announced()) }

// all does something with all nodes at once.
func all(c *cluster.Cluster, do func(*cluster.Node) error) error {
	var doing sync.WaitGroup
	errs := make([]error, len(c.Nodes()))
	for i, n := range c.Nodes() {
		doing.Go(func() { errs[i] = do(n) })
	}
	doing.Wait()
	return errors.Join(errs...)
}

// killTogether kills a machine while the node that serves hot is being killed, and brings both back.
func (f *fleet) killTogether(ctx context.Context, round int, hot string) {
	f.t.Helper()
	i := round % len(f.machines)
	killed, victim := f.homeOf(ctx, hot), f.machine(i)
	heal := f.breaks(killed)
	var together sync.WaitGroup
	together.Go(func() {
		lasts(ctx, rand.N(200*time.Millisecond)) // the engine takes about so long to kill the node
		victim.kill()
	})
	err := killed.Kill(ctx)
	together.Wait()
	must(f.t, err)
	f.log("%s and %s killed", killed.Name, victim.name)
	f.replace(i, fmt.Sprintf("m%d-after-%d", i, round))
	f.promotion(ctx, killed, hot)
	f.log("a replica is promoted")
	must(f.t, killed.Restart(ctx))
	must(f.t, f.cluster.Settle(ctx))
	f.log("settled")
	heal()
}
