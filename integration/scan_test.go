package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A watch is an operator's engine over the fleet's keys.
type watch struct {
	*fleet
	engine *replay.Engine
	keys   map[string]bool // of the fleet, filled in by plant
}

func (f *fleet) watch(t *testing.T, change ...func(*redis.ClusterOptions)) *watch {
	t.Helper()
	client := f.cluster.Client(change...)
	t.Cleanup(func() { _ = client.Close() })
	engine, err := replay.New(client, replay.Config{Prefix: f.prefix, Lock: lock.Config{Timeout: 5 * time.Second}})
	must(t, err)
	return &watch{f, engine, map[string]bool{}}
}

// plant puts foreign values under so many keys: how they are found doesn't depend on what they are.
func (w *watch) plant(t *testing.T, n int) {
	t.Helper()
	pipe := w.observer.Pipeline()
	for i := range n {
		key := w.redisKey(account, fmt.Sprint("planted ", i))
		pipe.Set(t.Context(), key, "value", time.Hour)
		w.keys[key] = true
	}
	_, err := pipe.Exec(t.Context())
	must(t, err)
	t.Cleanup(func() {
		pipe := w.observer.Pipeline()
		for key := range w.keys {
			pipe.Del(context.Background(), key)
		}
		_, _ = pipe.Exec(context.Background())
	})
}

// scan scans all, and calls meanwhile for each step. It fails the test for a key that comes twice or is
// none of the fleet's, and returns those that did not come.
func (w *watch) scan(t *testing.T, meanwhile func(lock.Progress)) (missed []string, errs []error) {
	t.Helper()
	seen := map[string]bool{}
	for e, err := range w.engine.Scan(bounded(t), replay.Scan{Rate: lock.Unbounded, Progress: meanwhile}) {
		switch {
		case err != nil:
			errs = append(errs, err)
		case seen[e.Key] || !w.keys[e.Key]:
			t.Errorf("%s comes twice, or is none of ours", e.Key)
		}
		seen[e.Key] = true
	}
	for key := range w.keys {
		if !seen[key] {
			missed = append(missed, key)
		}
	}
	return missed, errs
}

func (w *watch) wantAll(t *testing.T, meanwhile func(lock.Progress)) {
	t.Helper()
	if missed, errs := w.scan(t, meanwhile); len(missed) > 0 || len(errs) > 0 {
		t.Errorf("%d of %d keys are missed: %v", len(missed), len(w.keys), errs)
	}
}

// inOrder are the primaries in the order in which they are scanned.
func (f *fleet) inOrder(t *testing.T) []*cluster.Node {
	masters := f.cluster.Masters(t.Context())
	slices.SortFunc(masters, func(a, b *cluster.Node) int {
		if a.Announced() < b.Announced() {
			return -1
		}
		return 1
	})
	return masters
}

