package lock_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// A log of what a Trace is told.
type log struct {
	mu     sync.Mutex
	events []string
}

func (g *log) trace() *lock.Trace {
	note := func(s string, l *lock.Lease) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.events = append(g.events, s)
		if lost := context.Cause(l.Context()) == lock.ErrLost; lost != (s == "lost") {
			g.events = append(g.events, fmt.Sprintf("with cause %v", context.Cause(l.Context())))
		}
	}
	return &lock.Trace{
		Suspended: func(l *lock.Lease, err error) { note("suspended", l); g.check(err) },
		Resumed:   func(l *lock.Lease) { note("resumed", l) },
		Lost:      func(l *lock.Lease) { note("lost", l) },
	}
}

func (g *log) check(err error) {
	if err == nil {
		g.events = append(g.events, "without an error")
	}
}

func (g *log) want(t *testing.T, events ...string) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Equal(g.events, events) {
		t.Errorf("traced %q, want %q", g.events, events)
	}
}

func TestSuspendedIsToldFromLost(t *testing.T) {
	for how, strike := range map[string]func(*bubble.Fleet){"down": (*bubble.Fleet).Down, "hung": (*bubble.Fleet).Freeze} {
		t.Run(how, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				var told log
				lease := grant(t, f.Machine().Locker(lock.Config{Trace: told.trace()}), anyone)
				time.Sleep(4 * time.Second)
				strike(f)
				time.Sleep(4 * time.Second) // a renewal has failed at 5 s, or by 7 s
				told.want(t, "suspended")
				if lease.State() != lock.Suspended || lease.Context().Err() != nil {
					t.Errorf("state %d, cause %v, want Suspended", lease.State(), context.Cause(lease.Context()))
				}
				f.Up()
				f.Thaw()
				time.Sleep(3 * time.Second)
				told.want(t, "suspended", "resumed")
				live(t, lease)
				time.Sleep(time.Minute)
				told.want(t, "suspended", "resumed")
				commit(t, lease, lock.StoredNow)
			})
		})
	}
}

// The context ends before the lease does in Redis, whose clock may run a little faster.
func TestLossIsKnownBeforeRedisLetsGo(t *testing.T) {
	for how, strike := range map[string]func(*bubble.Fleet){
		"down": (*bubble.Fleet).Down, "hung": (*bubble.Fleet).Freeze, "vanished": (*bubble.Fleet).Vanish,
		"read-only": func(f *bubble.Fleet) { f.Refuse("READONLY You can't write against a read only replica.") },
		"failing":   func(f *bubble.Fleet) { f.Refuse("ERR out of order") },
	} {
		for name, options := range clients {
			t.Run(how+"/"+name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					var told log
					a := f.Machine(options)
					lease := grant(t, a.Locker(lock.Config{Trace: told.trace()}), anyone)
					time.Sleep(6 * time.Second) // renewed once, at 5 s
					a.WantTrips("begin", "renew")
					strike(f)
					<-lease.Context().Done()
					ended(t, lease, lock.ErrLost)
					if lease.State() != lock.Lost {
						t.Errorf("state %d, want Lost", lease.State())
					}
					left := f.Redis.TTL(key) - remember
					if left <= 0 || left > ttl/50 {
						t.Errorf("the lease has %v left in Redis, want a little", left)
					}
					time.Sleep(time.Second)
					told.want(t, "suspended", "lost")
				})
			})
		}
	}
}

// A lease counts from when it was asked for: its beginning in Redis, no later than the answer, is
// not known better.
func TestLeaseCountsFromTheQuestion(t *testing.T) {
	for _, op := range []string{"begin", "renew"} {
		for name, fault := range map[string]bubble.Fault{
			"late answer":   {DelayReply: 1900 * time.Millisecond},
			"late question": {DelayCommand: 1900 * time.Millisecond},
		} {
			t.Run(op+"/"+name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					a := f.Machine()
					a.On(op, fault)
					lease := grant(t, a.Locker(lock.Config{}), anyone)
					if op == "renew" {
						time.Sleep(7 * time.Second) // it is answered at 6.9 s
					}
					live(t, lease)
					f.Freeze()
					<-lease.Context().Done()
					ended(t, lease, lock.ErrLost)
					left := f.Redis.TTL(key) - remember
					if least := fault.DelayCommand + 100*time.Millisecond; left < least || left > least+ttl/50 {
						t.Errorf("the lease has %v left in Redis, want a little more than %v", left, fault.DelayCommand)
					}
				})
			})
		}
	}
}

func TestLossIsKnownAtOnceWhenAnotherHolds(t *testing.T) {
	for name, steal := range map[string]func(*bubble.Fleet){
		"vanished":  func(f *bubble.Fleet) { f.Redis.FlushAll() },
		"committed": func(f *bubble.Fleet) { f.Redis.Set(key, "R another's") },
		"lapsed":    func(f *bubble.Fleet) { f.Redis.SetTTL(key, remember) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				var told log
				a := f.Machine()
				lease := grant(t, a.Locker(lock.Config{Trace: told.trace()}), anyone)
				start := time.Now()
				steal(f)
				before := f.Redis.Dump()
				<-lease.Context().Done()
				ended(t, lease, lock.ErrLost)
				if took := time.Since(start); took != 5*time.Second {
					t.Errorf("it took %v, want it at the next renewal, after 5s", took)
				}
				time.Sleep(time.Minute)
				told.want(t, "lost")
				a.WantTrips("begin", "renew")
				if after := f.Redis.Dump(); after != before {
					t.Errorf("Redis holds\n%swant\n%s", after, before)
				}
			})
		})
	}
}

