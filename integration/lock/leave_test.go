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

// A caller who leaves while a lock is on its way to him, and a Redis that answers late or never,
// leave nothing held.

var errGone = errors.New("the caller has gone")

// disobedient is a client that waits for a server longer than its caller does: go-redis's default.
func disobedient(o *redis.Options) { o.ContextTimeoutEnabled = false }

var clients = map[string]func(*redis.Options){
	"ContextTimeoutEnabled": func(*redis.Options) {},
	"ContextTimeout off":    disobedient,
}

func TestLockWonForACallerWhoHasGoneIsHandedBack(t *testing.T) {
	for name, options := range clients {
		t.Run("cancel/"+name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine(options)
				ctx, cancel := context.WithCancelCause(t.Context())
				a.On("begin", bubble.Meanwhile(func() { cancel(errGone) }))
				lease, err := a.Locker(lock.Config{}).TryAcquire(ctx, key, anyone)
				is(t, err, errGone)
				if lease != nil {
					t.Error("got a lease")
				}
				free(t, f)
				a.WantTrips("begin", "release")
			})
		})
		t.Run("deadline/"+name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine(options)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				a.On("begin", bubble.Fault{DelayReply: 1500 * time.Millisecond})
				_, err := a.Locker(lock.Config{}).TryAcquire(ctx, key, anyone)
				is(t, err, context.DeadlineExceeded)
				free(t, f)
				a.WantTrips("begin", "release")
			})
		})
	}
}

// Handing back must not forget that an earlier attempt's outcome is unknown.
func TestTakeoverForACallerWhoHasGoneStaysAbandoned(t *testing.T) {
	for name, tc := range map[string]struct {
		options func(*redis.Options)
		fault   func(cancel func()) bubble.Fault
	}{
		"cancel":                 {func(*redis.Options) {}, bubble.Meanwhile},
		"no answer":              {func(o *redis.Options) { o.MaxRetries = -1 }, func(func()) bubble.Fault { return bubble.LoseReply }},
		"answer after giving up": {disobedient, func(func()) bubble.Fault { return bubble.Fault{DelayReply: 3 * time.Second} }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine(tc.options)
				l := a.Locker(lock.Config{})
				if err := grant(t, l, anyone).Abandon(t.Context()); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				a.On("begin", tc.fault(cancel))
				if lease, err := l.TryAcquire(ctx, key, anyone); lease != nil || err == nil {
					t.Fatalf("granted %v, %v", lease != nil, err)
				}
				time.Sleep(5 * time.Second)
				refused[*lock.AbandonedError](t, l, lock.Terms{LeaveAbandoned: true})
				if next := grant(t, l, anyone); next.Attempt() != 2 {
					t.Errorf("attempt %d, want 2: the first is not forgotten, and the other was none", next.Attempt())
				}
			})
		})
	}
}

func TestCallerWhoHasGoneAsksForNothing(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errGone)
		l := a.Locker(lock.Config{})
		_, err := l.TryAcquire(ctx, key, anyone)
		is(t, err, errGone)
		_, err = l.Acquire(ctx, key, anyone)
		is(t, err, errGone)
		a.WantTrips()
	})
}

// The grant took effect, but its reply is lost for good: it is undone behind the caller's back.
func TestGrantThatIsNeverAnsweredIsHandedBack(t *testing.T) {
	for name, fault := range map[string]bubble.Fault{"connection lost": bubble.LoseReply, "connection hangs": bubble.Unanswered} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine(func(o *redis.Options) { o.MaxRetries = -1 })
				a.On("begin", fault)
				_, err := a.Locker(lock.Config{}).TryAcquire(t.Context(), key, anyone)
				is(t, err, lock.ErrUnavailable)
				time.Sleep(time.Second)
				free(t, f)
				a.WantTrips("begin", "release")
			})
		})
	}
}

