package lock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// Redis before 7.0, and one whose ACL forbids channels, are not asked for them again and again.
func TestRefusalOfChannelsIsRemembered(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
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
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
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
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
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

// forbid refuses SPUBLISH of that payload, as an ACL does or a server on which it has another name.
func forbid(f *bubble.Fleet, payload, message string) {
	f.Before(func(p *server.Peer, cmd string, args ...string) bool {
		if cmd != "SPUBLISH" || payload != "" && args[1] != payload {
			return false
		}
		p.WriteError(message)
		return true
	})
}

// A waiter doesn't rest on a channel that nobody can publish on, though it may subscribe to it. The
// refusal is remembered.
func TestChannelThatCannotBePublishedOnIsNoChannel(t *testing.T) {
	for name, message := range map[string]string{
		"ACL":            "NOPERM this user has no permissions to run the 'spublish' command",
		"rename-command": "ERR unknown command 'spublish', with args beginning with: ",
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				f.Channels()
				forbid(f, "", message)
				a, b := f.Machine(), f.Machine()
				l := b.Locker(lock.Config{})
				lease := grant(t, a.Locker(lock.Config{}), anyone)
				for range 5 {
					result := waiting(t, t.Context(), l, anyone)
					time.Sleep(time.Second)
					if err := lease.Release(t.Context()); err != nil {
						t.Fatal(err)
					}
					next, err, took := result()
					attempt(t, next, err, 1)
					if took > time.Second+250*time.Millisecond {
						t.Errorf("it took %v", took)
					}
					lease = next
				}
				trips := b.Trips()
				if subscribed, published := times(trips, "SSUBSCRIBE"), times(trips, "SPUBLISH"); subscribed != 1 || published != 1 {
					t.Errorf("subscribed %d times and published %d times, want once each", subscribed, published)
				}
			})
		})
	}
}

// One proof does for all who wait, and rings nobody.
func TestChannelIsProvedOnce(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Channels()
		a, b := f.Machine(), f.Machine()
		l := b.Locker(lock.Config{})
		holder := a.Locker(lock.Config{})
		for i := range 10 {
			lease, err := holder.TryAcquire(t.Context(), fmt.Sprint(i), anyone)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				if _, err := l.Acquire(t.Context(), fmt.Sprint(i), anyone); !errors.Is(err, lock.ErrDone) {
					t.Error(err)
				}
			}()
			time.Sleep(400 * time.Millisecond) // by then all of them rest
			before := times(b.Trips(), "SPUBLISH")
			if want := 1 - min(i, 1); before != want {
				t.Errorf("waiter %d: published %d times, want %d", i, before, want)
			}
			commit(t, lease, lock.StoredNow)
			<-done
		}
	})
}

// A proof that gets lost is tried again; until it is heard, waiters ask.
func TestProofIsTriedAgain(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Channels()
		a, b := f.Machine(), f.Machine()
		b.OnNext(2, "SPUBLISH", bubble.Unheard)
		lease := grant(t, a.Locker(lock.Config{}), anyone)
		result := waiting(t, t.Context(), b.Locker(lock.Config{}), anyone)
		time.Sleep(time.Second)
		if n := times(b.Trips(), "begin"); n < 5 {
			t.Errorf("it asked %d times, as if it would be told", n)
		}
		time.Sleep(14 * time.Second)
		b.Trips()
		time.Sleep(4 * time.Second)
		if n := times(b.Trips(), "begin"); n > 3 {
			t.Errorf("it asked %d times in 4 s, with a channel to be had", n)
		}
		commit(t, lease, lock.StoredNow)
		_, err, _ := result()
		is(t, err, lock.ErrDone)
	})
}

// The holder may have other rights than the waiter: what it can't tell is found all the same.
func TestWaiterLooksNowAndThen(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Channels()
		forbid(f, "1", "NOPERM this user has no permissions to run the 'spublish' command") // of the scripts'
		a, b := f.Machine(), f.Machine()
		for age := time.Second; age < time.Minute; age *= 4 {
			lease := grant(t, a.Locker(lock.Config{}), anyone)
			result := waiting(t, t.Context(), b.Locker(lock.Config{}), anyone)
			time.Sleep(age)
			commit(t, lease, lock.StoredNow)
			_, err, took := result()
			is(t, err, lock.ErrDone)
			if took > 2*age+time.Second || took > age+5*time.Second {
				t.Errorf("what happened after %v was found after %v", age, took)
			}
			f.Redis.Del(key)
		}
	})
}

// times says how many trips are of that name.
func times(trips []string, name string) int {
	return len(trips) - len(slices.DeleteFunc(slices.Clone(trips), func(s string) bool { return s == name }))
}
