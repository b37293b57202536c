package lock_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// settled waits until all that is under way has come to its end: late votes, and what is handed back.
func settled() { time.Sleep(time.Millisecond) }

// owners returns who has a live claim in each deployment: tokens, or nothing.
func owners(q *bubble.Quorum) (owners [3]string) {
	for i, f := range q.Of {
		value, _ := f.Redis.Get(key)
		if parts := strings.Fields(value); f.Redis.TTL(key) > remember && len(parts) == 6 {
			owners[i] = parts[5]
		}
	}
	return owners
}

// heldAt checks in which deployments a lease holds its key, by their indices, and that nobody has it
// elsewhere.
func heldAt(t *testing.T, q *bubble.Quorum, lease *lock.Lease, at ...int) {
	t.Helper()
	var want [3]string
	for _, i := range at {
		want[i] = lease.Owner()
	}
	if got := owners(q); got != want {
		t.Errorf("held by %q, want %q", got, want)
	}
}

// freeEverywhere checks that nothing is under the key in any deployment.
func freeEverywhere(t *testing.T, q *bubble.Quorum) {
	t.Helper()
	for _, f := range q.Of {
		free(t, f)
	}
}

func release(t *testing.T, lease *lock.Lease) {
	t.Helper()
	if err := lease.Release(t.Context()); err != nil {
		t.Errorf("release: %v", err)
	}
}

var outages = map[string]func(*bubble.Fleet){"down": (*bubble.Fleet).Down, "hung": (*bubble.Fleet).Freeze, "vanished": (*bubble.Fleet).Vanish}

func TestQuorumOfAll(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		a, b := q.Member(), q.Member()
		lease := grant(t, a.Locker(lock.Config{}), lock.Terms{Fingerprint: "one"})
		settled()
		heldAt(t, q, lease, 0, 1, 2)
		if lease.Attempt() != 1 {
			t.Errorf("attempt %d, want 1", lease.Attempt())
		}
		time.Sleep(time.Second - time.Millisecond)
		other := b.Locker(lock.Config{})
		held := refused[*lock.HeldError](t, other, lock.Terms{Fingerprint: "other"})
		if held.Claim.Owner != lease.Owner() || held.Claim.Fingerprint != "one" || held.Left != ttl-time.Second {
			t.Errorf("got %+v", held)
		}
		settled()
		release(t, lease)
		settled()
		freeEverywhere(t, q)
		ended(t, lease, errCanceled)
		for i := range a.To {
			a.To[i].WantTrips("begin", "release")
			b.To[i].WantTrips("begin") // a definite no is not asked again
		}
		release(t, grant(t, other, anyone))
	})
}

// Whichever it is and however it is away, nobody waits for it.
func TestQuorumWithoutOneDeployment(t *testing.T) {
	for name, strike := range outages {
		for i := range 3 {
			for client, options := range clients {
				t.Run(name+"/"+client, func(t *testing.T) {
					bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
						a, b := q.Member(options), q.Member(options)
						strike(q.Of[i])
						start := time.Now()
						lease := grant(t, a.Locker(lock.Config{}), anyone)
						for time.Since(start) < 4*ttl {
							refused[*lock.HeldError](t, b.Locker(lock.Config{}), anyone)
							live(t, lease)
							time.Sleep(3 * time.Second)
						}
						begun := time.Now()
						release(t, lease)
						next := grant(t, b.Locker(lock.Config{}), anyone)
						attempt(t, next, nil, 1)
						release(t, next)
						if took := time.Since(begun); took != 0 {
							t.Errorf("they waited %v for a deployment that is away", took)
						}
					})
				})
			}
		}
	}
}

func TestQuorumWithoutTwoDeployments(t *testing.T) {
	for name, strike := range outages {
		for client, options := range clients {
			t.Run(name+"/"+client, func(t *testing.T) {
				bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
					a := q.Member(options)
					l := a.Locker(lock.Config{})
					strike(q.Of[0])
					strike(q.Of[2])
					start := time.Now()
					lease, err := l.TryAcquire(t.Context(), key, anyone)
					is(t, err, lock.ErrUnavailable)
					if lease != nil || errors.Is(err, lock.ErrHeld) {
						t.Errorf("got %v, %v", lease, err)
					}
					for _, want := range []string{"of 3 deployments 1 said yes and 0 no", "clients[0]: ", "clients[2]: "} {
						if !strings.Contains(err.Error(), want) {
							t.Errorf("%q doesn't say %q", err, want)
						}
					}
					if took := time.Since(start); took > 2*time.Second+time.Microsecond {
						t.Errorf("it took %v, want at most Timeout, 2s", took)
					}
					freeEverywhere(t, q) // also what the one has granted
					a.To[1].WantTrips("begin", "release")
				})
			})
		}
	}
}

