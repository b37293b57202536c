package lock_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// A deployment that has come back empty gets the claim again with the next renewal, and counts from
// then on: when another one fails, the lease goes on, and nobody gets in.
func TestQuorumRegainsARestartedMinority(t *testing.T) {
	for back := range 3 {
		bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
			a, b := q.Member(), q.Member()
			l := a.Locker(lock.Config{})
			first := grant(t, l, lock.Terms{Fingerprint: "one"})
			settled()
			if err := first.Abandon(t.Context()); err != nil {
				t.Fatal(err)
			}
			settled()
			var told log
			lease := grant(t, a.Locker(lock.Config{Trace: told.trace()}), lock.Terms{Fingerprint: "one"})
			settled()
			claim, _ := q.Of[back].Redis.Get(key)
			q.Of[back].Redis.SetTime(time.Now().Add(-time.Hour)) // it has also lost the time
			q.Of[back].RestartEmpty()
			time.Sleep(4 * time.Second)
			free(t, q.Of[back]) // nothing is put back without a majority
			time.Sleep(2 * time.Second)
			heldAt(t, q, lease, 0, 1, 2)
			if lease.Fences()[back] != 0 { // of those that the lease has counted
				stands(t, q.Of[back], claim) // the very same, fence and attempt and all
			}
			if left := q.Of[back].Redis.TTL(key) - remember; left < ttl-2*time.Second {
				t.Errorf("it has %v of the lease", left)
			}

			q.Of[(back+1)%3].Down()
			for range 30 {
				time.Sleep(time.Second)
				refused[*lock.HeldError](t, b.Locker(lock.Config{}), lock.Terms{Fingerprint: "one"})
			}
			live(t, lease)
			told.want(t)
			release(t, lease)
			attempt(t, grant(t, b.Locker(lock.Config{}), lock.Terms{Fingerprint: "one"}), nil, 1)
		})
	}
}

// A deployment that was away for longer than a lease comes back with a claim that has lapsed.
func TestQuorumRevivesAClaimThatLapsedInAMinority(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		a := q.Member()
		lease := grant(t, a.Locker(lock.Config{}), anyone)
		settled()
		a.To[1].Down()
		time.Sleep(2 * ttl)
		heldAt(t, q, lease, 0, 2)
		a.To[1].Up()
		time.Sleep(5100 * time.Millisecond)
		heldAt(t, q, lease, 0, 1, 2)
		live(t, lease)
	})
}

// A deployment that is another's by now is left to him, whoever he is, and he to himself.
func TestQuorumTakesNoMinorityFromAnother(t *testing.T) {
	for name, put := range map[string]func(t *testing.T, f *bubble.Fleet){
		"held": func(t *testing.T, f *bubble.Fleet) { grant(t, f.Machine().Locker(lock.Config{TTL: time.Hour}), anyone) },
		"abandoned": func(t *testing.T, f *bubble.Fleet) {
			_ = grant(t, f.Machine().Locker(lock.Config{}), anyone).Abandon(t.Context())
		},
		"committed": func(t *testing.T, f *bubble.Fleet) {
			commit(t, grant(t, f.Machine().Locker(lock.Config{}), anyone), lock.StoredNow)
		},
		"foreign": func(t *testing.T, f *bubble.Fleet) { f.Redis.Set(key, "L") },
		"a list":  func(t *testing.T, f *bubble.Fleet) { _, _ = f.Redis.Push(key, "a list") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
				lease := grant(t, q.Member().Locker(lock.Config{}), anyone)
				settled()
				q.Of[2].Redis.FlushAll()
				put(t, q.Of[2])
				before := q.Of[2].Redis.Dump()
				time.Sleep(time.Minute)
				live(t, lease)
				release(t, lease)
				settled()
				if after := q.Of[2].Redis.Dump(); after != before {
					t.Errorf("it holds\n%swant\n%s", after, before)
				}
			})
		})
	}
}

// What is gone is not put back, because another may have had it in between.
func TestQuorumLosesALeaseThatAMajorityHasForgotten(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		var told log
		a := q.Member()
		start := time.Now()
		lease := grant(t, a.Locker(lock.Config{Trace: told.trace()}), anyone)
		settled()
		q.Of[0].RestartEmpty()
		q.Of[2].RestartEmpty()
		<-lease.Context().Done()
		ended(t, lease, lock.ErrLost)
		if took := time.Since(start); took > 6*time.Second {
			t.Errorf("it took %v, want it at the next renewal, after 5s", took)
		}
		time.Sleep(time.Second)
		told.want(t, "lost")
		free(t, q.Of[0])
		free(t, q.Of[2])
	})
}

func TestQuorumWithoutAMajorityEndsInTime(t *testing.T) {
	t.Run("acquired", func(t *testing.T) { endsInTime(t, 4*time.Second) })
	t.Run("renewed", func(t *testing.T) { endsInTime(t, 6*time.Second) })
}

// endsInTime cuts two deployments off, at a time after the lease was taken.
func endsInTime(t *testing.T, at time.Duration) {
	for name, strike := range outages {
		for client, options := range clients {
			t.Run(name+"/"+client, func(t *testing.T) {
				bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
					var told log
					a := q.Member(options)
					lease := grant(t, a.Locker(lock.Config{Trace: told.trace()}), anyone)
					time.Sleep(at)
					strike(q.Of[0])
					strike(q.Of[1])
					<-lease.Context().Done()
					ended(t, lease, lock.ErrLost)
					for _, f := range q.Of[:2] {
						if left := f.Redis.TTL(key) - remember; left <= 0 || left > ttl/50 {
							t.Errorf("the lease has %v left in Redis, want a little", left)
						}
					}
					time.Sleep(time.Second)
					told.want(t, "suspended", "lost")
				})
			})
		}
	}
}

