package lock_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

var errWork = errors.New("the work failed")

func TestDoHoldsTheKeyAndReleasesIt(t *testing.T) {
	for _, want := range []error{nil, errWork} {
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			a, b := f.Machine(), f.Machine()
			other := b.Locker(lock.Config{})
			err := a.Locker(lock.Config{}).Do(t.Context(), key, func(ctx context.Context, lease *lock.Lease) error {
				refused[*lock.HeldError](t, other, anyone)
				if ctx != lease.Context() || lease.Attempt() != 1 {
					t.Errorf("attempt %d", lease.Attempt())
				}
				time.Sleep(2 * ttl)
				refused[*lock.HeldError](t, other, anyone)
				return want
			})
			if err != want {
				t.Errorf("got %v, want %v", err, want)
			}
			free(t, f)
		})
	}
}

func TestDoWaitsItsTurn(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		first := grant(t, f.Machine().Locker(lock.Config{}), anyone)
		time.AfterFunc(3*time.Second, func() { _ = first.Release(context.Background()) })
		start := time.Now()
		err := f.Machine().Locker(lock.Config{}).Do(t.Context(), key, func(context.Context, *lock.Lease) error {
			if waited := time.Since(start); waited < 3*time.Second || waited > 3250*time.Millisecond {
				t.Errorf("waited %v", waited)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestDoRunsNothingWithoutTheKey(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		l := f.Machine().Locker(lock.Config{})
		never := func(context.Context, *lock.Lease) error {
			t.Error("it ran")
			return nil
		}
		lease := grant(t, l, anyone)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		is(t, l.Do(ctx, key, never), context.DeadlineExceeded, lock.ErrHeld)
		commit(t, lease, lock.StoredNow)
		is(t, l.Do(t.Context(), key, never), lock.ErrDone)
		f.Down()
		is(t, l.Do(t.Context(), "other", never), lock.ErrUnavailable)
		if err := l.Do(t.Context(), "", never); err == nil {
			t.Error("an empty key was taken")
		}
	})
}

// A panic is carried on, and the next holder is told.
func TestDoAbandonsWhenTheWorkPanics(t *testing.T) {
	for name, crash := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				l := f.Machine().Locker(lock.Config{})
				var carried any
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { carried = recover() }()
					_ = l.Do(t.Context(), key, func(context.Context, *lock.Lease) error {
						crash()
						return nil
					})
					t.Error("it was swallowed")
				}()
				<-done
				if name == "panic" && carried != "boom" {
					t.Errorf("recovered %v, want boom", carried)
				}
				if next := grant(t, l, anyone); next.Attempt() != 2 {
					t.Errorf("attempt %d, want 2", next.Attempt())
				}
			})
		})
	}
}

// Whatever has become of the key by the time the work returns, work that was not alone is told.
func TestDoReportsALostLease(t *testing.T) {
	for name, meanwhile := range map[string]func(*testing.T, *bubble.Fleet, *bubble.Machine){
		"another holds it": func(t *testing.T, f *bubble.Fleet, m *bubble.Machine) {
			m.Thaw()
			grant(t, m.Locker(lock.Config{}), anyone)
		},
		"another has committed": func(t *testing.T, f *bubble.Fleet, m *bubble.Machine) {
			m.Thaw()
			commit(t, grant(t, m.Locker(lock.Config{}), anyone), lock.StoredNow)
		},
		"another has come and gone": func(t *testing.T, f *bubble.Fleet, m *bubble.Machine) {
			m.Thaw()
			if err := grant(t, m.Locker(lock.Config{}), anyone).Release(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"Redis is still away": func(t *testing.T, f *bubble.Fleet, m *bubble.Machine) { f.Down() },
	} {
		for _, failure := range []error{nil, errWork} {
			t.Run(name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					a, b := f.Machine(), f.Machine()
					err := a.Locker(lock.Config{}).Do(t.Context(), key, func(ctx context.Context, lease *lock.Lease) error {
						f.Freeze()
						<-ctx.Done()
						ended(t, lease, lock.ErrLost)
						time.Sleep(time.Second)
						meanwhile(t, f, b)
						f.Thaw()
						return failure
					})
					is(t, err, lock.ErrLost)
					if failure != nil {
						is(t, err, failure)
					}
				})
			})
		}
	}
}

// Work may end its lease itself.
func TestDoLeavesALeaseAloneThatHasEnded(t *testing.T) {
	for op, end := range map[string]func(*testing.T, *lock.Lease) error{
		"commit": func(t *testing.T, l *lock.Lease) error {
			_, err := l.Commit(t.Context(), value(l), retention)
			return err
		},
		"abandon": func(t *testing.T, l *lock.Lease) error { return l.Abandon(t.Context()) },
		"release": func(t *testing.T, l *lock.Lease) error { return l.Release(t.Context()) },
	} {
		t.Run(op, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a := f.Machine()
				var dump string
				err := a.Locker(lock.Config{}).Do(t.Context(), key, func(_ context.Context, lease *lock.Lease) error {
					err := end(t, lease)
					dump = f.Redis.Dump()
					return err
				})
				if err != nil {
					t.Error(err)
				}
				if now := f.Redis.Dump(); now != dump {
					t.Errorf("Redis holds\n%swant\n%s", now, dump)
				}
				a.WantTrips("begin", op)
			})
		})
	}
}

func TestDoDoesNotFailForAReleaseThatIsNotHeard(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		err := f.Machine().Locker(lock.Config{}).Do(t.Context(), key, func(context.Context, *lock.Lease) error {
			f.Down()
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
