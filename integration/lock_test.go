package integration

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
)

// A lockMachine is a process that imports lock alone.
type lockMachine struct {
	name   string
	redis  *redis.ClusterClient
	trips  *trips
	locker *lock.Locker
}

func newLockMachine(t *testing.T, c *cluster.Cluster, cfg lock.Config) *lockMachine {
	t.Helper()
	m := &lockMachine{name: "it-" + rand.Text()[:10], trips: newTrips(t)}
	m.redis = c.Client(func(o *redis.ClusterOptions) {
		o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = patience, patience, patience
	})
	m.redis.OnNewNode(func(node *redis.Client) { node.AddHook(m.trips) })
	t.Cleanup(func() { _ = m.redis.Close() })
	var err error
	m.locker, err = lock.New(m.redis, cfg)
	must(t, err)
	return m
}

func TestLockedIncrementsNeverOverlap(t *testing.T) {
	const goroutines, each = 8, 10
	ctx := bounded(t)
	c := cluster.Shared(t)
	key := "it-" + rand.Text()

	var (
		counter int // guarded by the lock under test alone
		inside  atomic.Int32
		fence   int64
		working sync.WaitGroup
	)
	increment := func(_ context.Context, lease *lock.Lease) error {
		if inside.Add(1) != 1 {
			t.Error("two holders at a time")
		}
		defer inside.Add(-1)
		if lease.Fence() <= fence {
			t.Errorf("fence %d after %d", lease.Fence(), fence)
		}
		fence = lease.Fence()
		counter++
		return lease.Context().Err()
	}
	for range 3 {
		locker := newLockMachine(t, c, lock.Config{TTL: 2 * patience, Timeout: patience}).locker
		for range goroutines {
			working.Go(func() {
				for range each {
					if err := locker.Do(ctx, key, increment); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	working.Wait()
	if counter != 3*goroutines*each {
		t.Errorf("the counter is at %d, want %d", counter, 3*goroutines*each)
	}
	if n, err := newLockMachine(t, c, lock.Config{}).redis.Exists(ctx, key).Result(); n != 0 || err != nil {
		t.Errorf("the lock left its key behind: %d, %v", n, err)
	}
}

func TestLockOutlivesItsLease(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	c := cluster.Shared(t)
	cfg := lock.Config{TTL: ttl, Timeout: ttl / 2}
	a, b := newLockMachine(t, c, cfg), newLockMachine(t, c, cfg)
	key := "it-" + rand.Text()
	node, err := c.MasterOf(ctx, key)
	must(t, err)
	err = a.locker.Do(ctx, key, func(ctx context.Context, lease *lock.Lease) error {
		must(t, passed(ctx, node, 2*ttl))
		if _, err := b.locker.TryAcquire(ctx, key, lock.Terms{}); !errors.Is(err, lock.ErrHeld) {
			t.Errorf("another machine got %v, want ErrHeld", err)
		}
		return nil
	})
	must(t, err)
	lease, err := b.locker.Acquire(ctx, key, lock.Terms{Wait: time.Minute})
	must(t, err)
	if lease.Attempt() != 1 {
		t.Errorf("attempt %d after a clean end, want 1", lease.Attempt())
	}
	must(t, lease.Release(ctx))
}