// Three askers win one deployment each. All give way, and if they wait, one of them gets the key.
func TestQuorumSplitVote(t *testing.T) {
	const third = time.Millisecond
	setup := func(t *testing.T, q *bubble.Quorum) (lockers []*lock.Locker) {
		for own := range 3 {
			m := q.Member()
			l := m.Locker(lock.Config{})
			lease := grant(t, l, anyone) // so that connections stand
			settled()
			release(t, lease)
			settled()
			for i := range m.To {
				if i != own {
					m.To[i].On("begin", bubble.Fault{DelayCommand: third})
				}
			}
			m.To[own].On("release", bubble.Fault{DelayCommand: third}) // nobody gives way before all have asked
			lockers = append(lockers, l)
		}
		return lockers
	}
	terms := []lock.Terms{{}, {Fingerprint: "one"}, {Fingerprint: "other"}}
	t.Run("once", func(t *testing.T) {
		bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
			results := make(chan error)
			for i, l := range setup(t, q) {
				go func() {
					_, err := l.TryAcquire(t.Context(), key, terms[i])
					results <- err
				}()
			}
			for range 3 {
				is(t, <-results, lock.ErrHeld)
			}
			settled()
			freeEverywhere(t, q)
		})
	})
	t.Run("waiting", func(t *testing.T) {
		bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
			var askers sync.WaitGroup
			var leases [3]*lock.Lease
			var errs [3]error
			for i, l := range setup(t, q) {
				askers.Go(func() { leases[i], errs[i] = l.Acquire(t.Context(), key, terms[i]) })
			}
			askers.Wait()
			won := slices.IndexFunc(leases[:], func(l *lock.Lease) bool { return l != nil })
			if won < 0 {
				t.Fatalf("nobody got the key, which nobody holds: %v", errs)
			}
			for i, err := range errs {
				// Another fingerprint's holder is not waited for, once there is one.
				if held, _ := errors.AsType[*lock.HeldError](err); i != won && (held == nil || held.Claim.Owner != leases[won].Owner()) {
					t.Errorf("got %v, want it to be held by the other", err)
				}
			}
			release(t, leases[won])
			settled()
			freeEverywhere(t, q)
		})
	})
}

// A deployment that did not answer may have granted the key.
func TestQuorumLostReplies(t *testing.T) {
	once := func(o *redis.Options) { o.MaxRetries = -1 }
	for name, fault := range map[string]bubble.Fault{"connection lost": bubble.LoseReply, "connection hangs": bubble.Unanswered} {
		t.Run("minority/"+name, func(t *testing.T) {
			bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
				a := q.Member(once)
				a.To[1].On("begin", fault)
				lease := grant(t, a.Locker(lock.Config{}), anyone)
				time.Sleep(6 * time.Second)
				heldAt(t, q, lease, 0, 1, 2)
				a.To[1].WantTrips("begin", "renew")
				if fences := lease.Fences(); fences[0] == 0 || fences[1] != 0 || fences[2] == 0 {
					t.Errorf("fences %v, want those of the deployments that answered", fences)
				}
				release(t, lease)
				settled()
				freeEverywhere(t, q)
			})
		})
		t.Run("majority/"+name, func(t *testing.T) {
			bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
				a := q.Member(once)
				a.To[1].On("begin", fault)
				a.To[2].On("begin", fault)
				_, err := a.Locker(lock.Config{}).TryAcquire(t.Context(), key, anyone)
				is(t, err, lock.ErrUnavailable)
				settled()
				freeEverywhere(t, q)
				for _, to := range a.To {
					to.WantTrips("begin", "release")
				}
			})
		})
	}
}

