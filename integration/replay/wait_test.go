package replay_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

func waiting(d time.Duration) func(*replay.Config) {
	return func(c *replay.Config) { c.Wait = d }
}

func TestWaitGetsTheAnswer(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		end := newDesk(t, f).hang(request(), "done")
		wait := newDesk(t, f, waiting(time.Minute)).start(bg, request(), says("no"))
		time.Sleep(40 * time.Second)
		end()
		r := wait()
		r.wasReplayed(t, "done")
		if r.took < 40*time.Second || r.took > 41*time.Second || r.event.Acquire != r.took {
			t.Errorf("took %v, of that %v to acquire", r.took, r.event.Acquire)
		}
	})
}

func TestWaitEnds(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		end := newDesk(t, f).hang(request(), "done")
		r := newDesk(t, f, waiting(7*time.Second)).ask(bg, request(), says("no"))
		r.wasRefused(t, replay.ErrInProgress, replay.InProgress)
		if r.took.Round(10*time.Millisecond) != 7*time.Second {
			t.Errorf("waited %v, want 7s", r.took)
		}
		end().wasRun(t, "done", 1)
	})
}

func TestWaitIsNotForAnotherRequest(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		end := newDesk(t, f).hang(request(), "done")
		d := newDesk(t, f, waiting(time.Minute))
		r := d.ask(bg, another(), says("no"))
		r.wasRefused(t, replay.ErrReused, replay.Reused)
		if r.took > time.Second {
			t.Errorf("waited %v for an answer that is not for it", r.took)
		}
		d.WantTrips("begin")
		end()
	})
}

// The one who waits runs when there is nothing to wait for any more.
func TestWaitEndsInRunning(t *testing.T) {
	down := errors.New("down")
	for _, tc := range []struct {
		name    string
		failure error
		attempt int
	}{
		{"after a clean end", replay.Clean(down), 1},
		{"after a failure", down, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				fail := newDesk(t, f).start(bg, request(), func(context.Context) (replay.Answer, error) {
					time.Sleep(30 * time.Second)
					return replay.Answer{}, tc.failure
				})
				synctest.Wait()
				r := newDesk(t, f, waiting(time.Minute)).ask(bg, request(), says("mine"))
				r.wasRun(t, "mine", tc.attempt)
				if r.event.Acquire < 29*time.Second || r.event.Acquire > 31*time.Second {
					t.Errorf("acquired after %v, want about 30s", r.event.Acquire)
				}
				fail().is(t, down)
			})
		})
	}
}

func TestWaitEndsInRunningWhenTheHolderDies(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		crash(t, f, request())
		r := newDesk(t, f, waiting(time.Minute)).ask(bg, request(), says("mine"))
		r.wasRun(t, "mine", 2)
		if r.event.Acquire < leaseTime || r.event.Acquire > leaseTime+time.Second {
			t.Errorf("acquired after %v, want just after the lease's end", r.event.Acquire)
		}
	})
}

func TestWaitEndsInOutcomeUnknown(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		crash(t, f, request())
		d := newDesk(t, f, waiting(time.Minute), func(c *replay.Config) { c.OnAbandoned = replay.RefuseUnknown })
		d.ask(bg, request(), says("no")).wasRefused(t, replay.ErrOutcomeUnknown, replay.OutcomeUnknown)
	})
}

func TestWaitEndsWithItsCaller(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		end := newDesk(t, f).hang(request(), "done")
		ctx, cancel := context.WithTimeoutCause(bg, 5*time.Second, errors.New("out of patience"))
		defer cancel()
		r := newDesk(t, f, waiting(time.Minute)).ask(ctx, request(), says("no"))
		r.wasRefused(t, context.Cause(ctx), replay.CallerGone)
		if r.took != 5*time.Second {
			t.Errorf("took %v", r.took)
		}
		end()
	})
}

func TestCallerWhoHasGoneGetsNothingRun(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(bg)
		cancel(gone)
		for _, shadow := range []bool{false, true} {
			d := newDesk(t, f, func(c *replay.Config) { c.Shadow, c.OnStoreDown = shadow, replay.RunUnguarded })
			d.ask(ctx, request(), says("no")).wasRefused(t, gone, replay.CallerGone)
			if len(f.Redis.Keys()) != 0 {
				t.Error("a key is held for nobody")
			}
		}
	})
}

// Everyone who waits gets the same answer, and it is asked for once each.
func TestAllWhoWaitGetTheSameAnswer(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		end := newDesk(t, f).hang(request(), "done")
		var waits []func() reply
		for range 10 {
			waits = append(waits, newDesk(t, f, waiting(time.Minute)).start(bg, request(), says("no")))
		}
		time.Sleep(20 * time.Second)
		end().wasRun(t, "done", 1)
		for _, wait := range waits {
			wait().wasReplayed(t, "done")
		}
	})
}

// One tenant can't take waiting away from all: its requests beyond Config.Lock.MaxWaitersPerScope are
// told at once that the key is in progress, and another tenant's wait.
func TestScopesWaitApart(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		greedy, another, modest := request(), request(), request()
		another.Key = "another key"
		modest.Scope = "another scope"
		holder := newDesk(t, f)
		for _, req := range []replay.Request{greedy, another, modest} {
			end := holder.hang(req, "done")
			defer end()
		}
		d := newDesk(t, f, waiting(time.Minute), func(c *replay.Config) { c.Lock.MaxWaitersPerScope = 1 })
		first := d.start(bg, greedy, says("no"))
		synctest.Wait()
		r := d.ask(bg, another, says("no"))
		r.wasRefused(t, replay.ErrInProgress, replay.InProgress)
		if r.took > time.Second {
			t.Errorf("told after %v, want at once", r.took)
		}
		r = d.ask(bg, modest, says("no"))
		r.wasRefused(t, replay.ErrInProgress, replay.InProgress)
		if r.took < time.Minute {
			t.Errorf("another scope waited %v, want a minute", r.took)
		}
		first()
	})
}
