package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// waiting makes a fleet whose machines let duplicates wait for longer than any test takes, and whose
// leases last as long: a waiter that is not woken and does not ask again gets no answer.
func waiting(t *testing.T) *fleet {
	return newFleet(t, plan{replay: replay.Config{
		Wait: time.Hour,
		Lock: lock.Config{TTL: time.Hour, Timeout: patience},
	}})
}

// A waiter that is woken asks for the key once more, and does not ask meanwhile.
func TestWaiterIsWokenThroughTheChannel(t *testing.T) {
	ctx := bounded(t)
	f := waiting(t)
	const key = "woken"
	a, b := f.machines[0], f.machines[1]
	g, running := f.hold(t, a, pay(key), nil)
	waiter := f.sending(t, b, pay(key))
	f.subscribed(t, key, 1)

	// One that polls asks every 250 ms at the least, and would never be quiet for this long.
	eventually(t, "the waiter is quiet", func(context.Context) error {
		b.trips.take()
		must(t, passed(ctx, f.master(t, key), time.Second))
		if n := b.trips.count("begin"); n > 0 {
			return fmt.Errorf("it asked %d times within a second", n)
		}
		return nil
	})
	g.open()
	first := <-running
	fresh(t, first)
	replays(t, first, <-waiter)
	if trips := b.trips.take(); !slices.Equal(trips, []string{"begin"}) {
		t.Errorf("the waiter made the round trips %v, want one begin", trips)
	}
	f.ledger.once(t, key)
}

// A waiter whose holder gives up is woken too, and becomes the next holder.
func TestWaiterIsWokenByAHolderThatGivesUp(t *testing.T) {
	f := waiting(t)
	for status, attempt := range map[string]int{"429": 1, "503": 2} { // released, abandoned
		key := "given-up-" + status
		q := pay(key)
		q.answer = status
		g, running := f.hold(t, f.machines[0], q, nil)
		waiter := f.sending(t, f.machines[1], pay(key))
		f.subscribed(t, key, 1)
		g.open()
		if r := <-running; r.header.Get("Location") != "/payments/"+fmt.Sprint(f.ledger.of(key)[0].number) {
			t.Errorf("want the handler's own answer, got %s", r)
		}
		fresh(t, <-waiter)
		if charges := f.ledger.of(key); len(charges) != 2 || charges[1].attempt != attempt {
			t.Errorf("after %s, want a second run that is attempt %d: %+v", status, attempt, charges)
		}
	}
}

// All waiters of a machine share one connection to each node.
func TestWaitersOfOneNodeShareAConnection(t *testing.T) {
	const keys = 12
	f := waiting(t)
	var gates []*gate
	var running, waiters []<-chan reply
	nodes := map[*cluster.Node]bool{}
	for i := range keys {
		key := fmt.Sprint("shared-", i)
		nodes[f.master(t, key)] = true
		g, answer := f.hold(t, f.machines[0], pay(key), nil)
		gates, running = append(gates, g), append(running, answer)
		for range 2 {
			waiters = append(waiters, f.sending(t, f.machines[1], pay(key)))
		}
		f.subscribed(t, key, 1)
	}
	if n := f.pubsubs(t, f.machines[1]); n != len(nodes) || n > 3 {
		t.Errorf("waiters for %d keys on %d nodes have %d connections", keys, len(nodes), n)
	}
	if n := f.pubsubs(t, f.machines[0]); n != 0 {
		t.Errorf("a machine where nobody waits listens on %d connections", n)
	}
	for i, g := range gates {
		g.open()
		first := <-running[i]
		fresh(t, first)
		replays(t, first, <-waiters[2*i])
		replays(t, first, <-waiters[2*i+1])
	}
}

func TestWaiterGetsItsAnswerWhenTheChannelBreaks(t *testing.T) {
	f := waiting(t)
	const key = "channel-killed"
	g, running := f.hold(t, f.machines[0], pay(key), nil)
	waiters := []<-chan reply{f.sending(t, f.machines[1], pay(key)), f.sending(t, f.machines[2], pay(key))}
	f.subscribed(t, key, 2)
	if n, err := f.master(t, key).Client().Do(t.Context(), "client", "kill", "type", "pubsub").Int(); n < 2 || err != nil {
		t.Fatalf("killed %d connections, %v", n, err)
	}
	g.open()
	first := <-running
	fresh(t, first)
	for _, waiter := range waiters {
		replays(t, first, <-waiter)
	}
	f.ledger.once(t, key)
}

// The slot moves between the waiters' subscriptions and the commit, which is published where nobody
// listens any more.
func TestWaiterGetsItsAnswerWhenTheSlotMoves(t *testing.T) {
	ctx := bounded(t)
	f := waiting(t)
	const key = "channel-moved"
	slot, home, away := f.route(t, key)
	g, running := f.hold(t, f.machines[0], pay(key), nil)
	waiters := []<-chan reply{f.sending(t, f.machines[1], pay(key)), f.sending(t, f.machines[2], pay(key))}
	f.subscribed(t, key, 2)

	f.migrate(t, slot, home, away)()
	g.open()
	first := <-running
	fresh(t, first)
	for _, waiter := range waiters {
		replays(t, first, <-waiter)
	}
	f.ledger.once(t, key)
	must(t, f.cluster.Settle(ctx))
}

// The slot is still on its way: the key is at the new node already, and the channel at the old one.
// The commit, published at the new one, wakes nobody, and the waiter asks when the lease would end.
func TestWaiterGetsItsAnswerWhileTheSlotIsOpen(t *testing.T) {
	ctx := bounded(t)
	f := newFleet(t, plan{replay: replay.Config{Wait: time.Hour, Lock: lock.Config{TTL: ttl}}})
	const key = "channel-behind"
	slot, home, away := f.route(t, key)
	g, running := f.hold(t, f.machines[0], pay(key), nil)
	waiter := f.sending(t, f.machines[1], pay(key))
	f.subscribed(t, key, 1)

	end := f.migrate(t, slot, home, away)
	must(t, f.cluster.MoveKeys(ctx, slot, home, away))
	g.open()
	first := <-running
	fresh(t, first)
	replays(t, first, <-waiter)
	f.ledger.once(t, key)
	end()
	must(t, f.cluster.Settle(ctx))
}

// subscribed returns when so many machines listen on the channel of a key.
func (f *fleet) subscribed(t *testing.T, key string, machines int64) {
	t.Helper()
	name, node := f.redisKey(account, key), f.master(t, key)
	eventually(t, "the waiter listens", func(ctx context.Context) error {
		listening, err := node.Client().PubSubShardNumSub(ctx, name).Result()
		if err == nil && listening[name] != machines {
			err = fmt.Errorf("%d machines listen", listening[name])
		}
		return err
	})
}

// pubsubs is how many connections of a machine have subscriptions, on all nodes.
func (f *fleet) pubsubs(t *testing.T, m *machine) int {
	t.Helper()
	connections := 0
	for _, n := range f.cluster.Nodes() {
		list, err := n.Client().Do(t.Context(), "client", "list", "type", "pubsub").Text()
		must(t, err)
		for line := range strings.Lines(list) {
			if strings.Contains(line, " name="+m.name+" ") {
				connections++
			}
		}
	}
	return connections
}
