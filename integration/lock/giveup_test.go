package lock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// Giving up a lease that was lost says so, whatever stands under the key by then; and giving up one that
// was not says nothing of the kind, however often it is sent.

var givingUp = map[string]func(*lock.Lease, context.Context) error{"release": (*lock.Lease).Release, "abandon": (*lock.Lease).Abandon}

func TestGivingUpALostLeaseSaysSo(t *testing.T) {
	for name, tc := range map[string]struct {
		meanwhile func(*testing.T, *bubble.Fleet, *lock.Locker)
		with      error
	}{
		"another has come and gone": {func(t *testing.T, _ *bubble.Fleet, other *lock.Locker) {
			if err := grant(t, other, anyone).Release(t.Context()); err != nil {
				t.Error(err)
			}
		}, lock.ErrLost},
		"another holds it": {func(t *testing.T, _ *bubble.Fleet, other *lock.Locker) { grant(t, other, anyone) }, lock.ErrHeld},
		"another has committed": {func(t *testing.T, _ *bubble.Fleet, other *lock.Locker) {
			commit(t, grant(t, other, anyone), lock.StoredNow)
		}, lock.ErrDone},
		"nobody came":         {func(*testing.T, *bubble.Fleet, *lock.Locker) {}, lock.ErrLost},
		"Redis is away":       {func(_ *testing.T, f *bubble.Fleet, _ *lock.Locker) { f.Down() }, lock.ErrUnavailable},
		"Redis has forgotten": {func(_ *testing.T, f *bubble.Fleet, _ *lock.Locker) { f.Redis.FlushAll() }, lock.ErrLost},
	} {
		for op, end := range givingUp {
			t.Run(name+"/"+op, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					a := f.Machine()
					lease := grant(t, a.Locker(lock.Config{}), anyone)
					lapse(t, a, lease)
					tc.meanwhile(t, f, f.Machine().Locker(lock.Config{}))
					for range 2 {
						err := end(lease, t.Context())
						if is(t, err, lock.ErrLost, tc.with); lease.State() != lock.Lost {
							t.Errorf("state %d, want Lost", lease.State())
						}
					}
					ended(t, lease, lock.ErrLost)
				})
			})
		}
	}
}

// Time alone tells, where nothing has been heard of the loss: a machine that was stopped, say.
func TestGivingUpAfterTheLeaseRanOut(t *testing.T) {
	bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
		for op, end := range givingUp {
			a := q.Member()
			lease := grant(t, a.Locker(lock.Config{}), anyone)
			settled()
			for _, to := range a.To {
				to.Down()
			}
			time.Sleep(ttl)
			for _, to := range a.To {
				to.Up()
			}
			if is(t, end(lease, t.Context()), lock.ErrLost); lease.State() != lock.Lost {
				t.Errorf("%s: state %d", op, lease.State())
			}
			settled()
			for _, f := range q.Of {
				f.Redis.FlushAll()
			}
		}
	})
}

// The first sending has freed the key, and its reply was lost; the second finds what came after. That is
// no loss: nobody had the key while it was ours.
func TestGivingUpTwiceIsNoLoss(t *testing.T) {
	for name, next := range map[string]func(*testing.T, *lock.Locker){
		"nobody came":      func(*testing.T, *lock.Locker) {},
		"another holds it": func(t *testing.T, other *lock.Locker) { grant(t, other, anyone) },
		"another has given it up": func(t *testing.T, other *lock.Locker) {
			if err := grant(t, other, anyone).Abandon(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"another has committed": func(t *testing.T, other *lock.Locker) { commit(t, grant(t, other, anyone), lock.StoredNow) },
	} {
		for op, end := range givingUp {
			check := func(t *testing.T, lease *lock.Lease, err error) {
				if err != nil || lease.State() != lock.Ended {
					t.Errorf("%v, state %d, want nil and Ended", err, lease.State())
				}
			}
			t.Run(name+"/"+op+" by the client", func(t *testing.T) {
				for kind, options := range clients {
					bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
						a, other := f.Machine(options), f.Machine().Locker(lock.Config{})
						lease := grant(t, a.Locker(lock.Config{}), anyone)
						a.On(op, bubble.Fault{Meanwhile: func() { next(t, other) }, LoseReply: true})
						check(t, lease, end(lease, t.Context()))
						if t.Failed() {
							t.Log(kind)
						}
						a.WantTrips("begin", op, op)
					})
				}
			})
			t.Run(name+"/"+op+" by the caller", func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					a, other := f.Machine(func(o *redis.Options) { o.MaxRetries = -1 }), f.Machine().Locker(lock.Config{})
					lease := grant(t, a.Locker(lock.Config{}), anyone)
					a.On(op, bubble.Fault{Meanwhile: func() { next(t, other) }, LoseReply: true})
					is(t, end(lease, t.Context()), lock.ErrUnavailable)
					check(t, lease, end(lease, t.Context()))
				})
			})
		}
	}
}

