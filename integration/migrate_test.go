package integration

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A slot goes to another node, and comes back while all nodes forget their scripts at every step.
func TestKeysWorkWhileTheirSlotMigrates(t *testing.T) {
	for name, acks := range durabilities {
		t.Run(name, func(t *testing.T) { migratesAs(t, acks, "") })
	}
}

// durabilities are how many replicas have to confirm.
var durabilities = map[string]int{"default": 0, "acked": 1}

// migratesAs is the test with machines that log in as a user.
func migratesAs(t *testing.T, acks int, user string) *fleet {
	f := newFleet(t, plan{user: user, replay: replay.Config{
		Lock: lock.Config{TTL: 20 * time.Second, Renew: 300 * time.Millisecond, Acks: acks, Strict: true},
	}})
	keys := f.keysInOneSlot(2 * keysOfAJourney)
	slot, home, away := f.route(t, keys[0])

	there := journey{fleet: f, slot: slot, from: home, to: away}
	there.run(t, keys[:keysOfAJourney])
	back := journey{fleet: f, slot: slot, from: away, to: home, flushes: true}
	back.run(t, keys[keysOfAJourney:])
	return f
}

// A journey is the migration of one slot, with keys in every state on the way.
type journey struct {
	*fleet
	slot     int
	from, to *cluster.Node
	flushes  bool

	answers map[string]reply // so far
	before  int64            // keys of the slot that were there already
}

const keysOfAJourney = 7

func (j *journey) run(t *testing.T, keys []string) {
	ctx := bounded(t)
	j.answers = map[string]reply{}
	j.before = j.keysAt(t, j.from)
	answered, commits, moves, freed, early, late, after := keys[0], keys[1], keys[2], keys[3], keys[4], keys[5], keys[6]

	j.live(t, answered)
	commitsGate, committing := j.hold(t, j.machines[0], pay(commits), nil)
	movesGate, moving := j.hold(t, j.machines[0], pay(moves), nil)
	declined := pay(freed)
	declined.answer = "429"
	freedGate, freeing := j.hold(t, j.machines[0], declined, nil)
	j.step(t)

	// Open: keys that are there are served at the old primary, and those that are not at the new one.
	end := j.migrate(t, j.slot, j.from, j.to)
	j.step(t)
	j.held(t, commits, moves, freed)
	j.holds(t, j.from, j.before+4)
	j.live(t, early)
	j.holds(t, j.to, 1)
	must(t, j.renewed(ctx, moves, 1))

	commitsGate.open()
	j.finished(t, commits, <-committing)
	freedGate.open()
	if r := <-freeing; r.status != 429 {
		t.Errorf("want the handler's 429, got %s", r)
	}
	j.holds(t, j.from, j.before+3)
	j.live(t, freed) // it was at the old primary, and is now at the new one
	j.holds(t, j.to, 2)
	j.step(t)

	// Moved: all keys are at the new primary, and the old one sends everyone there.
	must(t, j.cluster.MoveKeys(ctx, j.slot, j.from, j.to))
	j.step(t)
	j.holds(t, j.from, 0)
	j.held(t, moves)
	must(t, j.renewed(ctx, moves, 1))
	movesGate.open()
	j.finished(t, moves, <-moving)
	j.live(t, late)
	j.holds(t, j.to, j.before+6)

	end()
	j.step(t)
	j.live(t, after)
	j.ledger.once(t, answered, commits, moves, early, late, after)
	if charges := j.ledger.of(freed); len(charges) != 2 || charges[1].attempt != 1 || charges[1].fence <= charges[0].fence {
		t.Errorf("want a second run that is a first attempt: %+v", charges)
	}
	must(t, j.cluster.Settle(ctx))
}

// migrate opens a slot for its way to another node. The end of it moves what has not been moved, and
// comes with the test's at the latest.
func (f *fleet) migrate(t *testing.T, slot int, from, to *cluster.Node) (end func()) {
	t.Helper()
	end = sync.OnceFunc(func() {
		ctx := context.Background()
		if err := errors.Join(f.cluster.MoveKeys(ctx, slot, from, to), f.cluster.EndMigration(ctx, slot, to)); err != nil {
			t.Error(err)
		}
	})
	must(t, f.cluster.BeginMigration(t.Context(), slot, from, to))
	t.Cleanup(end)
	return end
}

// route is the slot of a key, the node that serves it, and another one.
func (f *fleet) route(t *testing.T, key string) (slot int, home, away *cluster.Node) {
	t.Helper()
	home = f.master(t, key)
	others := slices.DeleteFunc(f.cluster.Masters(t.Context()), func(n *cluster.Node) bool { return n == home })
	return cluster.Slot(f.redisKey(account, key)), home, others[0]
}

// live takes a key through its life: first request, conflict and mismatch in flight, commit, replay.
func (j *journey) live(t *testing.T, key string) {
	t.Helper()
	g, running := j.hold(t, j.machines[0], pay(key), nil)
	j.held(t, key)
	g.open()
	j.finished(t, key, <-running)
}

// held fails the test unless every machine finds the keys in flight.
func (j *journey) held(t *testing.T, keys ...string) {
	t.Helper()
	for _, key := range keys {
		for _, m := range j.machines {
			inProgress(t, j.send(t, m, pay(key)))
		}
		mismatch(t, j.send(t, j.machines[1], other(key)))
	}
}

// finished notes the answer to a key's first request, and has it replayed.
func (j *journey) finished(t *testing.T, key string, first reply) {
	t.Helper()
	fresh(t, first)
	j.answers[key] = first
	j.step(t)
}

// step is what must hold between any two steps: every answer is replayed by every machine.
func (j *journey) step(t *testing.T) {
	t.Helper()
	if j.flushes {
		must(t, j.cluster.FlushScripts(t.Context()))
	}
	for key, first := range j.answers {
		for _, m := range j.machines {
			replays(t, first, j.send(t, m, pay(key)))
		}
	}
	if j.flushes {
		must(t, j.cluster.FlushScripts(t.Context()))
	}
}

// holds fails the test unless the node has so many keys of the slot: else the test is not about
// what it says.
func (j *journey) holds(t *testing.T, n *cluster.Node, keys int64) {
	t.Helper()
	if got := j.keysAt(t, n); got != keys {
		t.Errorf("%s has %d keys of the slot, want %d", n.Name, got, keys)
	}
}

func (j *journey) keysAt(t *testing.T, n *cluster.Node) int64 {
	t.Helper()
	keys, err := n.Client().ClusterCountKeysInSlot(t.Context(), j.slot).Result()
	must(t, err)
	return keys
}
