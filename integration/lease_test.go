package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// The tests that wait for leases to run out wait together, when all other tests are over.

// ttl is short, for tests that outlive it, and long enough for a machine that is busy.
const ttl = 5 * time.Second

func TestHandlerFourTimesAsLongAsItsLeaseRunsOnce(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	f := newFleet(t, plan{replay: replay.Config{Lock: lock.Config{TTL: ttl}}})
	const key = "four-leases"
	node := f.master(t, key)
	var ended error
	_, running := f.hold(t, f.machines[0], pay(key), func(r *http.Request) {
		if err := passed(ctx, node, 4*ttl); err != nil {
			t.Error(err)
		}
		ended = context.Cause(r.Context())
	})

	// Nobody gets the key meanwhile, and the lease is extended again and again.
	must(t, f.renewed(ctx, key, 3))
	var first reply
	refusals := 0
	eventually(t, "the handler answers", func(context.Context) error {
		select {
		case first = <-running:
			return nil
		default:
		}
		switch r := f.send(t, f.machines[1+refusals%2], pay(key)); r.status {
		case http.StatusServiceUnavailable: // nobody got the key, and the machine is busy with other things
		case http.StatusCreated:
			if !r.replayed() {
				t.Errorf("a duplicate ran: %s", r)
			}
		default:
			inProgress(t, r)
			refusals++
		}
		return errors.New("it works")
	})
	if refusals == 0 {
		t.Error("no duplicate came in time: nothing has been proven")
	}
	fresh(t, first)
	if ended != nil {
		t.Errorf("the handler's context ended: %v", ended)
	}
	for _, m := range f.machines {
		replays(t, first, f.send(t, m, pay(key)))
	}
	f.ledger.once(t, key)
}

// A machine falls off the network in the middle of its work. Its lease runs out, the next attempt
// knows, and when the machine comes back, its late answer gives way to the one that is stored.
func TestHolderThatIsCutOffIsFollowedByASecondAttempt(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	f := newFleet(t, plan{replay: replay.Config{Lock: lock.Config{TTL: ttl}}})
	const key = "cut-off"
	lost := make(chan error, 1)
	back, resume := context.WithCancel(ctx)
	defer resume()
	_, stuck := f.hold(t, f.machines[0], pay(key), func(r *http.Request) {
		if attempt, _ := replay.AttemptFrom(r.Context()); attempt.Number > 1 {
			return
		}
		select {
		case <-r.Context().Done():
		case <-back.Done():
		}
		lost <- context.Cause(r.Context())
		<-back.Done()
	})
	inProgress(t, f.send(t, f.machines[1], pay(key)))
	f.machines[0].line.cut()

	now, err := f.master(t, key).Client().Time(ctx).Result()
	must(t, err)
	left, err := f.leaseLeft(ctx, key)
	must(t, err)
	second := f.followed(t, f.machines[1], key)
	fresh(t, second)

	charges := f.ledger.of(key)
	if len(charges) != 2 || charges[0].attempt != 1 || charges[1].attempt != 2 || charges[1].fence <= charges[0].fence {
		t.Fatalf("want a second attempt with a greater fence: %+v", charges)
	}
	// A fence is the time of its grant by Redis's clock, in microseconds.
	if granted, ended := time.UnixMicro(charges[1].fence), now.Add(left); granted.Before(ended) {
		t.Errorf("granted %v before the lease had ended", ended.Sub(granted))
	}
	if err := <-lost; !errors.Is(err, lock.ErrLost) {
		t.Errorf("the first handler's context ended with %v, want ErrLost", err)
	}

	f.machines[0].line.mend()
	resume()
	replays(t, second, <-stuck)
	for _, m := range f.machines {
		replays(t, second, f.send(t, m, pay(key)))
	}
	if n := len(f.ledger.of(key)); n != 2 {
		t.Errorf("the handler ran %d times, want twice", n)
	}
}

// A process dies: its client is gone, and its work never returns.
func TestHolderThatDiesIsFollowedByASecondAttempt(t *testing.T) {
	t.Parallel()
	f := newFleet(t, plan{replay: replay.Config{Lock: lock.Config{TTL: ttl}}})
	const key = "died"
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	f.hold(t, f.machines[0], pay(key), func(r *http.Request) {
		if attempt, _ := replay.AttemptFrom(r.Context()); attempt.Number == 1 {
			<-over
		}
	})
	inProgress(t, f.send(t, f.machines[1], pay(key)))
	must(t, f.machines[0].redis.Close())

	second := f.followed(t, f.machines[1], key)
	fresh(t, second)
	charges := f.ledger.of(key)
	if len(charges) != 2 || charges[1].attempt != 2 || charges[1].fence <= charges[0].fence {
		t.Errorf("want a second attempt with a greater fence: %+v", charges)
	}
	replays(t, second, f.send(t, f.machines[2], pay(key)))
}

// followed sends a request until the key is to be had, and is refused until then.
func (f *fleet) followed(t *testing.T, m *machine, key string) reply {
	t.Helper()
	var r reply
	eventually(t, "the key can be taken again", func(context.Context) error {
		if r = f.send(t, m, pay(key)); r.status != http.StatusCreated {
			inProgress(t, r)
			return errors.New(r.String())
		}
		return nil
	})
	return r
}

func TestFiveHundredLeasesAreRenewedOnAllNodes(t *testing.T) {
	t.Parallel()
	const leases = 500
	ctx := bounded(t)
	c := cluster.Shared(t)
	m := newLockMachine(t, c, lock.Config{TTL: ttl, Timeout: ttl / 2})
	held := make([]*lock.Lease, leases)
	keys := make([]string, leases)
	on := map[*cluster.Node]int{}
	var acquiring sync.WaitGroup
	for first := range 10 {
		acquiring.Go(func() {
			for i := first; i < leases; i += 10 {
				keys[i] = fmt.Sprintf("%s:%d", m.name, i)
				var err error
				if held[i], err = m.locker.TryAcquire(ctx, keys[i], lock.Terms{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	acquiring.Wait()
	if t.Failed() {
		return
	}
	m.trips.take()
	must(t, passed(ctx, c.Masters(ctx)[0], 3*ttl))

	for i, lease := range held {
		if err := context.Cause(lease.Context()); err != nil || lease.State() != lock.Live {
			t.Fatalf("lease %d: state %v, %v", i, lease.State(), err)
		}
		if stored, err := lease.Commit(ctx, []byte("R"+lease.Owner()), time.Minute); stored != lock.StoredNow || err != nil {
			t.Fatalf("lease %d: %v, %v", i, stored, err)
		}
		if value, err := m.redis.Get(ctx, keys[i]).Result(); value != "R"+lease.Owner() || err != nil {
			t.Fatalf("lease %d left %q, %v", i, value, err)
		}
	}
	for _, key := range keys[:60] {
		node, err := c.MasterOf(ctx, key)
		must(t, err)
		on[node]++
	}
	if len(on) != 3 {
		t.Errorf("the leases were on %d nodes, want 3", len(on))
	}
	if !slices.ContainsFunc(m.trips.take(), func(trip string) bool { return strings.HasPrefix(trip, "renew*") }) {
		t.Error("no renewals shared a round trip")
	}
}
