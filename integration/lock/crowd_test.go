package lock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
)

// wide gives a machine a connection for everybody: those who wait for one in go-redis's pool share
// channels with other bubbles.
func wide(o *redis.Options) { o.PoolSize = 2000 }

// crowd starts so many Acquires on a locker, and returns what they come to.
func crowd(t *testing.T, ctx context.Context, l *lock.Locker, n int, terms lock.Terms) func() []error {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			lease, err := l.Acquire(ctx, key, terms)
			if errs[i] = err; err == nil {
				_ = lease.Release(ctx)
			}
		})
	}
	return func() []error { wg.Wait(); return errs }
}

// A commit costs a machine one question, however many wait for it there, with a channel and without.
func TestCrowdAsksOnce(t *testing.T) {
	const waiters = 1000
	for _, channels := range []bool{false, true} {
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			if channels {
				f.Channels()
			}
			first := grant(t, f.Machine().Locker(lock.Config{}), anyone)
			m := f.Machine(wide)
			all := crowd(t, t.Context(), m.Locker(lock.Config{}), waiters, anyone)
			time.Sleep(time.Minute)
			trips := m.Trips()
			if n := times(trips, "SSUBSCRIBE"); n != 1 {
				t.Errorf("%d subscriptions", n)
			}
			// For all together: one look in 2.5 to 5 s, and where there is no channel, one in 125 to 250 ms.
			if n := times(trips, "begin") - waiters; channels && n > 60/2.5+10 || !channels && n > 60_000/125+100 {
				t.Errorf("asked %d times in a minute", n)
			}
			commit(t, first, lock.StoredNow)
			for _, err := range all() {
				if done, _ := errors.AsType[*lock.DoneError](err); done == nil || done.Value != string(value(first)) {
					t.Fatalf("got %v, want the holder's value", err)
				}
			}
			if n := times(m.Trips(), "begin"); n != 1 {
				t.Errorf("asked %d times for what has been committed", n)
			}
		})
	}
}

// Whoever asks may get the key; the others go on waiting.
func TestCrowdTakesTurns(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Channels()
		first := grant(t, f.Machine().Locker(lock.Config{}), anyone)
		all := crowd(t, t.Context(), f.Machine(wide).Locker(lock.Config{}), 50, anyone)
		synctest.Wait()
		if err := first.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, err := range all() {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// The one who asks for all may leave while it does: what becomes of it is not the others' answer.
func TestCrowdOutlivesTheOneWhoAsks(t *testing.T) {
	for range 8 { // anybody may be the one: most likely one of those who leave
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			first := grant(t, f.Machine().Locker(lock.Config{}), anyone)
			m := f.Machine(wide)
			l := m.Locker(lock.Config{})
			ctx, leave := context.WithCancel(t.Context())
			leavers, stayers := crowd(t, ctx, l, 20, anyone), crowd(t, t.Context(), l, 5, anyone)
			synctest.Wait()
			m.On("begin", bubble.Meanwhile(leave))
			_ = first.Release(t.Context())
			for _, err := range stayers() {
				if err != nil {
					t.Error(err)
				}
			}
			leavers()
		})
	}
}

// What was asked before a commit is no answer to those whom the commit has woken.
func TestCrowdAsksAgain(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Channels()
		first := grant(t, f.Machine().Locker(lock.Config{}), anyone)
		m := f.Machine(wide)
		l := m.Locker(lock.Config{Timeout: 5 * time.Second})
		sleeper := waiting(t, t.Context(), l, anyone)
		time.Sleep(time.Second)
		m.OnNext(2, "begin", bubble.Fault{DelayReply: 2 * time.Second}) // the first is for itself
		asker := waiting(t, t.Context(), l, anyone)
		time.Sleep(time.Second)
		commit(t, first, lock.StoredNow)
		for _, w := range []func() (*lock.Lease, error, time.Duration){sleeper, asker} {
			if _, err, took := w(); !errors.Is(err, lock.ErrDone) || took > 5*time.Second {
				t.Errorf("got %v after %v, want the answer as soon as the reply is in", err, took)
			}
		}
	})
}

