package chaos

import (
	"context"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
)

// Clients can't reach a node that is well: requests don't get there, or answers don't come back, or
// neither. No replica is promoted, and nothing may be forgotten.
func TestClientsCutOff(t *testing.T) {
	c, ctx := cluster.Shared(t), bounded(t)
	f := newFleet(t, c, modes(inShort))
	loads := f.underLoads(ctx, func(ctx context.Context, loads []*load) {
		node := f.homeOf(ctx, loads[0].hot())
		for _, d := range []direction{toNode, fromNode, toNode | fromNode} {
			heal := f.breaks()
			for _, m := range f.machines {
				m.proxy.cut(node, d)
			}
			lasts(ctx, shortLease+time.Second)
			for _, m := range f.machines {
				m.proxy.heal(node)
			}
			heal()
			lasts(ctx, time.Second)
		}
	})
	for _, l := range loads {
		r := row{scenario: "3a clients cut off from a node", mode: l.mode.Name, count: l.count(shortLease, f.windows)}
		report(t, r)
		r.exact(t)
		r.felt(t, r.count.errors)
	}
}

// A primary is cut off from all other nodes, but not from clients, who may believe in it until it
// notices; meanwhile a replica is promoted.
func TestNodeCutOff(t *testing.T) {
	c, ctx := cluster.Shared(t), bounded(t)
	f := newFleet(t, c, modes(inShort))
	loads := f.underLoads(ctx, func(ctx context.Context, loads []*load) {
		hot := loads[0].hot()
		alone := f.homeOf(ctx, hot)
		heal := f.breaks(alone)
		must(t, alone.Isolate(ctx))
		f.log("%s isolated", alone.Name)
		f.promotion(ctx, alone, hot)
		f.log("a replica is promoted")
		lasts(ctx, shortLease)
		must(t, c.Rejoin(ctx, alone))
		f.log("it is back")
		must(t, c.Settle(ctx))
		f.log("settled")
		heal()
	})
	for _, l := range loads {
		r := row{scenario: "3b a node cut off from the others", mode: l.mode.Name, count: l.count(shortLease, f.windows)}
		report(t, r)
		f.durable(t, l, r)
	}
}
