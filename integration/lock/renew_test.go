package lock_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

func TestRenewalKeepsALeaseForAsLongAsTheWorkTakes(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a, b := f.Machine(), f.Machine()
		other := b.Locker(lock.Config{})
		lease := grant(t, a.Locker(lock.Config{}), anyone)
		for start := time.Now(); time.Since(start) <= 4*ttl; time.Sleep(time.Second) {
			if held := refused[*lock.HeldError](t, other, anyone); held.Left < ttl/2 {
				t.Fatalf("after %v, only %v of the lease are left", time.Since(start), held.Left)
			}
			live(t, lease)
		}
		commit(t, lease, lock.StoredNow)
		renewals := slices.Repeat([]string{"renew"}, 12) // one every 5 s
		a.WantTrips(slices.Concat([]string{"begin"}, renewals, []string{"commit"})...)
	})
}

func TestNothingIsRenewedThatEndsWithinAThirdOfItsTime(t *testing.T) {
	for name, gap := range map[string]time.Duration{
		"one after the other": ttl/3 - time.Millisecond,
		"side by side":        500 * time.Millisecond, // due when the alarm that was set for another rings
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine()
				l := a.Locker(lock.Config{})
				for i := range 20 {
					lease, err := l.TryAcquire(t.Context(), fmt.Sprint(i), anyone)
					if err != nil {
						t.Fatal(err)
					}
					time.AfterFunc(ttl/3-time.Millisecond, func() { _ = lease.Release(context.Background()) })
					time.Sleep(gap)
				}
				time.Sleep(time.Minute)
				trips := a.Trips()
				if times(trips, "begin") != 20 || times(trips, "release") != 20 || len(trips) != 40 {
					t.Errorf("round trips: %q", trips)
				}
			})
		})
	}
}

// Also when they were taken one by one.
func TestRenewalsShareFewPipelines(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		const leases = 500
		a := f.Machine()
		l := a.Locker(lock.Config{})
		var all []*lock.Lease
		for i := range leases {
			lease, err := l.TryAcquire(t.Context(), fmt.Sprint(i), anyone)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, lease)
			time.Sleep(time.Millisecond)
		}
		a.Trips()
		time.Sleep(10 * time.Second)
		a.WantTrips("renew*500", "renew*500")
		for _, lease := range all {
			live(t, lease)
		}
	})
}

func TestLeaseThatHasEndedIsRenewedNoMore(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		l := a.Locker(lock.Config{})
		var all []*lock.Lease
		for i := range 10 {
			lease, err := l.TryAcquire(t.Context(), fmt.Sprint(i), anyone)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, lease)
		}
		time.Sleep(6 * time.Second)
		a.WantTrips(append(slices.Repeat([]string{"begin"}, 10), "renew*10")...)
		for _, lease := range all[1:] {
			if err := lease.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		a.Trips()
		time.Sleep(5 * time.Second)
		a.WantTrips("renew")
	})
}

// One lease's loss is no other's.
func TestRenewalsOfAPipelineAreBookedOneByOne(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		l := a.Locker(lock.Config{})
		leases := map[string]*lock.Lease{}
		for _, k := range []string{"fine", "gone", "taken", "foreign", "done", "alien"} {
			lease, err := l.TryAcquire(t.Context(), k, anyone)
			if err != nil {
				t.Fatal(err)
			}
			leases[k] = lease
		}
		claim, _ := f.Redis.Get("fine")
		f.Redis.Del("gone")
		f.Redis.Set("taken", strings.Replace(claim, leases["fine"].Owner(), strings.Repeat("ab", 16), 1))
		f.Redis.Set("done", "R another's")
		f.Redis.Set("foreign", "something else")
		for _, k := range []string{"taken", "done", "foreign"} {
			f.Redis.SetTTL(k, ttl+remember)
		}
		f.Redis.Del("alien")
		if _, err := f.Redis.Push("alien", "a list"); err != nil {
			t.Fatal(err)
		}
		a.Trips()
		time.Sleep(6 * time.Second)
		a.WantTrips("renew*6")
		for k, lease := range leases {
			if k == "fine" {
				live(t, lease)
				continue
			}
			ended(t, lease, lock.ErrLost)
			if lease.State() != lock.Lost {
				t.Errorf("%s: state %d, want Lost", k, lease.State())
			}
		}
	})
}

// Run with -race: redsync's Mutex has no protection of its own.
func TestLeaseIsSafeForConcurrentUseWhileItIsRenewed(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		l := f.Machine().Locker(lock.Config{})
		var wg sync.WaitGroup
		for i := range 20 {
			lease, err := l.TryAcquire(t.Context(), fmt.Sprint(i), anyone)
			if err != nil {
				t.Fatal(err)
			}
			for j := range 4 {
				wg.Go(func() {
					// Half of them end at the very moment of a renewal.
					for until := time.Now().Add(time.Duration(10+i%2) * time.Second); time.Now().Before(until); {
						_, _, _, _ = lease.State(), lease.Fence(), lease.Attempt(), lease.Owner()
						_ = lease.Context().Err()
						time.Sleep(500 * time.Millisecond)
					}
					switch j {
					case 0:
						if _, err := lease.Commit(t.Context(), value(lease), retention); err != nil {
							t.Error(err)
						}
					case 1:
						_, _ = lease.Commit(t.Context(), value(lease), retention)
					case 2:
						_ = lease.Abandon(t.Context())
					case 3:
						_ = lease.State()
					}
				})
			}
		}
		wg.Wait()
	})
}

// A commit may be on its way when a renewal finds that the claim is gone: to the commit itself.
func TestRenewalDoesNotMistakeACommitForALoss(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		var told log
		l := a.Locker(lock.Config{Trace: told.trace()})
		lease := grant(t, l, anyone)
		time.Sleep(4 * time.Second)
		a.On("commit", bubble.Fault{DelayReply: 1500 * time.Millisecond})
		commit(t, lease, lock.StoredNow)
		a.WantTrips("begin", "commit", "renew")
		ended(t, lease, errCanceled)
		told.want(t)
		if lease.State() != lock.Ended {
			t.Errorf("state %d, want Ended", lease.State())
		}
	})
}
