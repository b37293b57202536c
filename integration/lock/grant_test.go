package lock_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

func TestOneHolderAtATime(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var granted atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			l := f.Machine().Locker(lock.Config{})
			wg.Go(func() {
				if _, err := l.TryAcquire(t.Context(), key, anyone); err == nil {
					granted.Add(1)
				} else {
					is(t, err, lock.ErrHeld)
				}
			})
		}
		wg.Wait()
		if n := granted.Load(); n != 1 {
			t.Errorf("%d of 50 machines hold the key", n)
		}
	})
}

func TestHeldSaysWhoAndForHowLong(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		holder := f.Machine().Locker(lock.Config{Remember: 2 * remember})
		lease := grant(t, holder, lock.Terms{Fingerprint: "v1:one"})
		time.Sleep(4 * time.Second)

		// What the asker's settings are makes no difference to the answer.
		asker := f.Machine().Locker(lock.Config{TTL: time.Minute, Remember: time.Hour})
		held := refused[*lock.HeldError](t, asker, lock.Terms{Fingerprint: "v1:other"})
		want := lock.Claim{Attempt: 1, Fence: lease.Fence(), Remember: 2 * remember, Fingerprint: "v1:one", Owner: lease.Owner()}
		if held.Claim != want || held.Left != 11*time.Second {
			t.Errorf("got %+v, %v left, want %+v, 11s left", held.Claim, held.Left, want)
		}
	})
}

func TestKeysAreIndependent(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		l := f.Machine().Locker(lock.Config{})
		// Braces steer keys to a slot in a cluster; here they only must not be taken for each other.
		for _, k := range []string{"a", "b", "{a}", "{a}b", "a\x00", "a\r\n", "ключ"} {
			if _, err := l.TryAcquire(t.Context(), k, anyone); err != nil {
				t.Errorf("%q: %v", k, err)
			}
		}
	})
}

func TestRoundTrips(t *testing.T) {
	for _, long := range []int{0, 64 << 10} {
		t.Run(fmt.Sprint(long), func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a, b := f.Machine(), f.Machine()
				first := grant(t, a.Locker(lock.Config{}), lock.Terms{Fingerprint: "one"})
				other := b.Locker(lock.Config{})
				refused[*lock.HeldError](t, other, lock.Terms{Fingerprint: "one"})
				b.WantTrips("begin") // a conflict
				refused[*lock.HeldError](t, other, lock.Terms{Fingerprint: "other"})
				b.WantTrips("begin") // another fingerprint
				v := append(value(first), make([]byte, long)...)
				if _, err := first.Commit(t.Context(), v, retention); err != nil {
					t.Fatal(err)
				}
				a.WantTrips("begin", "commit") // a first request
				done := refused[*lock.DoneError](t, other, anyone)
				if done.Value != string(v) {
					t.Errorf("replayed %d bytes, want %d", len(done.Value), len(v))
				}
				if long == 0 {
					b.WantTrips("begin") // a replay
				} else {
					b.WantTrips("begin", "GET") // a replay that is longer than the inline limit
				}
			})
		})
	}
}

// As if it had never been held: another request can have it.
func TestReleaseFreesTheKey(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a, b := f.Machine(), f.Machine()
		l := a.Locker(lock.Config{})
		lease := grant(t, l, lock.Terms{Fingerprint: "one"})
		if err := lease.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		free(t, f)
		if lease.State() != lock.Ended || lease.Context().Err() == nil {
			t.Errorf("state %d, context %v, want Ended", lease.State(), lease.Context().Err())
		}
		a.WantTrips("begin", "release")
		next := grant(t, b.Locker(lock.Config{}), lock.Terms{Fingerprint: "other"})
		if next.Attempt() != 1 {
			t.Errorf("attempt %d, want 1", next.Attempt())
		}

		// A later attempt's word counts for the earlier ones.
		if err := next.Abandon(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := grant(t, l, lock.Terms{Fingerprint: "other"}).Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		free(t, f)
	})
}

func TestFenceGrowsFromGrantToGrant(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		l := f.Machine().Locker(lock.Config{})
		var last int64
		for attempt := 1; attempt <= 20; attempt++ {
			lease := grant(t, l, anyone)
			if lease.Fence() <= last || lease.Attempt() != attempt {
				t.Fatalf("attempt %d has fence %d, after %d", lease.Attempt(), lease.Fence(), last)
			}
			last = lease.Fence()
			if err := lease.Abandon(t.Context()); err != nil {
				t.Fatal(err)
			}
			if attempt%2 == 0 {
				time.Sleep(time.Microsecond)
			}
		}
	})
}

// After a failover to a replica whose clock is behind.
func TestFenceGrowsThoughTheServersClockGoesBack(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		l := f.Machine().Locker(lock.Config{})
		first := grant(t, l, anyone)
		if now := time.Now().UnixMicro(); first.Fence() != now {
			t.Errorf("fence %d, want the server's time in microseconds, %d", first.Fence(), now)
		}
		if err := first.Abandon(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.Redis.SetTime(time.Now().Add(-time.Hour))
		second := grant(t, l, anyone)
		if second.Fence() != first.Fence()+1 {
			t.Errorf("fence %d after %d", second.Fence(), first.Fence())
		}
	})
}