// Who comes while another asks is not told what that one finds: it was so before.
func TestCrowdTellsNothingOld(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Channels()
		elsewhere := f.Machine().Locker(lock.Config{})
		first := grant(t, elsewhere, anyone)
		m := f.Machine(wide)
		l := m.Locker(lock.Config{Timeout: 5 * time.Second})
		early := waiting(t, t.Context(), l, anyone)
		time.Sleep(time.Second)
		m.On("begin", bubble.Fault{DelayReply: 2 * time.Second})
		if _, err := first.Commit(t.Context(), value(first), time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond) // the answer is forgotten before it is heard of
		second := grant(t, elsewhere, anyone)
		late := waiting(t, t.Context(), l, anyone)
		time.Sleep(time.Second)
		commit(t, second, lock.StoredNow)
		for i, w := range []func() (*lock.Lease, error, time.Duration){early, late} {
			_, err, _ := w()
			want := string(value([]*lock.Lease{first, second}[i]))
			if done, _ := errors.AsType[*lock.DoneError](err); done == nil || done.Value != want {
				t.Errorf("%d: got %v, want %q", i, err, want)
			}
		}
	})
}

// Who comes when a crowd has been told but has not gone yet finds the hint of the commit spent, and asks.
func TestCrowdGoesAndAnotherComes(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Channels()
		first := grant(t, f.Machine().Locker(lock.Config{}), anyone)
		m := f.Machine(wide)
		// Each newcomer's question is held up by itself.
		l := m.Locker(lock.Config{Timeout: 5 * time.Second, Pipeline: lock.PipelineOff})
		gate := make(chan struct{})
		told := sync.OnceFunc(func() { close(gate) })
		var crowd, late sync.WaitGroup
		for range 1000 {
			crowd.Go(func() {
				_, err := l.Acquire(t.Context(), key, anyone)
				is(t, err, lock.ErrDone)
				told() // now the newcomers hear that the key is held, as it was
			})
		}
		time.Sleep(time.Second)
		const newcomers = 40
		for range newcomers {
			m.On("begin", bubble.Meanwhile(func() { <-gate }))
		}
		for range newcomers {
			late.Go(func() {
				_, err := l.Acquire(t.Context(), key, anyone)
				is(t, err, lock.ErrDone)
			})
		}
		synctest.Wait()
		begun := time.Now()
		commit(t, first, lock.StoredNow)
		crowd.Wait()
		late.Wait()
		if took := time.Since(begun); took > time.Second {
			t.Errorf("the last one heard of it after %v", took)
		}
	})
}

// Who gives up is told the holder that was found last.
func TestCrowdKnowsTheHolder(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		elsewhere := f.Machine().Locker(lock.Config{})
		first := grant(t, elsewhere, anyone)
		l := f.Machine(wide).Locker(lock.Config{})
		asker := waiting(t, t.Context(), l, lock.Terms{Wait: time.Minute, LeaveAbandoned: true})
		time.Sleep(time.Second)
		follower := waiting(t, t.Context(), l, lock.Terms{Wait: 40 * time.Second, LeaveAbandoned: true})
		time.Sleep(time.Second)
		_ = first.Release(t.Context())
		second := grant(t, elsewhere, anyone) // before the next look
		_, err, _ := follower()
		held, _ := errors.AsType[*lock.HeldError](err)
		if held == nil || held.Claim.Fence != second.Fence() {
			t.Errorf("got %v, want the second holder", err)
		}
		_, _, _ = asker()
	})
}

// A crowd whose connection breaks has another for the next one who asks.
func TestCrowdListensAgain(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		f.Channels()
		grant(t, f.Machine().Locker(lock.Config{}), anyone)
		m := f.Machine(wide)
		l := m.Locker(lock.Config{})
		short := waiting(t, t.Context(), l, lock.Terms{Wait: 20 * time.Second})
		time.Sleep(time.Second)
		long := waiting(t, t.Context(), l, lock.Terms{Wait: time.Minute})
		time.Sleep(time.Second)
		m.Break()
		_, _, _ = short()
		time.Sleep(time.Second)
		m.Trips()
		time.Sleep(10 * time.Second)
		if n := times(m.Trips(), "begin"); n > 7 {
			t.Errorf("asked %d times in 10 s, with a channel to be had", n)
		}
		_, _, _ = long()
	})
}

