package bubble

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/lock"
)

// Redis before 7.0, and one whose ACL forbids channels, are not asked for them again and again.
func TestRefusalOfChannelsIsRemembered(t *testing.T) {
	Run(t, func(t *testing.T, f *Fleet) {
		a, b := f.Machine(), f.Machine()
		l := b.Locker(lock.Config{})
		lease := grant(t, a.Locker(lock.Config{}), anyone)
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			_, err := l.Acquire(ctx, key, anyone)
			is(t, err, lock.ErrHeld, context.DeadlineExceeded)
			cancel()
		}
		if n := times(b.Trips(), "SSUBSCRIBE"); n != 1 {
			t.Errorf("asked for channels %d times in 50 s, want once", n)
		}
		time.Sleep(time.Minute)
		f.Channels() // Redis has been brought up to date
		result := waiting(t, t.Context(), l, anyone)
		time.Sleep(time.Second)
		if err := lease.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err, took := result(); err != nil || took != time.Second {
			t.Errorf("it took %v, %v, want to be told after 1s", took, err)
		}
	})
}

func TestWaiterAsksAgainWhenItsChannelBreaks(t *testing.T) {
	Run(t, func(t *testing.T, f *Fleet) {
		f.Channels()
		a, b := f.Machine(), f.Machine()
		l := b.Locker(lock.Config{})
		lease := grant(t, a.Locker(lock.Config{}), anyone)
		result := waiting(t, t.Context(), l, anyone)
		time.Sleep(4 * time.Second)
		b.Break()
		time.Sleep(time.Second)
		if n := times(b.Trips(), "begin"); n < 5 {
			t.Errorf("it asked %d times, as if it would be told", n)
		}
		if err := lease.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		next, err, took := result()
		attempt(t, next, err, 1)
		if took > 5*time.Second+250*time.Millisecond {
			t.Errorf("it took %v", took)
		}

		// The next to wait has a channel again.
		result = waiting(t, t.Context(), l, anyone)
		time.Sleep(time.Second)
		if err := next.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err, took := result(); err != nil || took != time.Second {
			t.Errorf("it took %v, %v, want to be told after 1s", took, err)
		}
	})
}

// An idle channel's connection is kept for a while, because waiters come in bursts, and then closed.
func TestIdleChannelIsClosed(t *testing.T) {
	Run(t, func(t *testing.T, f *Fleet) {
		f.Channels()
		a, b := f.Machine(), f.Machine()
		lease := grant(t, a.Locker(lock.Config{}), anyone)
		result := waiting(t, t.Context(), b.Locker(lock.Config{}), anyone)
		time.Sleep(time.Second)
		synctest.Wait()
		with := f.Redis.CurrentConnectionCount()
		if err := lease.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		next, err, _ := result()
		attempt(t, next, err, 1)
		if err := next.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		if without := f.Redis.CurrentConnectionCount(); without != with-1 {
			t.Errorf("%d connections, want %d", without, with-1)
		}
	})
}

// times says how many trips are of that name.
func times(trips []string, name string) int {
	return len(trips) - len(slices.DeleteFunc(slices.Clone(trips), func(s string) bool { return s == name }))
}
