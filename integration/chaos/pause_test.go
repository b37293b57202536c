package chaos

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
)

// A primary that is paused loses its slots, goes on where it was when it is resumed, and finds out.
func TestPrimaryPaused(t *testing.T) {
	c, ctx := cluster.Shared(t), bounded(t)
	f := newFleet(t, c, modes(inShort))
	loads := f.underLoads(ctx, func(ctx context.Context, loads []*load) {
		hot := loads[0].hot()
		paused := f.homeOf(ctx, hot)
		heal := f.breaks(paused)
		must(t, c.MissSoon(ctx))
		must(t, paused.Pause(ctx))
		f.log("%s paused", paused.Name)
		f.promotion(ctx, paused, hot)
		f.log("a replica is promoted")
		lasts(ctx, shortLease)
		must(t, paused.Unpause(ctx))
		f.log("resumed")
		must(t, c.Settle(ctx))
		f.log("settled")
		heal()
	})
	for _, l := range loads {
		r := row{scenario: "2a primary paused past the lease", mode: l.mode.Name, count: l.count(shortLease, f.windows)}
		report(t, r)
		f.durable(t, l, r)
	}
}

// A machine that is stopped in the middle of its work comes back when others have done it, and has
// yet to notice. Redis is well: nothing may be forgotten.
func TestMachinePaused(t *testing.T) {
	c, ctx := cluster.Shared(t), bounded(t)
	f := newFleet(t, c, modes(inShort))
	loads := f.underLoads(ctx, func(ctx context.Context, loads []*load) {
		for i, m := range f.machines[:2] {
			begun := make([]*history, len(loads))
			must(t, cluster.Eventually(ctx, "the machine has long work in every mode", func(context.Context) error {
				for j, l := range loads {
					if begun[j] = l.longAt(m); begun[j] == nil {
						return errors.New("not in " + l.mode.Name)
					}
				}
				return nil
			}))
			heal := f.breaks()
			from := time.Now()
			m.freeze()
			f.log("%s stopped", m.name)
			var others sync.WaitGroup
			for j, l := range loads {
				others.Go(func() { l.insist(ctx, begun[j], i+1) })
			}
			others.Wait()
			lasts(ctx, time.Until(from.Add(2*shortLease)))
			m.thaw()
			f.log("%s goes on", m.name)
			f.ledger.stopped(m.name, from, time.Now())
			heal()
		}
	})
	for _, l := range loads {
		r := row{scenario: "2b API process stopped past the lease", mode: l.mode.Name, count: l.count(shortLease, f.windows)}
		report(t, r)
		r.exact(t)
		r.felt(t, r.count.told)
	}
}
