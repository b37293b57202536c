package lock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// Counts are what telemetry makes of a Trace.
type counts struct {
	mu     sync.Mutex
	held   map[lock.State]int // how many leases are in which state
	ends   []string
	counts map[string]int
}

var stateNames = map[lock.State]string{lock.Live: "live", lock.Suspended: "suspended", lock.Lost: "lost", lock.Ended: "ended"}

func (c *counts) trace() *lock.Trace {
	c.held, c.counts = map[lock.State]int{}, map[string]int{}
	locked := func(f func()) { c.mu.Lock(); defer c.mu.Unlock(); f() }
	count := func(s string) { locked(func() { c.counts[s]++ }) }
	return &lock.Trace{
		Granted: func(*lock.Lease) { locked(func() { c.held[lock.Live]++ }) },
		Ended: func(_ *lock.Lease, from, to lock.State) {
			locked(func() { c.held[from]--; c.ends = append(c.ends, stateNames[from]+" to "+stateNames[to]) })
		},
		Renewed:     func(_ *lock.Lease, err error) { count(fmt.Sprint("renewed ", err == nil)) },
		Suspended:   func(*lock.Lease, error) { locked(func() { c.held[lock.Live]--; c.held[lock.Suspended]++ }) },
		Resumed:     func(*lock.Lease) { locked(func() { c.held[lock.Suspended]--; c.held[lock.Live]++ }) },
		WaitBegan:   func(context.Context) { count("waits") },
		WaitEnded:   func(context.Context) { count("waits over") },
		WaitRefused: func(context.Context) { count("waits refused") },
		Failed: func(_ context.Context, script string, err error) {
			if !errors.Is(err, lock.ErrUnavailable) && !errors.Is(err, lock.ErrUnconfirmed) {
				script += " for another reason"
			}
			count(script + " failed")
		},
	}
}

func (c *counts) want(t *testing.T, live, suspended int, ends ...string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[lock.Live] != live || c.held[lock.Suspended] != suspended || !slices.Equal(c.ends, ends) {
		t.Errorf("%d live and %d suspended, ends %q; want %d, %d, %q",
			c.held[lock.Live], c.held[lock.Suspended], c.ends, live, suspended, ends)
	}
	c.ends = nil
}

func (c *counts) wantCount(t *testing.T, of string, n int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts[of] != n {
		t.Errorf("%s: %d times, want %d; all: %v", of, c.counts[of], n, c.counts)
	}
}

// Whatever becomes of a lease, Trace is told once of its beginning and once of its end.
func TestTraceCountsLeases(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var told counts
		a := f.Machine()
		l := a.Locker(lock.Config{Trace: told.trace()})

		lease := grant(t, l, anyone)
		told.want(t, 1, 0)
		time.Sleep(6 * time.Second)
		told.wantCount(t, "renewed true", 1)
		if err := lease.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		told.want(t, 0, 0, "live to ended")
		_ = lease.Release(t.Context()) // once more
		told.want(t, 0, 0)

		lease = grant(t, l, anyone)
		f.Redis.Set(key, "of somebody else")
		if _, err := lease.Commit(t.Context(), value(lease), time.Minute); !errors.Is(err, lock.ErrLost) {
			t.Fatal(err)
		}
		told.want(t, 0, 0, "live to lost")
		_ = lease.Abandon(t.Context())
		told.want(t, 0, 0)
		f.Redis.Del(key)

		grant(t, l, anyone)
		f.Redis.Set(key, "of somebody else")
		time.Sleep(6 * time.Second)
		told.want(t, 0, 0, "live to lost")
		told.wantCount(t, "renewed false", 1)
		told.wantCount(t, "renew failed", 0) // Redis has answered
		f.Redis.Del(key)

		lease = grant(t, l, anyone)
		f.Down()
		time.Sleep(9 * time.Second)
		told.want(t, 0, 1)
		time.Sleep(time.Minute)
		told.want(t, 0, 0, "suspended to lost")
		f.Up()
		commit(t, lease, lock.StoredNow) // a late one: the end has been told
		told.want(t, 0, 0)
	})
}

func TestTraceIsToldWhatRedisDoesNotDo(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var told counts
		l := f.Machine().Locker(lock.Config{Trace: told.trace()})
		f.Refuse(bubble.OOM)
		for range 3 {
			if _, err := l.TryAcquire(t.Context(), key, anyone); !errors.Is(err, lock.ErrUnavailable) {
				t.Fatal(err)
			}
		}
		told.wantCount(t, "begin failed", 3)
		f.Refuse("")
		time.Sleep(time.Second) // the claims that may have been left behind are handed back

		lease := grant(t, l, anyone)
		seen := inspect(t, l)
		f.Down()
		_, _ = lease.Commit(t.Context(), value(lease), time.Minute)
		told.wantCount(t, "commit failed", 1)
		_, _ = l.Inspect(t.Context(), key, 0)
		told.wantCount(t, "inspect failed", 1)
		_ = l.Act(t.Context(), lock.ReleaseClaim, seen)
		told.wantCount(t, "act failed", 1)
		time.Sleep(9 * time.Second)
		told.mu.Lock()
		if told.counts["renew failed"] == 0 || told.counts["renewed false"] == 0 {
			t.Errorf("got %v", told.counts)
		}
		told.mu.Unlock()

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		before := told.counts["begin failed"]
		_, _ = l.TryAcquire(ctx, key, anyone)
		told.wantCount(t, "begin failed", before) // it is the caller who has gone
	})
}

func TestTraceCountsWaiters(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var told counts
		l := f.Machine().Locker(lock.Config{Trace: told.trace(), MaxWaiters: 1})
		lease := grant(t, f.Machine().Locker(lock.Config{}), anyone)
		result := waiting(t, t.Context(), l, anyone)
		time.Sleep(time.Second)
		told.wantCount(t, "waits", 1)
		told.wantCount(t, "waits over", 0)
		if _, err := l.Acquire(t.Context(), key, anyone); !errors.Is(err, lock.ErrHeld) {
			t.Fatal(err)
		}
		told.wantCount(t, "waits refused", 1)
		if err := lease.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if next, err, _ := result(); err != nil {
			t.Fatal(err)
		} else if err := next.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		told.wantCount(t, "waits", 1)
		told.wantCount(t, "waits over", 1)
	})
}
