package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// The same rules behind Sentinel: what was confirmed survives the death of the primary, in flight and
// done, and every key is served again once a replica is promoted.
func TestSentinelFailover(t *testing.T) {
	cluster.Require(t)
	ctx := bounded(t)
	w, err := cluster.StartWatched(ctx)
	must(t, err)
	t.Cleanup(func() { must(t, w.Close(context.Background())) })
	f := assemble(t, plan{replay: replay.Config{
		Lock: lock.Config{TTL: 2 * time.Minute, Renew: 300 * time.Millisecond, Timeout: 5 * time.Second, Acks: 1, AckWithin: 2 * time.Second},
	}}, func(*machine) redis.UniversalClient { return w.Client() })

	// Before: one of each.
	const done = 20
	answers := map[string]reply{}
	for i := range done {
		key := fmt.Sprintf("done-%d", i)
		answers[key] = f.send(t, f.machines[i%3], pay(key))
		fresh(t, answers[key])
	}
	g, running := f.hold(t, f.machines[0], pay("running"), nil)
	rules := func() {
		t.Helper()
		for key, first := range answers {
			for _, m := range f.machines {
				replays(t, first, f.send(t, m, pay(key)))
			}
			mismatch(t, f.send(t, f.machines[0], other(key)))
		}
		for _, m := range f.machines {
			inProgress(t, f.send(t, m, pay("running")))
		}
		mismatch(t, f.send(t, f.machines[1], other("running")))
	}
	rules()

	old, err := w.Primary(ctx)
	must(t, err)
	must(t, old.Kill(ctx))
	eventually(t, "a replica is promoted", func(ctx context.Context) error {
		now, err := w.Primary(ctx)
		if err == nil && now == old {
			err = errors.New("not yet")
		}
		return err
	})
	must(t, old.Restart(ctx))
	must(t, w.Settle(ctx)) // Acks wants a replica
	for _, m := range f.machines {
		eventually(t, m.name+" finds it", func(context.Context) error {
			if r := f.send(t, m, pay("new-"+m.name)); r.status != http.StatusCreated {
				return errors.New(r.String())
			}
			return nil
		})
	}

	rules()
	g.open()
	first := <-running
	fresh(t, first)
	replays(t, first, f.send(t, f.machines[2], pay("running")))
	f.ledger.once(t, "running")
	for key := range answers {
		f.ledger.once(t, key)
	}
	for _, m := range f.machines {
		f.ledger.once(t, "new-"+m.name)
	}
}