func TestQuorumGivingUpTwiceIsNoLoss(t *testing.T) {
	for op, end := range givingUp {
		bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
			a, other := q.Member(), q.Member().Locker(lock.Config{})
			lease := grant(t, a.Locker(lock.Config{}), anyone)
			settled()
			next := make(chan *lock.Lease, 1)
			a.To[0].On(op, bubble.LoseReply)
			a.To[1].On(op, bubble.LoseReply)
			a.To[2].On(op, bubble.Fault{DelayReply: time.Second})
			for _, to := range a.To[:2] {
				// The second sending waits until another has the key.
				to.On(op, bubble.Fault{DelayCommand: 100 * time.Millisecond})
			}
			time.AfterFunc(50*time.Millisecond, func() { next <- grant(t, other, anyone) })
			if err := end(lease, t.Context()); err != nil || lease.State() != lock.Ended {
				t.Errorf("%s: %v, state %d", op, err, lease.State())
			}
			if (<-next).Attempt() == 0 {
				t.Error("nobody had the key meanwhile")
			}
		})
	}
}

// What was sent once and finds the key another's proves that it was lost, also when Redis had to be told
// the script anew.
func TestGivingUpOnceFindsTheLoss(t *testing.T) {
	for name, flush := range map[string]bool{"": false, " after SCRIPT FLUSH": true} {
		for op, end := range givingUp {
			t.Run(op+name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					a, other := f.Machine(), f.Machine().Locker(lock.Config{})
					lease := grant(t, a.Locker(lock.Config{}), anyone)
					f.Redis.FlushAll()
					next := grant(t, other, anyone)
					if flush {
						if err := a.Client.ScriptFlush(t.Context()).Err(); err != nil {
							t.Fatal(err)
						}
					}
					if is(t, end(lease, t.Context()), lock.ErrLost, lock.ErrHeld); lease.State() != lock.Lost {
						t.Errorf("state %d", lease.State())
					}
					commit(t, next, lock.StoredNow)
				})
			})
		}
	}
}

// A deferred Release after a commit is nothing to complain of.
func TestReleaseAfterCommit(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		lease := grant(t, f.Machine().Locker(lock.Config{}), anyone)
		commit(t, lease, lock.StoredNow)
		if err := lease.Release(t.Context()); err != nil || lease.State() != lock.Ended {
			t.Errorf("%v, state %d", err, lease.State())
		}
		stands(t, f, string(value(lease)))
	})
}

// Nor is giving up after a commit whose reply was lost, though renewal doesn't find the claim any more: what
// stands under the key may be its own.
func TestGivingUpAfterACommitThatMayHaveArrived(t *testing.T) {
	for op, end := range givingUp {
		for name, pause := range map[string]time.Duration{"at once": 0, "after a renewal": ttl/3 + time.Second} {
			t.Run(op+" "+name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					a := f.Machine(func(o *redis.Options) { o.MaxRetries = -1 })
					lease := grant(t, a.Locker(lock.Config{}), anyone)
					a.On("commit", bubble.LoseReply)
					_, err := lease.Commit(t.Context(), value(lease), time.Hour)
					is(t, err, lock.ErrUnavailable)
					time.Sleep(pause)
					if err := end(lease, t.Context()); err != nil || lease.State() != lock.Ended {
						t.Errorf("%v, state %d, want nil and Ended", err, lease.State())
					}
					stands(t, f, string(value(lease)))
				})
			})
		}
	}
}

// Work that has given its lost lease up by itself has said what is to become of the key: Do tells of the
// loss, and adds nothing.
func TestDoLeavesALostLeaseAloneThatHasEnded(t *testing.T) {
	for _, failure := range []error{nil, errWork} {
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			a := f.Machine()
			err := a.Locker(lock.Config{}).Do(t.Context(), key, func(ctx context.Context, lease *lock.Lease) error {
				lapse(t, a, lease)
				is(t, lease.Abandon(t.Context()), lock.ErrLost)
				return failure
			})
			if is(t, err, lock.ErrLost); !errors.Is(err, failure) && failure != nil {
				t.Errorf("got %v, want it to be: %v", err, failure)
			}
			if next := grant(t, f.Machine().Locker(lock.Config{}), anyone); next.Attempt() != 2 {
				t.Errorf("attempt %d, want 2", next.Attempt())
			}
		})
	}
}
