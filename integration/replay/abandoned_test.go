package replay_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

func onAbandoned(p replay.AbandonedPolicy) func(*replay.Config) {
	return func(c *replay.Config) { c.OnAbandoned = p }
}

// reconciled is the request of a desk that asks when an attempt has failed.
func reconciled(decide func(context.Context) (replay.Decision, replay.Answer, error)) replay.Request {
	r := request()
	r.Reconcile = decide
	return r
}

func decides(d replay.Decision, value string, err error) replay.Request {
	return reconciled(func(context.Context) (replay.Decision, replay.Answer, error) {
		return d, replay.Answer{Value: value}, err
	})
}

// must is a request that is not to be reconciled.
func must(t *testing.T) replay.Request {
	return reconciled(func(context.Context) (replay.Decision, replay.Answer, error) {
		t.Error("asked to reconcile, and there is nothing to")
		return 0, replay.Answer{}, nil
	})
}

// attempts is work that checks what its context says of it.
func attempts(t *testing.T, number int, s string) work {
	return func(ctx context.Context) (replay.Answer, error) {
		if a, ok := replay.AttemptFrom(ctx); !ok || a.Number != number || a.Fence == 0 {
			t.Errorf("got %+v, %v, want attempt %d", a, ok, number)
		}
		return replay.Answer{Value: s}, nil
	}
}

func TestCrashIsKnown(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		crash(t, f, request())
		d := newDesk(t, f)
		for left := leaseTime; left > 0; left -= 5 * time.Second {
			r := d.ask(bg, request(), says("no"))
			r.wasRefused(t, replay.ErrInProgress, replay.InProgress)
			if e := r.inProgress(t); e.Left.Round(time.Second) != left {
				t.Errorf("%v left, want %v", e.Left, left)
			}
			time.Sleep(5 * time.Second)
		}
		time.Sleep(time.Millisecond)
		d.ask(bg, request(), attempts(t, 2, "done")).wasRun(t, "done", 2)
		d.ask(bg, request(), says("no")).wasReplayed(t, "done")
	})
}

func TestAttemptAndFenceGrow(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		var fence int64
		for n := 1; n <= 5; n++ {
			r := d.ask(bg, request(), func(ctx context.Context) (replay.Answer, error) {
				a, ok := replay.AttemptFrom(ctx)
				if !ok || a.Number != n || a.Fence <= fence {
					t.Errorf("attempt %d is %+v, %v, after fence %d", n, a, ok, fence)
				}
				fence = a.Fence
				return replay.Answer{}, errors.New("down")
			})
			if r.Attempt != n || r.Fence != fence || r.event.Attempt != n {
				t.Errorf("the result says %+v, want attempt %d, fence %d", r, n, fence)
			}
		}
	})
}

func TestNoAttemptOutsideTheWork(t *testing.T) {
	if a, ok := replay.AttemptFrom(bg); ok || a.Number != 0 {
		t.Errorf("got %+v", a)
	}
}

func TestAbandonedRuns(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, onAbandoned(replay.RunAgain))
		d.ask(bg, request(), fails(errors.New("down")))
		d.ask(bg, request(), attempts(t, 2, "done")).wasRun(t, "done", 2)
	})
}

func TestAbandonedIsRefused(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, onAbandoned(replay.RefuseUnknown))
		d.ask(bg, request(), fails(errors.New("down"))).is(t)
		for range 3 {
			d.ask(bg, request(), says("no")).wasRefused(t, replay.ErrOutcomeUnknown, replay.OutcomeUnknown)
			time.Sleep(7 * time.Hour)
		}
		time.Sleep(7 * time.Hour) // more than a day in all: the claim is forgotten
		d.ask(bg, request(), says("done")).wasRun(t, "done", 1)
	})
}

func TestCrashedIsRefused(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		crash(t, f, request())
		d := newDesk(t, f, onAbandoned(replay.RefuseUnknown))
		d.ask(bg, request(), says("no")).wasRefused(t, replay.ErrInProgress, replay.InProgress)
		time.Sleep(leaseTime)
		d.ask(bg, request(), says("no")).wasRefused(t, replay.ErrOutcomeUnknown, replay.OutcomeUnknown)
	})
}

func TestReconcileIsNotAskedWithoutNeed(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, onAbandoned(replay.AskReconcile))
		d.ask(bg, must(t), fails(replay.Clean(errors.New("declined"))))
		end := d.hang(must(t), "done")
		d.ask(bg, must(t), says("no")).wasRefused(t, replay.ErrInProgress, replay.InProgress)
		end().wasRun(t, "done", 1)
		d.ask(bg, must(t), says("no")).wasReplayed(t, "done")

		d = newDesk(t, f, func(c *replay.Config) { c.OnAbandoned, c.Prefix = replay.RunAgain, "other" })
		d.ask(bg, must(t), fails(errors.New("down")))
		d.ask(bg, must(t), says("done")).wasRun(t, "done", 2) // the policy doesn't ask
	})
}

