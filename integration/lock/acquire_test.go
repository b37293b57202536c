package lock_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// waiting starts an Acquire on a machine and returns what it comes to, and after how long.
func waiting(t *testing.T, ctx context.Context, l *lock.Locker, terms lock.Terms) func() (*lock.Lease, error, time.Duration) {
	t.Helper()
	var lease *lock.Lease
	var err error
	start, end := time.Now(), time.Time{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		lease, err = l.Acquire(ctx, key, terms)
		end = time.Now()
	}()
	//lint:ignore ST1008 What Acquire returned comes first, as it was.
	return func() (*lock.Lease, error, time.Duration) {
		<-done
		return lease, err, end.Sub(start)
	}
}

// What a holder leaves behind reaches those who wait for it, soon where they ask again and again,
// and at once where Redis tells them.
func TestAcquireWaitsForTheHolder(t *testing.T) {
	const hold = 40 * time.Second
	for name, tc := range map[string]struct {
		end   func(*testing.T, *lock.Lease, *bubble.Machine)
		check func(*testing.T, *lock.Lease, *lock.Lease, error)
		after time.Duration
	}{
		"release": {
			func(t *testing.T, l *lock.Lease, _ *bubble.Machine) { _ = l.Release(t.Context()) },
			func(t *testing.T, _, next *lock.Lease, err error) { attempt(t, next, err, 1) }, 0,
		},
		"abandon": {
			func(t *testing.T, l *lock.Lease, _ *bubble.Machine) { _ = l.Abandon(t.Context()) },
			func(t *testing.T, _, next *lock.Lease, err error) { attempt(t, next, err, 2) }, 0,
		},
		"commit": {
			func(t *testing.T, l *lock.Lease, _ *bubble.Machine) { commit(t, l, lock.StoredNow) },
			func(t *testing.T, first, _ *lock.Lease, err error) {
				if done, _ := errors.AsType[*lock.DoneError](err); done == nil || done.Value != string(value(first)) {
					t.Errorf("got %v, want the holder's value", err)
				}
			}, 0,
		},
		"death": {
			func(_ *testing.T, _ *lock.Lease, m *bubble.Machine) { m.Down() },
			func(t *testing.T, _, next *lock.Lease, err error) { attempt(t, next, err, 2) }, ttl,
		},
	} {
		for _, channels := range []bool{false, true} {
			t.Run(name+map[bool]string{true: "/told", false: "/asking"}[channels], func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					if channels {
						f.Channels()
					}
					a, b := f.Machine(), f.Machine()
					terms := lock.Terms{Fingerprint: "one"}
					first := grant(t, a.Locker(lock.Config{}), terms)
					result := waiting(t, t.Context(), b.Locker(lock.Config{}), terms)
					time.Sleep(hold)
					tc.end(t, first, a)
					next, err, took := result()
					tc.check(t, first, next, err)

					most := hold + tc.after
					if !channels {
						most += 250 * time.Millisecond // the longest pause
					} else if tc.after > 0 {
						most += time.Millisecond // after the end of the lease, just
					}
					if took < hold || took > most {
						t.Errorf("it took %v, want %v to %v", took, hold, most)
					}
					asked := len(b.Trips())
					if !channels && (asked < int(hold/(250*time.Millisecond)) || asked > 2*int(most/(250*time.Millisecond))+10) {
						t.Errorf("it asked %d times", asked)
					}
					if channels && asked > int(most/(2500*time.Millisecond))+10 { // once more when subscribed, and once in 2.5 to 5 s
						t.Errorf("it asked %d times, though it would be told", asked)
					}
				})
			})
		}
	}
}

func attempt(t *testing.T, lease *lock.Lease, err error, want int) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if lease.Attempt() != want {
		t.Errorf("attempt %d, want %d", lease.Attempt(), want)
	}
}

func TestAcquireTakesAFreeKeyInOneTrip(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a := f.Machine()
		lease, err := a.Locker(lock.Config{}).Acquire(t.Context(), key, anyone)
		attempt(t, lease, err, 1)
		a.WantTrips("begin")
	})
}

func TestAcquireDoesNotWaitForAnotherRequest(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a, b := f.Machine(), f.Machine()
		first := grant(t, a.Locker(lock.Config{}), lock.Terms{Fingerprint: "one"})
		l := b.Locker(lock.Config{})
		for _, terms := range []lock.Terms{{}, {Fingerprint: "other"}} {
			_, err := l.Acquire(t.Context(), key, terms)
			if held, _ := errors.AsType[*lock.HeldError](err); held == nil || held.Claim.Owner != first.Owner() {
				t.Errorf("got %v, want a *HeldError", err)
			}
		}
		b.WantTrips("begin", "begin")
	})
}

