package chaos

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
)

// Slots with keys in flight go over to another node, and back again.
func TestSlotsMigrated(t *testing.T) {
	c, ctx := cluster.Shared(t), bounded(t)
	f := newFleet(t, c, modes(inDefault))
	moved := 0
	loads := f.underLoads(ctx, func(ctx context.Context, loads []*load) {
		for end := time.Now().Add(8 * time.Second); time.Now().Before(end); {
			for _, slot := range f.busySlots(loads, 4) {
				home := f.homeOfSlot(ctx, slot)
				away := c.Masters(ctx)[0]
				if away == home {
					away = c.Masters(ctx)[1]
				}
				f.migrate(ctx, slot, home, away)
				f.migrate(ctx, slot, away, home)
				moved++
			}
		}
	})
	f.log("%d slots went there and back", moved)
	must(t, c.Settle(ctx))
	for _, l := range loads {
		r := row{scenario: "4a slots migrated back and forth", mode: l.mode.Name, count: l.count(defaultLease, f.windows)}
		report(t, r)
		r.once(t)
		r.felt(t, moved)
	}
}

// A primary and its replica join, get slots with keys in flight, lose them again, and go.
func TestNodeAddedAndRemoved(t *testing.T) {
	c, ctx := cluster.Shared(t), bounded(t)
	f := newFleet(t, c, modes(inDefault))
	loads := f.underLoads(ctx, func(ctx context.Context, loads []*load) {
		added, err := c.AddNode(ctx)
		must(t, err)
		replica, err := c.AddNode(ctx)
		must(t, err)
		must(t, c.Follow(ctx, replica, added))
		f.log("%s and %s added", added.Name, replica.Name)
		homes := map[int]*cluster.Node{}
		for range 5 {
			for _, slot := range f.busySlots(loads, 4) {
				if homes[slot] == nil {
					homes[slot] = f.homeOfSlot(ctx, slot)
					f.migrate(ctx, slot, homes[slot], added)
				}
			}
		}
		f.log("%d slots moved", len(homes))
		must(t, c.Settle(ctx))
		for slot, home := range homes {
			f.migrate(ctx, slot, added, home)
		}
		must(t, c.RemoveNode(ctx, replica))
		must(t, c.RemoveNode(ctx, added))
		must(t, c.Settle(ctx))
		f.log("removed")
	})
	for _, l := range loads {
		r := row{scenario: "4b a node added and removed", mode: l.mode.Name, count: l.count(defaultLease, f.windows)}
		report(t, r)
		r.once(t)
	}
}

// migrate gives a slot to another node, and leaves it open for a while on the way.
func (f *fleet) migrate(ctx context.Context, slot int, from, to *cluster.Node) {
	f.t.Helper()
	must(f.t, f.cluster.BeginMigration(ctx, slot, from, to))
	lasts(ctx, 20*time.Millisecond)
	must(f.t, f.cluster.MoveKeys(ctx, slot, from, to))
	lasts(ctx, 20*time.Millisecond)
	must(f.t, f.cluster.EndMigration(ctx, slot, to))
}

// busySlots are slots of the keys that were asked for last: n in each mode.
func (f *fleet) busySlots(loads []*load, n int) (slots []int) {
	for _, l := range loads {
		l.mu.Lock()
		for _, h := range l.keys[max(0, len(l.keys)-n):] {
			slots = append(slots, cluster.Slot(f.redisKey(l.mode, h.key)))
		}
		l.mu.Unlock()
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

// homeOfSlot is the node that serves a slot.
func (f *fleet) homeOfSlot(ctx context.Context, slot int) *cluster.Node {
	f.t.Helper()
	for _, n := range f.cluster.Masters(ctx) {
		for _, r := range f.slotsOf(n) {
			if r[0] <= slot && slot <= r[1] {
				return n
			}
		}
	}
	f.t.Fatalf("nobody serves slot %d", slot)
	return nil
}
