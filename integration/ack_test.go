package integration

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// With the key's replica away, nothing new begins in acked mode, and what is stored is said to be
// unconfirmed. Without it, nobody notices.
func TestReplicaAway(t *testing.T) {
	f := newFleet(t, plan{
		replay: replay.Config{Lock: lock.Config{TTL: 30 * time.Second, Renew: 300 * time.Millisecond, Timeout: 5 * time.Second, AckWithin: time.Second}},
		each: func(i int, c *replay.Config) {
			if i > 0 {
				c.Lock.Acks = 1
			}
		},
	})
	plain, acked := f.machines[0], f.machines[1]
	_, keys := f.keysOnOneNode(t, 5)
	kept, running, fresher, refused := keys[0], keys[1], keys[2], keys[3]
	first := f.send(t, acked, pay(kept))
	fresh(t, first)
	// A client that knows no topology yet asks any node for it, the one that will hang, too.
	fresh(t, f.send(t, plain, pay(keys[4])))
	g, answer := f.hold(t, acked, pay(running), nil)

	away := f.replicaOf(t, kept)
	must(t, away.Pause(t.Context()))
	back := func() {
		must(t, errors.Join(away.Unpause(context.Background()), f.cluster.Settle(context.Background())))
	}
	t.Cleanup(func() {
		if back != nil {
			back()
		}
	})

	if r := f.send(t, acked, pay(refused)); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("want 503, got %s", r)
	}
	f.ledger.never(t, refused)
	replays(t, first, f.send(t, acked, pay(kept)))
	fresh(t, f.send(t, plain, pay(fresher)))
	g.open()
	if r := <-answer; r.status != http.StatusCreated || r.header.Get("Idempotency-Stored") != "unconfirmed" {
		t.Errorf("want an answer that is unconfirmed, got %s", r)
	}
	f.ledger.once(t, running)

	back()
	back = nil
	eventually(t, "the replica confirms", func(context.Context) error {
		if r := f.send(t, acked, pay(refused)); r.status != http.StatusCreated {
			return errors.New(r.String())
		}
		return nil
	})
	if charges := f.ledger.of(refused); len(charges) != 1 || charges[0].attempt != 1 {
		t.Errorf("want one run, the first attempt: the claim was given back: %+v", charges)
	}
}

// replicaOf is the replica of the node that serves a key.
func (f *fleet) replicaOf(t *testing.T, key string) *cluster.Node {
	t.Helper()
	slot := cluster.Slot(f.redisKey(account, key))
	//lint:ignore SA1019 CLUSTER SLOTS is what go-redis itself goes by.
	slots, err := f.observer.ClusterSlots(t.Context()).Result()
	must(t, err)
	for _, s := range slots {
		if slot < s.Start || slot > s.End {
			continue
		}
		for _, n := range f.cluster.Nodes() {
			if n.ID == s.Nodes[1].ID {
				return n
			}
		}
	}
	t.Fatal("no replica")
	return nil
}