func TestAcquireEndsWithItsContext(t *testing.T) {
	for _, channels := range []bool{false, true} {
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			if channels {
				f.Channels()
			}
			first := grant(t, f.Machine().Locker(lock.Config{}), anyone)
			ctx, cancel := context.WithCancelCause(t.Context())
			result := waiting(t, ctx, f.Machine().Locker(lock.Config{}), anyone)
			time.Sleep(3 * time.Second)
			cancel(errGone)
			lease, err, took := result()
			is(t, err, errGone, lock.ErrHeld)
			if held, _ := errors.AsType[*lock.HeldError](err); lease != nil || held == nil || held.Claim.Owner != first.Owner() {
				t.Errorf("got %v, want the holder's claim", err)
			}
			if took != 3*time.Second {
				t.Errorf("it took %v, want 3s", took)
			}
			live(t, first)
		})
	}
}

// Also while it asks, unless the answer is one that ends the wait by itself.
func TestAcquireEndsWithItsContextWhileItAsks(t *testing.T) {
	for name, tc := range map[string]struct {
		becomes func(*lock.Lease) error
		want    []error
	}{
		"held":      {func(*lock.Lease) error { return nil }, []error{errGone, lock.ErrHeld}},
		"free":      {func(l *lock.Lease) error { return l.Release(context.Background()) }, []error{errGone, lock.ErrHeld}},
		"committed": {func(l *lock.Lease) error { return commitOf(l) }, []error{lock.ErrDone}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a, b := f.Machine(), f.Machine()
				lease := grant(t, a.Locker(lock.Config{}), anyone)
				ctx, cancel := context.WithCancelCause(t.Context())
				result := waiting(t, ctx, b.Locker(lock.Config{}), anyone)
				time.Sleep(time.Second)
				if err := tc.becomes(lease); err != nil {
					t.Fatal(err)
				}
				b.On("begin", bubble.Meanwhile(func() { cancel(errGone) }))
				_, err, _ := result()
				is(t, err, tc.want...)
				if len(tc.want) == 1 && (errors.Is(err, errGone) || errors.Is(err, lock.ErrHeld)) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func commitOf(l *lock.Lease) error {
	_, err := l.Commit(context.Background(), value(l), retention)
	return err
}

func TestAcquireWaitsNoLongerThanItsTerms(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		grant(t, f.Machine().Locker(lock.Config{}), anyone)
		_, err, took := waiting(t, t.Context(), f.Machine().Locker(lock.Config{}), lock.Terms{Wait: 3 * time.Second})()
		is(t, err, lock.ErrHeld)
		if took != 3*time.Second {
			t.Errorf("it took %v, want 3s", took)
		}
	})
}

func TestAcquireReportsRedisGone(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		grant(t, f.Machine().Locker(lock.Config{}), anyone)
		result := waiting(t, t.Context(), f.Machine().Locker(lock.Config{}), anyone)
		time.Sleep(3 * time.Second)
		f.Down()
		lease, err, _ := result()
		is(t, err, lock.ErrUnavailable)
		if lease != nil {
			t.Error("and yet there is a lease")
		}
	})
}

// Everybody who waits gets the key in the end, one at a time.
func TestAllWhoWaitAreServed(t *testing.T) {
	for _, channels := range []bool{false, true} {
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			if channels {
				f.Channels()
			}
			machines := []*bubble.Machine{f.Machine(), f.Machine(), f.Machine()}
			var wg sync.WaitGroup
			var holders, served int
			var mu sync.Mutex
			count := func(d int) {
				mu.Lock()
				defer mu.Unlock()
				if holders += d; holders > 1 {
					t.Error("two hold the key")
				}
			}
			for i := range machines {
				l := machines[i].Locker(lock.Config{})
				for range 4 {
					wg.Go(func() {
						lease, err := l.Acquire(t.Context(), key, anyone)
						if err != nil {
							t.Error(err)
							return
						}
						count(+1)
						time.Sleep(time.Second)
						served++
						count(-1)
						if err := lease.Release(t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
			}
			wg.Wait()
			if served != 12 {
				t.Errorf("%d were served, want 12", served)
			}
			if channels {
				for i, m := range machines {
					if n := times(m.Trips(), "SSUBSCRIBE"); n != 1 {
						t.Errorf("machine %d subscribed %d times, want once for all who wait", i, n)
					}
				}
			}
		})
	}
}