// What is granted after the question was decided is not left lying about.
func TestQuorumLateGrants(t *testing.T) {
	for name, late := range map[string]bubble.Fault{
		"late question": {DelayCommand: time.Second}, "late answer": {DelayReply: time.Second},
	} {
		t.Run("released/"+name, func(t *testing.T) {
			bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
				a := q.Member()
				a.To[2].On("begin", late)
				release(t, grant(t, a.Locker(lock.Config{}), anyone))
				time.Sleep(1100 * time.Millisecond)
				freeEverywhere(t, q)
			})
		})
		t.Run("held/"+name, func(t *testing.T) {
			bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
				a := q.Member()
				a.To[2].On("begin", late)
				lease := grant(t, a.Locker(lock.Config{}), anyone)
				time.Sleep(1100 * time.Millisecond)
				heldAt(t, q, lease, 0, 1, 2)
				a.To[2].WantTrips("begin")
			})
		})
		t.Run("refused/"+name, func(t *testing.T) {
			bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
				a, b := q.Member(), q.Member()
				q.Of[2].Freeze()
				lease := grant(t, a.Locker(lock.Config{TTL: time.Minute}), anyone)
				time.Sleep(10 * time.Second)
				for _, m := range a.To {
					m.Down() // it renews no more, and takes nothing back
				}
				q.Of[2].Thaw()
				q.Of[2].Redis.FlushAll()
				b.To[2].On("begin", late)
				start := time.Now()
				refused[*lock.HeldError](t, b.Locker(lock.Config{}), anyone)
				if took := time.Since(start); took != 0 {
					t.Errorf("it took %v to hear a majority", took)
				}
				time.Sleep(1100 * time.Millisecond)
				heldAt(t, q, lease, 0, 1)
				free(t, q.Of[2])
			})
		})
	}
}

func TestQuorumWonForACallerWhoHasGoneIsHandedBack(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		a := q.Member()
		ctx, cancel := context.WithCancelCause(t.Context())
		a.To[0].On("begin", bubble.Meanwhile(func() { cancel(errGone) }))
		a.To[1].On("begin", bubble.Fault{DelayReply: time.Second})
		a.To[2].On("begin", bubble.Fault{DelayReply: time.Second})
		l := a.Locker(lock.Config{})
		lease, err := l.TryAcquire(ctx, key, anyone)
		is(t, err, errGone)
		if lease != nil {
			t.Error("got a lease")
		}
		settled()
		freeEverywhere(t, q)
		_, err = l.TryAcquire(ctx, key, anyone)
		is(t, err, errGone)
		for _, to := range a.To {
			to.WantTrips("begin", "release")
		}
	})
}

func TestQuorumAcquireWaitsForTheHolder(t *testing.T) {
	for i := range 3 {
		bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
			a, b := q.Member(), q.Member()
			q.Of[i].Down()
			first := grant(t, a.Locker(lock.Config{}), anyone)
			result := waiting(t, t.Context(), b.Locker(lock.Config{}), anyone)
			time.Sleep(40 * time.Second)
			if i == 0 {
				release(t, first)
			} else if err := first.Abandon(t.Context()); err != nil {
				t.Error(err)
			}
			next, err, took := result()
			attempt(t, next, err, 1+min(i, 1))
			if took > 40*time.Second+250*time.Millisecond {
				t.Errorf("it took %v, want at most the longest pause more than 40s", took)
			}
		})
	}
}

// Check asks every deployment. (Miniredis tells next to nothing of itself.)
func TestQuorumCheck(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		a := q.Member()
		q.Of[1].Down()
		err := a.Locker(lock.Config{Strict: true}).Check(t.Context(), "reprise:")
		joined, _ := err.(interface{ Unwrap() []error })
		if joined == nil {
			t.Fatalf("got %v", err)
		}
		found := map[string]int{}
		for _, err := range joined.Unwrap() {
			e, _ := errors.AsType[*lock.SettingError](err)
			found[e.Setting]++
		}
		if found["INFO"] != 1 || found["role"] != 2 {
			t.Errorf("found %v, want INFO of one deployment, and the role of two", found)
		}
	})
}

func TestQuorumCountsConfirmedGrantsAlone(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		a := q.Member()
		l := a.Locker(lock.Config{Acks: 1})
		for _, f := range q.Of {
			f.Replicas(1)
		}
		lost := q.Of[0].Replicas(0)
		lease := grant(t, l, anyone)
		time.Sleep(4 * ttl)
		live(t, lease)
		q.Of[1].Replicas(0)
		<-lease.Context().Done()
		ended(t, lease, lock.ErrLost)
		time.Sleep(ttl)
		_, err := l.TryAcquire(t.Context(), key, anyone)
		is(t, err, lock.ErrUnavailable, lock.ErrUnconfirmed)
		lost.Store(1)
		settled()
		attempt(t, grant(t, l, anyone), nil, 2)
	})
}
