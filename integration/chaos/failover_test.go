package chaos

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/cluster"
)

// promised is how soon after a promotion a key is served again, with default settings, on every
// machine: the one promise of real time. `make chaos` holds the library to the 5 s; by default there is
// room for a machine that is busy with other things.
var promised = flag.Duration("served", 15*time.Second, "a key is served again so soon after a promotion")

func TestPrimaryKilled(t *testing.T) {
	const rounds = 2
	c, ctx := cluster.Shared(t), bounded(t)
	f := newFleet(t, c, modes(inDefault))
	var served time.Duration
	loads := f.underLoads(ctx, func(ctx context.Context, loads []*load) {
		for range rounds {
			served = max(served, f.failover(ctx, loads[0].hot()))
		}
	})
	for _, l := range loads {
		r := row{scenario: "1 primary killed, twice", mode: l.mode.Name, count: l.count(defaultLease, f.windows)}
		if l.mode.Name == "default" {
			r.served = served
		}
		report(t, r)
		f.durable(t, l, r)
	}
	if served > *promised {
		t.Errorf("a key was served %v after the promotion, want %v at most", served, *promised)
	}
}

// failover kills the node that serves hot, and brings it back as a replica of the one that is
// promoted. It returns how long after the promotion its keys were served again, on all machines.
func (f *fleet) failover(ctx context.Context, hot string) time.Duration {
	f.t.Helper()
	killed := f.homeOf(ctx, hot)
	heal := f.breaks(killed)
	must(f.t, killed.Kill(ctx))
	f.log("%s killed", killed.Name)
	promoted := f.promotion(ctx, killed, hot)
	f.log("a replica is promoted")
	served := f.servedAgain(ctx, hot, promoted)
	f.log("served again")
	must(f.t, killed.Restart(ctx))
	f.log("restarted")
	must(f.t, f.cluster.Settle(ctx))
	f.log("settled")
	heal()
	return served
}

// homeOf is the node that serves a key.
func (f *fleet) homeOf(ctx context.Context, key string) *cluster.Node {
	f.t.Helper()
	n, err := f.cluster.MasterOf(ctx, key)
	must(f.t, err)
	return n
}

// promotion waits until another node than this one serves the key, and returns when that was.
func (f *fleet) promotion(ctx context.Context, from *cluster.Node, key string) time.Time {
	f.t.Helper()
	must(f.t, cluster.Eventually(ctx, "a replica is promoted", func(ctx context.Context) error {
		n, err := f.cluster.MasterOf(ctx, key)
		if err == nil && n == from {
			err = errors.New("not yet")
		}
		return err
	}))
	return time.Now()
}

// servedAgain asks each machine for new keys of one node until it has one answered, and returns how
// long after the promotion the last machine could do that.
func (f *fleet) servedAgain(ctx context.Context, hot string, promoted time.Time) time.Duration {
	f.t.Helper()
	var asking sync.WaitGroup
	waits := make([]time.Duration, len(f.machines))
	for i := range f.machines {
		keys := f.keysLike(f.modes[0], fmt.Sprintf("probe-%d-%d", promoted.UnixNano(), i), hot)
		asking.Go(func() {
			for waits[i] = 2 * *promised; time.Since(promoted) < waits[i]; lasts(ctx, 20*time.Millisecond) {
				if x := f.ask(ctx, f.modes[0], keys(), 0, i); x.success() {
					waits[i] = x.got.Sub(promoted)
				} else if !x.failed() {
					f.t.Errorf("a new key got %d %s", x.status, x.code)
				}
			}
		})
	}
	asking.Wait()
	return max(waits[0], waits[1], waits[2])
}