func TestReconcileLetsRun(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, onAbandoned(replay.AskReconcile))
		d.ask(bg, must(t), fails(errors.New("down")))
		asked := 0
		req := reconciled(func(ctx context.Context) (replay.Decision, replay.Answer, error) {
			asked++
			_, _ = attempts(t, 2, "")(ctx)
			// It holds the key meanwhile.
			newDesk(t, f).ask(bg, request(), says("no")).wasRefused(t, replay.ErrInProgress, replay.InProgress)
			return replay.NotDone, replay.Answer{Value: "not an answer"}, nil
		})
		d.ask(bg, req, attempts(t, 2, "done")).wasRun(t, "done", 2)
		d.ask(bg, req, says("no")).wasReplayed(t, "done")
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// Done: its answer is stored, given, and replayed to all others.
func TestReconcileAnswers(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		a, b := newDesk(t, f, onAbandoned(replay.AskReconcile)), newDesk(t, f)
		crash(t, f, request())
		time.Sleep(leaseTime)
		r := a.ask(bg, decides(replay.Done, "found", nil), says("no"))
		if r.ran || r.err != nil || r.value != "found" || !r.Reconciled || r.Replayed || !r.Stored || !r.Guarded || r.Attempt != 2 || r.event.Outcome != replay.Stored {
			t.Errorf("got %+v, want %q as the record of attempt 2", r, "found")
		}
		b.ask(bg, request(), says("no")).wasReplayed(t, "found")
		b.ask(bg, another(), says("no")).wasRefused(t, replay.ErrReused, replay.Reused)
	})
}

func TestReconcileStillDoesNotKnow(t *testing.T) {
	for _, tc := range []struct {
		name string
		req  replay.Request
		also error
	}{
		{"by its decision", decides(replay.Undecided, "no", nil), replay.ErrOutcomeUnknown},
		{"by its error", decides(replay.NotDone, "no", context.DeadlineExceeded), context.DeadlineExceeded},
		{"by an error that claims to be clean", decides(replay.Done, "no", replay.Clean(context.DeadlineExceeded)), context.DeadlineExceeded},
		{"by a decision that there is not", decides(77, "no", nil), replay.ErrOutcomeUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				d := newDesk(t, f, onAbandoned(replay.AskReconcile))
				d.ask(bg, must(t), fails(errors.New("down")))
				for range 3 { // asked again next time
					r := d.ask(bg, tc.req, says("no"))
					if r.ran || r.event.Outcome != replay.OutcomeUnknown {
						t.Errorf("got %+v", r)
					}
					r.is(t, replay.ErrOutcomeUnknown, tc.also)
				}
				d.ask(bg, decides(replay.NotDone, "", nil), says("done")).wasRun(t, "done", 5)
			})
		})
	}
}

func TestReconcileAnswersTooMuch(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, onAbandoned(replay.AskReconcile), func(c *replay.Config) { c.Cache.MaxDecoded = 1 << 10 })
		d.ask(bg, must(t), fails(errors.New("down")))
		long := string(make([]byte, 2<<10))
		r := d.ask(bg, decides(replay.Done, long, nil), says("no"))
		if r.ran || r.err != nil || r.Replayed || r.Reconciled || r.Stored || r.Attempt != 2 {
			t.Errorf("got %+v", r)
		}
		d.ask(bg, must(t), says("no")).wasRefused(t, replay.ErrReplayUnavailable, replay.ReplayUnavailable)
	})
}

func TestReconcilePanics(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, onAbandoned(replay.AskReconcile))
		d.ask(bg, must(t), fails(errors.New("down")))
		r, p := d.panics(bg, reconciled(func(context.Context) (replay.Decision, replay.Answer, error) { panic("reconcile") }), says("no"))
		if r.ran || p != "reconcile" || r.event.Outcome != replay.WorkPanicked {
			t.Errorf("got %+v, %v", r, p)
		}
		d.ask(bg, decides(replay.NotDone, "", nil), says("done")).wasRun(t, "done", 3)
	})
}

func TestReconcileMustBeGiven(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, onAbandoned(replay.AskReconcile))
		_, err := d.engine.Do(bg, request(), says("no"))
		if e, ok := errors.AsType[*replay.ConfigError](err); !ok || e.Name != "Request.Reconcile" {
			t.Errorf("got %v", err)
		}
		d.WantTrips()
	})
}