func TestLongestHold(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var told log
		a := f.Machine()
		l := a.Locker(lock.Config{MaxHold: time.Minute, Trace: told.trace()})
		for _, end := range []string{"commit", "abandon", "too late"} {
			start := time.Now()
			lease := grant(t, l, anyone)
			<-lease.Context().Done()
			ended(t, lease, lock.ErrMaxHold)
			if took := time.Since(start); took != 58*time.Second {
				t.Errorf("worked for %v, want MaxHold less Timeout, 58s", took)
			}
			told.want(t)
			// The lease runs on to the end of MaxHold, and nobody else gets the key before.
			if lease.State() != lock.Live {
				t.Errorf("state %d, want Live", lease.State())
			}
			a.WantTrips(slices.Concat([]string{"begin"}, slices.Repeat([]string{"renew"}, 11))...)
			time.Sleep(time.Second)
			a.WantTrips()
			if held := refused[*lock.HeldError](t, f.Machine().Locker(lock.Config{}), anyone); held.Left != time.Second {
				t.Errorf("%v left, want it to end with MaxHold", held.Left)
			}
			switch end {
			case "commit":
				commit(t, lease, lock.StoredNow)
				f.Redis.FlushAll()
				a.WantTrips("commit")
			case "abandon":
				if err := lease.Abandon(t.Context()); err != nil {
					t.Error(err)
				}
				a.WantTrips("abandon")
			case "too late":
				time.Sleep(time.Second)
				told.want(t, "lost", "with cause "+lock.ErrMaxHold.Error())
				if next := grant(t, f.Machine().Locker(lock.Config{}), anyone); next.Attempt() != 3 {
					t.Errorf("attempt %d, want 3", next.Attempt())
				}
			}
		}
	})
}

// However its times fall, a key is never held longer than MaxHold, and its context ends before.
func TestNothingIsHeldLongerThanMaxHold(t *testing.T) {
	for _, cfg := range []lock.Config{
		{TTL: time.Second, MaxHold: time.Second},
		{TTL: time.Second, MaxHold: 1700 * time.Millisecond, Timeout: 500 * time.Millisecond},
		{TTL: 100 * time.Millisecond, MaxHold: 101 * time.Millisecond},
		{MaxHold: 31 * time.Second, Renew: 7 * time.Second},
		{MaxHold: time.Minute, Renew: time.Second, Timeout: 10 * time.Millisecond},
	} {
		hold := func(t *testing.T, l *lock.Locker, ask *lock.Locker) {
			start := time.Now()
			lease := grant(t, l, anyone)
			<-lease.Context().Done()
			c := cfg.WithDefaults()
			if took := time.Since(start); took != cfg.MaxHold-max(c.Timeout, c.TTL/50) || context.Cause(lease.Context()) != lock.ErrMaxHold {
				t.Errorf("%+v: %v after %v", cfg, context.Cause(lease.Context()), took)
			}
			time.Sleep(cfg.MaxHold - time.Since(start) - 2*time.Millisecond)
			refused[*lock.HeldError](t, ask, anyone)
			time.Sleep(2 * time.Millisecond)
			if next := grant(t, ask, anyone); next.Attempt() != 2 {
				t.Errorf("%+v: attempt %d, want 2", cfg, next.Attempt())
			}
			if lease.State() != lock.Lost {
				t.Errorf("%+v: state %d", cfg, lease.State())
			}
		}
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			hold(t, f.Machine().Locker(cfg), f.Machine().Locker(lock.Config{}))
		})
		bubble.RunQuorum(t, func(t *testing.T, q *bubble.Quorum) {
			hold(t, q.Member().Locker(cfg), q.Member().Locker(lock.Config{}))
		})
	}
}

func TestLongestHoldBoundsASuspendedLease(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		lease := grant(t, f.Machine().Locker(lock.Config{MaxHold: ttl}), anyone)
		time.Sleep(12 * time.Second)
		f.Freeze() // the last renewal was at 10 s
		<-lease.Context().Done()
		ended(t, lease, lock.ErrMaxHold)
		f.Thaw()
		commit(t, lease, lock.StoredNow)
	})
}

func TestLeaseEndsWithTheContextItWasAcquiredWith(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		ctx, cancel := context.WithCancelCause(t.Context())
		lease, err := f.Machine().Locker(lock.Config{}).TryAcquire(ctx, key, anyone)
		if err != nil {
			t.Fatal(err)
		}
		cancel(errGone)
		ended(t, lease, errGone)
		// Only its holder can end the lease itself, for only he knows what he has done.
		if lease.State() != lock.Live {
			t.Errorf("state %d, want Live", lease.State())
		}
		commit(t, lease, lock.StoredNow)
	})
}

// A Locker needs no closing: what it has running ends with its leases and its waiters. Run would
// fail here if anything went on.
func TestNothingGoesOnWithoutALeaseOrAWaiter(t *testing.T) {
	for name, options := range clients {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				f.Channels()
				a := f.Machine(options)
				l := a.Locker(lock.Config{})
				for i := range 10 { // never ended by their holder
					if _, err := l.TryAcquire(t.Context(), fmt.Sprint(i), anyone); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				_, err := l.Acquire(ctx, "0", anyone)
				is(t, err, lock.ErrHeld)
				for _, fault := range []bubble.Fault{bubble.LoseReply, bubble.Unheard, bubble.Unanswered, {DelayReply: 3 * time.Second}} {
					a.On("begin", fault)
					_, _ = l.TryAcquire(t.Context(), key, anyone)
				}
				f.Freeze()
				time.Sleep(time.Second)
			})
		})
	}
}