// Each waits for its own request, and by its own terms.
func TestCrowdsAreApart(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		first := grant(t, f.Machine().Locker(lock.Config{}), anyone)
		l := f.Machine(wide).Locker(lock.Config{})
		takers := crowd(t, t.Context(), l, 1, anyone)
		leavers := crowd(t, t.Context(), l, 3, lock.Terms{LeaveAbandoned: true})
		synctest.Wait()
		if err := first.Abandon(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := takers()[0]; err != nil {
			t.Errorf("who may take over got %v", err)
		}
		for _, err := range leavers() {
			if err != nil && !errors.Is(err, lock.ErrAbandoned) {
				t.Errorf("who may not got %v", err)
			}
		}
	})
}

// More than MaxWaiters don't wait, and are told who holds the key.
func TestCrowdIsBounded(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		first := grant(t, f.Machine().Locker(lock.Config{}), anyone)
		l := f.Machine(wide).Locker(lock.Config{MaxWaiters: 3})
		few := crowd(t, t.Context(), l, 3, anyone)
		synctest.Wait()
		start := time.Now()
		_, err := l.Acquire(t.Context(), key, anyone)
		if held, _ := errors.AsType[*lock.HeldError](err); held == nil || time.Since(start) > time.Second {
			t.Errorf("got %v after %v, want the holder at once", err, time.Since(start))
		}
		if err := first.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		few()
		first = grant(t, f.Machine().Locker(lock.Config{}), anyone)
		next := crowd(t, t.Context(), l, 3, anyone) // there is room again
		time.Sleep(time.Minute)
		commit(t, first, lock.StoredNow)
		for _, err := range next() {
			is(t, err, lock.ErrDone)
		}
	})
}

// Nor do more than MaxWaitersPerScope of one scope, whatever keys they wait for; others wait all the same.
func TestWaitersOfAScopeAreBounded(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		elsewhere := f.Machine().Locker(lock.Config{})
		l := f.Machine(wide).Locker(lock.Config{MaxWaiters: 6, MaxWaitersPerScope: 2})
		var held []*lock.Lease
		for i := range 3 {
			lease, err := elsewhere.TryAcquire(t.Context(), fmt.Sprint(i), anyone)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, lease)
		}
		for range 2 { // what a scope has used up is free again
			var wg sync.WaitGroup
			wait := func(i int, scope string, want error) {
				wg.Go(func() {
					_, err := l.Acquire(t.Context(), fmt.Sprint(i), lock.Terms{Scope: scope})
					is(t, err, want)
				})
				synctest.Wait()
			}
			ctx, cancel := context.WithCancel(t.Context())
			for i := range 2 {
				wg.Go(func() {
					_, err := l.Acquire(ctx, fmt.Sprint(i), lock.Terms{Scope: "greedy"})
					is(t, err, context.Canceled, lock.ErrHeld)
				})
			}
			synctest.Wait()
			start := time.Now()
			_, err := l.Acquire(t.Context(), "2", lock.Terms{Scope: "greedy"})
			if held, _ := errors.AsType[*lock.HeldError](err); held == nil || time.Since(start) > time.Second {
				t.Errorf("got %v after %v, want the holder at once", err, time.Since(start))
			}
			commits := held[2]
			wait(2, "other", lock.ErrDone)
			wait(2, "", lock.ErrDone)
			wait(2, "", lock.ErrDone)
			wait(2, "", lock.ErrDone)      // six in all
			wait(2, "other", lock.ErrHeld) // at once
			commit(t, commits, lock.StoredNow)
			cancel()
			wg.Wait()
			f.Redis.Del("2")
			if held[2], err = elsewhere.TryAcquire(t.Context(), "2", anyone); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A server that shuts down sends all away at once, and lets nobody wait after.
func TestStopWaiting(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		first := grant(t, f.Machine().Locker(lock.Config{}), anyone)
		l := f.Machine(wide).Locker(lock.Config{})
		all := crowd(t, t.Context(), l, 10, anyone)
		synctest.Wait()
		start := time.Now()
		l.StopWaiting()
		l.StopWaiting()
		late := crowd(t, t.Context(), l, 1, anyone)
		for _, err := range append(all(), late()...) {
			if held, _ := errors.AsType[*lock.HeldError](err); held == nil {
				t.Errorf("got %v, want the holder", err)
			}
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v", took)
		}
		live(t, first)
	})
}