// Redis hangs while a lock is asked for: the caller is answered within Config.Timeout, and what
// comes of his question later is undone.
func TestHungServerKeepsNobodyLongerThanTimeout(t *testing.T) {
	for name, options := range clients {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine(options)
				l := a.Locker(lock.Config{Timeout: 500 * time.Millisecond})
				if err := grant(t, l, anyone).Release(t.Context()); err != nil { // the connection stands
					t.Fatal(err)
				}
				start := time.Now()
				f.Freeze()
				_, err := l.TryAcquire(t.Context(), key, anyone)
				is(t, err, lock.ErrUnavailable)
				if took := time.Since(start); took != 500*time.Millisecond {
					t.Errorf("it took %v, want 500ms", took)
				}
				time.Sleep(200 * time.Millisecond)
				f.Thaw()
				time.Sleep(time.Second)
				free(t, f)
			})
		})
	}
}

// A server that is back after its reply was given up for lost brings a grant that nobody waits for.
func TestGrantThatComesTooLateIsHandedBack(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine(disobedient)
		a.On("begin", bubble.Fault{DelayReply: 3 * time.Second})
		a.On("release", bubble.Fault{DelayCommand: bubble.Forever}) // the first attempt to undo it fails
		start := time.Now()
		_, err := a.Locker(lock.Config{}).TryAcquire(t.Context(), key, anyone)
		is(t, err, lock.ErrUnavailable)
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("it took %v, want Timeout, 2s", took)
		}
		refused[*lock.HeldError](t, f.Machine().Locker(lock.Config{}), anyone)
		time.Sleep(1100 * time.Millisecond)
		free(t, f)
		a.WantTrips("begin", "release", "release")
	})
}

func TestEveryCallEndsWithinTimeout(t *testing.T) {
	for name, options := range clients {
		for how, strike := range map[string]func(*bubble.Fleet){"hung": (*bubble.Fleet).Freeze, "down": (*bubble.Fleet).Down, "vanished": (*bubble.Fleet).Vanish} {
			t.Run(how+"/"+name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					l := f.Machine(options).Locker(lock.Config{})
					lease := grant(t, l, anyone)
					strike(f)
					for op, call := range map[string]func() error{
						"acquire": func() error { _, err := l.TryAcquire(t.Context(), "other", anyone); return err },
						"wait":    func() error { _, err := l.Acquire(t.Context(), "other", anyone); return err },
						"commit":  func() error { _, err := lease.Commit(t.Context(), value(lease), retention); return err },
						"abandon": func() error { return lease.Abandon(t.Context()) },
						"release": func() error { return lease.Release(t.Context()) },
					} {
						start := time.Now()
						err := call()
						is(t, err, lock.ErrUnavailable)
						if took := time.Since(start); took > 2*time.Second+time.Microsecond {
							t.Errorf("%s took %v, want at most Timeout, 2s: %v", op, took, err)
						}
					}
				})
			})
		}
	}
}

// The end of the caller's context doesn't stop what ends a lease.
func TestEndingALeaseOutlivesTheCaller(t *testing.T) {
	for op, call := range map[string]func(context.Context, *lock.Lease) error{
		"commit": func(ctx context.Context, l *lock.Lease) error {
			_, err := l.Commit(ctx, value(l), retention)
			return err
		},
		"abandon": func(ctx context.Context, l *lock.Lease) error { return l.Abandon(ctx) },
		"release": func(ctx context.Context, l *lock.Lease) error { return l.Release(ctx) },
	} {
		for name, options := range clients {
			t.Run(op+"/"+name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					a := f.Machine(options)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					lease, err := a.Locker(lock.Config{}).TryAcquire(ctx, key, anyone)
					if err != nil {
						t.Fatal(err)
					}
					cancel()
					if lease.Context().Err() == nil {
						t.Error("the lease's context goes on without the caller's")
					}
					if err := call(ctx, lease); err != nil {
						t.Error(err)
					}
					a.WantTrips("begin", op)
				})
			})
		}
	}
}

func TestDetachedLeaseOutlivesTheCaller(t *testing.T) {
	type name struct{}
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), name{}, "value"))
		lease, err := f.Machine().Locker(lock.Config{}).TryAcquire(ctx, key, lock.Terms{Detached: true})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		live(t, lease)
		if lease.Context().Value(name{}) != "value" {
			t.Error("the caller's values are gone")
		}
		if _, ok := lease.Context().Deadline(); ok {
			t.Error("the caller's deadline has stayed")
		}
		commit(t, lease, lock.StoredNow)
		ended(t, lease, context.Canceled)
	})
}