// slotsOf are slots of a node that have keys of the watch.
func (w *watch) slotsOf(t *testing.T, n *cluster.Node) (slots []int) {
	t.Helper()
	for key := range w.keys {
		if at, err := w.cluster.MasterOf(t.Context(), key); err == nil && at == n {
			slots = append(slots, cluster.Slot(key))
		}
		if len(slots) == 20 {
			break
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

func (f *fleet) slots(ctx context.Context) ([]redis.ClusterSlot, error) {
	cmd := redis.NewClusterSlotsCmd(ctx, "cluster", "slots")
	_ = f.observer.Process(ctx, cmd)
	return cmd.Result()
}

func (f *fleet) allSlotsOf(t *testing.T, n *cluster.Node) (slots []int) {
	t.Helper()
	ranges, err := f.slots(t.Context())
	must(t, err)
	for _, r := range ranges {
		if r.Nodes[0].Addr == n.Announced() {
			for slot := r.Start; slot <= r.End; slot++ {
				slots = append(slots, slot)
			}
		}
	}
	return slots
}

// move moves slots at once.
func (f *fleet) move(t *testing.T, slots []int, from, to *cluster.Node) {
	t.Helper()
	for _, slot := range slots {
		must(t, f.cluster.BeginMigration(t.Context(), slot, from, to))
		must(t, f.cluster.MoveKeys(t.Context(), slot, from, to))
		must(t, f.cluster.EndMigration(t.Context(), slot, to))
	}
}

// A stage is something that happens at the first step on a node after the stage before it.
type stage struct {
	at *cluster.Node
	do func()
}

func inStages(stages ...stage) func(lock.Progress) {
	return func(p lock.Progress) {
		if len(stages) > 0 && p.Node == stages[0].at.Announced() {
			do := stages[0].do
			stages = stages[1:]
			do()
		}
	}
}

// Each key is seen once, whatever moves where between the steps of a scan.
func TestScanWhileSlotsMove(t *testing.T) {
	f := newFleet(t, plan{})
	w := f.watch(t)
	w.plant(t, 3000)
	w.wantAll(t, nil)
	nodes := f.inOrder(t)
	first, second, third := nodes[0], nodes[1], nodes[2]

	move := func(slots []int, from, to *cluster.Node) func() {
		return func() { f.move(t, slots, from, to) }
	}
	t.Run("to a node that has been walked", func(t *testing.T) {
		slots := w.slotsOf(t, third)
		w.wantAll(t, inStages(stage{second, move(slots, third, first)}))
		w.wantAll(t, inStages(stage{first, move(slots, first, third)}))
	})
	t.Run("and on from there", func(t *testing.T) {
		slots := w.slotsOf(t, third)
		back := stage{first, func() { t.Error("the first node is walked too often") }}
		w.wantAll(t, inStages(stage{second, move(slots, third, first)}, stage{first, move(slots, first, second)}, stage{second, func() {}}, back))
		f.move(t, slots, second, third)
	})
	t.Run("on its way all the time", func(t *testing.T) {
		slot := w.slotsOf(t, third)[0]
		end := f.migrate(t, slot, third, first)
		w.wantAll(t, inStages(stage{second, func() { must(t, f.cluster.MoveKeys(t.Context(), slot, third, first)) }}))
		end()
		f.move(t, []int{slot}, first, third)
	})
	t.Run("both ways at once", func(t *testing.T) {
		up, down := w.slotsOf(t, first), w.slotsOf(t, third)
		w.wantAll(t, inStages(stage{second, func() {
			f.move(t, down, third, first)
			f.move(t, up, first, third)
		}}))
		f.move(t, down, first, third)
		f.move(t, up, third, first)
	})
	must(t, f.cluster.Settle(bounded(t)))
}

// An operator's rights are enough on a cluster whose slots move. Without CLUSTER NODES a scan says of
// each node that it can't vouch for it.
func TestOperatorACL(t *testing.T) {
	f := newFleet(t, plan{})
	as := func(user string, less ...string) *watch {
		makeUser(t, f.cluster, "../docs/redis.md", "operator", user, less)
		return f.watch(t, func(o *redis.ClusterOptions) { o.Username, o.Password = user, user })
	}
	w := as("operator")
	w.plant(t, 300)
	nodes := f.inOrder(t)
	slot := w.slotsOf(t, nodes[2])[0]
	end := f.migrate(t, slot, nodes[2], nodes[0])
	w.wantAll(t, inStages(stage{nodes[1], end}))
	f.move(t, []int{slot}, nodes[0], nodes[2])
	all, err := w.engine.Nodes(t.Context())
	must(t, err)
	for _, n := range all {
		must(t, n.Err)
	}

	blind := as("blind", "+cluster|nodes")
	blind.plant(t, 300)
	missed, errs := blind.scan(t, nil)
	if len(missed) > 0 || len(errs) != len(nodes) {
		t.Errorf("%d keys missed, %v", len(missed), errs)
	}
	must(t, f.cluster.Settle(bounded(t)))
}

// A node that joins has no slots, and no client lists it, until the first one is all there.
func TestScanWhileANewNodeGetsItsFirstSlot(t *testing.T) {
	f := newFleet(t, plan{})
	ctx := bounded(t)
	joined, err := f.cluster.AddNode(ctx)
	must(t, err)
	w := f.watch(t)
	w.plant(t, 1000)
	home := f.inOrder(t)[2]
	slot := w.slotsOf(t, home)[0]
	must(t, f.cluster.BeginMigration(ctx, slot, home, joined))
	must(t, f.cluster.MoveKeys(ctx, slot, home, joined))
	w.wantAll(t, nil)
	must(t, f.cluster.EndMigration(ctx, slot, joined))
	w.wantAll(t, nil)
	f.move(t, []int{slot}, joined, home)
	must(t, f.cluster.RemoveNode(ctx, joined))
	must(t, f.cluster.Settle(ctx))
}

// A node gives away its last slot, to one that has been walked, and is no longer listed when its turn comes.
func TestScanWhileANodeGivesItsSlotsAway(t *testing.T) {
	f := newFleet(t, plan{})
	ctx := bounded(t)
	w := f.watch(t)
	w.plant(t, 1000)
	home := f.inOrder(t)[2]
	joined, err := f.cluster.AddNode(ctx)
	must(t, err)
	lent := w.slotsOf(t, home)
	f.move(t, lent, home, joined)
	nodes := f.inOrder(t)
	leaves := nodes[3] // joined, unless its address comes before another's
	slots := f.allSlotsOf(t, leaves)
	w.wantAll(t, inStages(stage{nodes[1], func() { f.move(t, slots, leaves, nodes[0]) }}))
	f.move(t, slots, nodes[0], leaves)
	f.move(t, lent, joined, home)
	must(t, f.cluster.RemoveNode(ctx, joined))
	must(t, f.cluster.Settle(ctx))
}

// A node that can't be reached is named; the others are scanned all the same, and it hangs nobody.
func TestScanWithANodeOutOfReach(t *testing.T) {
	f := newFleet(t, plan{})
	nodes := f.inOrder(t)
	for i, away := range nodes {
		w := f.watch(t, func(o *redis.ClusterOptions) {
			o.MaxRedirects = 1
			o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr == away.Announced() {
					return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("no route")}
				}
				return f.cluster.Dial(ctx, network, addr)
			}
		})
		w.plant(t, 300)
		missed, errs := w.scan(t, nil)
		if len(errs) != 1 {
			t.Fatalf("%s away: %v", away.Name, errs)
		}
		fault, ok := errors.AsType[*lock.NodeError](errs[0])
		if !ok || fault.Addr != away.Announced() || !errors.Is(errs[0], replay.ErrUnavailable) {
			t.Errorf("%s away: %v", away.Name, errs)
		}
		for _, key := range missed {
			if at, err := f.cluster.MasterOf(t.Context(), key); err != nil || at != away {
				t.Errorf("%s away, and a key of %s is missed", away.Name, at.Name)
			}
		}
		if len(missed) == 0 {
			t.Error("nothing was out of reach")
		}

		all, err := w.engine.Nodes(bounded(t))
		if err != nil || len(all) != len(nodes) {
			t.Fatalf("%d nodes, %v", len(all), err)
		}
		for n, node := range all {
			if node.Addr != nodes[n].Announced() || (node.Err != nil) != (n == i) ||
				n != i && (node.Role != "master" || node.Replicas == 0 || node.UsedMemory == 0 || node.Ping == 0) {
				t.Errorf("%+v, with %s away", node, away.Name)
			}
		}
	}
}

// A primary dies while it is walked. Its replica takes over, and a scan that has others to walk finds it,
// also if the node that is asked for the list hears of that later than others.
func TestScanWhileAPrimaryDies(t *testing.T) {
	f := newFleet(t, plan{})
	ctx := bounded(t)
	old, err := f.slots(ctx)
	must(t, err)
	var late atomic.Bool
	w := f.watch(t, func(o *redis.ClusterOptions) {
		o.ClusterSlots = func(ctx context.Context) ([]redis.ClusterSlot, error) {
			if late.Load() {
				return old, nil
			}
			return f.slots(ctx)
		}
	})
	w.plant(t, 1500)
	must(t, f.observer.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		return c.Wait(ctx, 1, 10*time.Second).Err()
	}))
	nodes := f.inOrder(t)
	dies := nodes[0]
	w.wantAll(t, inStages(
		stage{dies, func() { must(t, dies.Kill(ctx)) }},
		stage{nodes[1], func() {
			must(t, cluster.Eventually(ctx, "a replica takes over", func(ctx context.Context) error {
				if masters := f.cluster.Masters(ctx); len(masters) != len(nodes) || slices.Contains(masters, dies) {
					return errors.New("not yet")
				}
				return nil
			}))
			late.Store(true)
			time.AfterFunc(500*time.Millisecond, func() { late.Store(false) }) // half of what a scan waits
		}},
	))
	must(t, dies.Restart(ctx))
	must(t, f.cluster.Settle(ctx))

	// One whose keys have been seen is not missed.
	nodes = f.inOrder(t)
	late.Store(false)
	w.wantAll(t, inStages(stage{nodes[1], func() { must(t, nodes[0].Kill(ctx)) }}))
	must(t, nodes[0].Restart(ctx))
	must(t, f.cluster.Settle(ctx))
}