// One is empty and one away: the lease lives, but nothing is put back before the other has returned.
func TestQuorumRegainsNothingWithoutAMajority(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		var told log
		a := q.Member()
		lease := grant(t, a.Locker(lock.Config{Trace: told.trace()}), anyone)
		settled()
		q.Of[0].RestartEmpty()
		a.To[1].Down()
		time.Sleep(8 * time.Second)
		told.want(t, "suspended")
		if lease.State() != lock.Suspended {
			t.Errorf("state %d, want Suspended", lease.State())
		}
		free(t, q.Of[0])
		a.To[1].Up()
		time.Sleep(3 * time.Second)
		told.want(t, "suspended", "resumed")
		heldAt(t, q, lease, 0, 1, 2)
		live(t, lease)
	})
}

// A lease that has ended while its claim was being put back stays ended.
func TestQuorumRegainThatComesTooLateIsUndone(t *testing.T) {
	for name, late := range map[string]bubble.Fault{
		"late question": {DelayCommand: time.Second}, "late answer": {DelayReply: time.Second}, "no answer": bubble.Unanswered,
	} {
		t.Run(name, func(t *testing.T) {
			bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
				a := q.Member()
				lease := grant(t, a.Locker(lock.Config{}), anyone)
				settled()
				q.Of[2].Redis.FlushAll()
				a.To[2].On("regain", late)
				time.Sleep(5100 * time.Millisecond)
				release(t, lease)
				time.Sleep(3 * time.Second)
				freeEverywhere(t, q)
				if trips := a.To[2].Trips(); !slices.Contains(trips, "regain") {
					t.Errorf("round trips %q: nothing was to be undone", trips)
				}
			})
		})
	}
}

func TestQuorumEndedLeaseRegainsNothing(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		a := q.Member()
		lease := grant(t, a.Locker(lock.Config{}), anyone)
		settled()
		q.Of[2].Redis.FlushAll()
		a.To[2].On("renew", bubble.Fault{DelayReply: time.Second})
		time.Sleep(5100 * time.Millisecond)
		release(t, lease)
		time.Sleep(3 * time.Second)
		a.To[2].WantTrips("begin", "renew", "release")
	})
}

// A deployment that hangs puts no renewal off, whatever the times are.
func TestQuorumRenewalWaitsForNoMinority(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		var told log
		a := q.Member()
		l := a.Locker(lock.Config{Renew: 7400 * time.Millisecond, Timeout: 7500 * time.Millisecond, Trace: told.trace()})
		lease := grant(t, l, anyone)
		settled()
		q.Of[1].Freeze()
		time.Sleep(time.Minute)
		live(t, lease)
		told.want(t)
	})
}

// Nor is a deployment left out because it is slower than the others.
func TestQuorumRenewsASlowMinority(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		a := q.Member()
		lease := grant(t, a.Locker(lock.Config{}), anyone)
		settled()
		for range 12 {
			a.To[1].On("renew", bubble.Fault{DelayCommand: time.Second})
			time.Sleep(5 * time.Second)
			heldAt(t, q, lease, 0, 1, 2)
		}
		a.To[1].Trips()
		time.Sleep(6 * time.Second)
		a.To[1].WantTrips("renew")
	})
}

func TestQuorumRenewalsSharePipelines(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		const leases = 100
		a := q.Member()
		l := a.Locker(lock.Config{})
		var all []*lock.Lease
		for i := range leases {
			lease, err := l.TryAcquire(t.Context(), fmt.Sprint(i), anyone)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, lease)
		}
		settled()
		for _, to := range a.To {
			to.Trips()
		}
		time.Sleep(11 * time.Second)
		for _, to := range a.To {
			to.WantTrips("renew*100", "renew*100")
		}
		for _, lease := range all {
			live(t, lease)
		}
	})
}

// Run with -race. Deployments come and go while leases are taken, renewed and ended; whatever
// happens, nobody holds a key beside another.
func TestQuorumIsSafeForConcurrentUse(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		inside, turns := 0, 0
		for range 6 {
			l := q.Member().Locker(lock.Config{TTL: 3 * time.Second})
			for range 2 {
				wg.Go(func() {
					for until := time.Now().Add(2 * time.Minute); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
						lease, err := l.Acquire(t.Context(), key, lock.Terms{Wait: 5 * time.Second})
						if err != nil {
							continue
						}
						mu.Lock()
						if inside++; inside > 1 {
							t.Error("two holders at a time")
						}
						turns++
						mu.Unlock()
						select {
						case <-lease.Context().Done():
						case <-time.After(2 * time.Second):
						}
						_, _, _ = lease.State(), lease.Fences(), lease.Attempt()
						mu.Lock()
						inside--
						mu.Unlock()
						go lease.Release(t.Context())
						_ = lease.Release(t.Context())
					}
				})
			}
		}
		for i := range 20 {
			f := q.Of[i%3]
			strike := []func(*bubble.Fleet){(*bubble.Fleet).Down, (*bubble.Fleet).Freeze, (*bubble.Fleet).Vanish}[i%2]
			strike(f)
			time.Sleep(4 * time.Second)
			f.Up()
			f.Thaw()
			time.Sleep(2 * time.Second)
		}
		wg.Wait()
		if turns < 20 {
			t.Errorf("%d turns in two minutes", turns)
		}
	})
}
