package integration

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/cluster"
	"github.com/reprise-go/reprise/lock"
)

// threeRedis starts three deployments that know nothing of each other and keep nothing on disk.
func threeRedis(t *testing.T) (all [3]*cluster.Single) {
	t.Helper()
	cluster.Require(t)
	var starting sync.WaitGroup
	var faults [3]error
	for i := range all {
		starting.Go(func() { all[i], faults[i] = cluster.StartSingle(bounded(t)) })
	}
	starting.Wait()
	t.Cleanup(func() {
		for _, s := range all {
			if s != nil {
				if err := s.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}
		}
	})
	must(t, errors.Join(faults[:]...))
	return all
}

func quorumOf(t *testing.T, all [3]*cluster.Single, cfg lock.Config) *lock.Locker {
	t.Helper()
	var clients []redis.UniversalClient
	for _, s := range all {
		client := s.Client()
		t.Cleanup(func() { _ = client.Close() })
		clients = append(clients, client)
	}
	l, err := lock.NewQuorum(clients, cfg)
	must(t, err)
	return l
}

// holds waits until a deployment has the lease's claim.
func holds(t *testing.T, s *cluster.Single, key string, lease *lock.Lease) {
	t.Helper()
	eventually(t, "the deployment has the claim", func(ctx context.Context) error {
		value, err := s.Node().Client().Get(ctx, key).Result()
		if err == nil && !strings.HasSuffix(value, " "+lease.Owner()) {
			err = fmt.Errorf("it has %q", value)
		}
		return err
	})
}

// One deployment dies, comes back empty, and counts again before the next one dies.
func TestQuorumLeaseOutlivesItsDeployments(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	all := threeRedis(t)
	cfg := lock.Config{TTL: ttl, Timeout: ttl / 2}
	a, b := quorumOf(t, all, cfg), quorumOf(t, all, cfg)
	key := "it-" + rand.Text()
	stillHeld := func(lease *lock.Lease, alive *cluster.Single) {
		t.Helper()
		must(t, passed(ctx, alive.Node(), 2*ttl))
		if _, err := b.TryAcquire(ctx, key, lock.Terms{}); !errors.Is(err, lock.ErrHeld) {
			t.Errorf("another machine got %v, want ErrHeld", err)
		}
		if err := context.Cause(lease.Context()); err != nil {
			t.Fatalf("the lease's context ended: %v", err)
		}
	}

	lease, err := a.Acquire(ctx, key, lock.Terms{})
	must(t, err)
	if lease.Attempt() != 1 || lease.Fence() != 0 {
		t.Errorf("attempt %d, fence %d, want 1 and none", lease.Attempt(), lease.Fence())
	}
	for _, s := range all {
		holds(t, s, key, lease)
	}
	if _, err := lease.Commit(ctx, []byte("R"), time.Minute); !errors.Is(err, lock.ErrNoCommit) {
		t.Errorf("commit: %v, want ErrNoCommit", err)
	}
	must(t, all[0].Node().Kill(ctx))
	stillHeld(lease, all[1])
	must(t, all[0].Node().Restart(ctx))
	holds(t, all[0], key, lease)
	must(t, all[1].Node().Kill(ctx))
	stillHeld(lease, all[2])

	must(t, lease.Release(ctx))
	next, err := b.Acquire(ctx, key, lock.Terms{Wait: time.Minute})
	must(t, err)
	if next.Attempt() != 1 {
		t.Errorf("attempt %d after a clean end, want 1", next.Attempt())
	}
	shared := 0
	for i, fence := range next.Fences() {
		if before := lease.Fences()[i]; fence != 0 && before != 0 {
			shared++
			if fence <= before {
				t.Errorf("fence %d of deployment %d after %d", fence, i, before)
			}
		}
	}
	if shared == 0 {
		t.Errorf("fences %v and %v have no deployment in common", lease.Fences(), next.Fences())
	}

	must(t, all[2].Node().Kill(ctx))
	<-next.Context().Done()
	if err := context.Cause(next.Context()); err != lock.ErrLost {
		t.Errorf("without a majority the context ended with %v, want ErrLost", err)
	}
	if _, err := a.TryAcquire(ctx, key, lock.Terms{}); !errors.Is(err, lock.ErrUnavailable) {
		t.Errorf("without a majority: %v, want ErrUnavailable", err)
	}
}

func TestQuorumIncrementsNeverOverlap(t *testing.T) {
	const goroutines, each = 3, 10
	ctx := bounded(t)
	all := threeRedis(t)
	key := "it-" + rand.Text()
	var (
		counter int // guarded by the lock under test alone
		inside  atomic.Int32
		working sync.WaitGroup
	)
	increment := func(_ context.Context, lease *lock.Lease) error {
		if inside.Add(1) != 1 {
			t.Error("two holders at a time")
		}
		defer inside.Add(-1)
		if counter++; counter == goroutines*each {
			return all[1].Node().Kill(ctx)
		}
		return nil
	}
	for range 3 {
		locker := quorumOf(t, all, lock.Config{TTL: 2 * patience, Timeout: patience})
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
}
