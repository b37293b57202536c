package lock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// More callers than a client has connections for, each on one of its own.

var alone = lock.Config{Pipeline: lock.PipelineOff}

const (
	connections = 20
	roundTrip   = 25 * time.Millisecond
)

// slow gives the machine a network with a round trip of roundTrip.
func slow(m *bubble.Machine) {
	m.Fate(func([]bubble.Command) bubble.Fault { return bubble.Fault{DelayReply: roundTrip} })
}

func narrow(o *redis.Options) { o.PoolSize = connections }

var errLeft = errors.New("left")

// burst lets n callers ask for a key of its own each, all at once, and returns their errors.
func burst(t *testing.T, n int, call func(key string) error) []error {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = call(fmt.Sprint("burst ", i)) })
	}
	wg.Wait()
	return errs
}

// A node that has forgotten the scripts costs each connection one more command, and no caller a second
// place in the queue: as many are served in time as by one that knows them. This holds at the first
// use, after SCRIPT FLUSH and after a failover.
func TestForgottenScriptsCostNoSecondPlaceInTheQueue(t *testing.T) {
	for _, kind := range []string{"single", "cluster"} {
		t.Run(kind, func(t *testing.T) { forgottenScripts(t, kind == "cluster") })
	}
}

func forgottenScripts(t *testing.T, cluster bool) {
	const callers = 1500 // PoolSize × Timeout ÷ round trip = 20 × 2 s ÷ 25 ms = 1600 can be served
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine(narrow)
		if cluster {
			a = f.ClusterMachine(func(o *redis.ClusterOptions) { o.PoolSize = connections })
		}
		l := a.Locker(alone)
		flush(t, a)
		slow(a)
		var mu sync.Mutex
		var leases []*lock.Lease
		for _, err := range burst(t, callers, func(key string) error {
			lease, err := l.TryAcquire(t.Context(), key, anyone)
			if err == nil {
				mu.Lock()
				leases = append(leases, lease)
				mu.Unlock()
			}
			return err
		}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		trips := a.Trips()
		if begun, loaded := times(trips, "begin"), times(trips, "load begin"); begun != callers || loaded > connections || len(trips) != begun+loaded {
			t.Errorf("%d callers sent begin %d times, its source %d times, %d commands in all, want the source at most %d times",
				callers, begun, loaded, len(trips), connections)
		}

		// The same goes for what ends a lease.
		var wg sync.WaitGroup
		for _, lease := range leases {
			wg.Go(func() {
				if err := lease.Release(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		trips = a.Trips()
		if ended, loaded := times(trips, "release"), times(trips, "load release"); ended != callers || loaded > connections {
			t.Errorf("%d leases sent release %d times and its source %d times", callers, ended, loaded)
		}
	})
}

// A caller who has not been served in time has sent nothing, so that there is nothing to hand back.
func TestNothingIsHandedBackThatWasNeverSent(t *testing.T) {
	for name, options := range clients {
		t.Run(name, func(t *testing.T) { neverSent(t, options) })
	}
}

func neverSent(t *testing.T, options func(*redis.Options)) {
	const callers = 3000
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine(narrow, options)
		l := a.Locker(alone)
		slow(a)
		var late, underWay int
		for _, err := range burst(t, callers, func(key string) error {
			_, err := l.TryAcquire(t.Context(), key, anyone)
			return err
		}) {
			if err != nil {
				late++
				is(t, err, lock.ErrUnavailable)
				if !errors.Is(err, redis.ErrPoolTimeout) {
					underWay++
				}
			}
		}
		time.Sleep(5 * time.Second)
		trips := a.Trips()
		// Those who were on their way when their time was over are handed back, and no others; where the client
		// went on waiting for the answer, when that has come, too.
		if begun, back := times(trips, "begin"), times(trips, "release"); late == 0 || underWay > connections || begun > callers-late+underWay || back > 2*underWay {
			t.Errorf("%d of %d callers were late; sent %d begin and %d release", late, callers, begun, back)
		}
	})
}

// Whoever leaves the queue takes nobody's turn.
func TestCallersWhoLeaveTheQueueSendNothing(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine(narrow)
		l := a.Locker(alone)
		slow(a)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { cancel(errLeft) })
		var left atomic.Int32
		burst(t, 1000, func(key string) error {
			_, err := l.TryAcquire(ctx, key, anyone)
			if errors.Is(err, errLeft) && !errors.Is(err, lock.ErrUnavailable) {
				left.Add(1)
			}
			return err
		})
		time.Sleep(5 * time.Second)
		trips := a.Trips()
		if begun := times(trips, "begin"); int(left.Load()) < 800 || begun > 5*connections {
			t.Errorf("%d of 1000 left in time, and begin was sent %d times", left.Load(), begun)
		}
	})
}

// Work that is under way goes before work that would begin: a lease is neither lost nor its answer, for
// others who ask.
func TestLeasesUnderWayGoFirst(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine(narrow)
		l := a.Locker(lock.Config{})
		lease := grant(t, l, anyone)
		time.Sleep(ttl/3 - time.Millisecond)
		slow(a)
		a.Trips()
		var wg sync.WaitGroup
		wg.Go(func() {
			burst(t, 1000, func(key string) error {
				_, err := l.TryAcquire(t.Context(), key, anyone)
				return err
			})
		})
		time.Sleep(10 * time.Millisecond) // all are in the queue, and now the renewal comes
		start := time.Now()
		time.Sleep(4 * roundTrip)
		if n := times(a.Trips(), "renew"); n != 1 {
			t.Errorf("%d renewals within four round trips, want 1", n)
		}
		commit(t, lease, lock.StoredNow)
		if took := time.Since(start); took > 8*roundTrip {
			t.Errorf("the commit took until %v", took)
		}
		wg.Wait()
	})
}

// A pipeline that waits for a connection goes before those who begin alone, because a commit may join it.
func TestCommitDoesNotWaitForThoseWhoBeginAlone(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine(narrow)
		l := a.Locker(lock.Config{})
		lease := grant(t, l, anyone)
		slow(a)
		all := asks(t, t.Context(), l, 5000) // more than wait for pipelines
		time.Sleep(roundTrip)                // the next pipelines wait for connections, and now the commit comes
		start := time.Now()
		commit(t, lease, lock.StoredNow)
		if took := time.Since(start); took > 4*roundTrip {
			t.Errorf("the commit took %v", took)
		}
		served(t, all)
	})
}

// An operator's scan takes no connection from those who begin.
func TestScanWaitsItsTurn(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine(func(o *redis.Options) { o.PoolSize = 1 })
		l := a.Locker(alone)
		f.Redis.Set("a:1", "R value")
		slow(a)
		a.On("SCAN", bubble.Fault{DelayReply: 2 * roundTrip})
		var scan sync.WaitGroup
		scan.Go(func() {
			if all, err := scanned(t.Context(), t, l, lock.Scan{Prefix: "a:"}); err != nil || len(all) != 1 {
				t.Errorf("%v, %v", all, err)
			}
		})
		for times(a.Trips(), "SCAN") == 0 {
			time.Sleep(time.Millisecond)
		}
		served(t, asks(t, t.Context(), l, 3))
		if n := times(a.Trips(), "inspect"); n != 0 {
			t.Errorf("it inspects before all have begun")
		}
		scan.Wait()
	})
}
