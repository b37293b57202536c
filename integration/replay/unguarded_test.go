package replay_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

func unguarded(c *replay.Config) { c.OnStoreDown = replay.RunUnguarded }

func TestRedisDownBeforeTheWorkRunsUnguarded(t *testing.T) {
	for _, outage := range bubble.Outages {
		t.Run(outage.Name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				d := newDesk(t, f, unguarded)
				outage.Begin(f)
				r := d.ask(bg, request(), func(ctx context.Context) (replay.Answer, error) {
					if _, ok := replay.AttemptFrom(ctx); ok {
						t.Error("there is an attempt without a claim")
					}
					return says("done")(ctx)
				})
				if !r.ran || r.err != nil || r.value != "done" || r.Stored || r.Guarded || r.Replayed || r.Attempt != 0 {
					t.Errorf("got %+v, want it run without a claim", r)
				}
				if e := r.event; e.Outcome != replay.Unguarded || !errors.Is(e.Err, replay.ErrUnavailable) {
					t.Errorf("event %+v", e)
				}
				outage.End(f)
			})
		})
	}
}

func TestRequestOverridesOnStoreDown(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		closed, open := newDesk(t, f), newDesk(t, f, unguarded)
		f.Down()
		req := request()
		req.OnStoreDown = replay.RunUnguarded
		if r := closed.ask(bg, req, says("done")); !r.ran || r.value != "done" || r.Guarded {
			t.Errorf("got %+v, want it run", r)
		}
		req.OnStoreDown = replay.Refuse
		open.ask(bg, req, says("no")).wasRefused(t, replay.ErrUnavailable, replay.Unavailable)
	})
}

// Running without a claim is for a Redis that can't be asked, not for one that says no.
func TestUnguardedIsNotForOtherRefusals(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, unguarded)
		end := d.hang(request(), "done")
		d.ask(bg, request(), says("no")).wasRefused(t, replay.ErrInProgress, replay.InProgress)
		d.ask(bg, another(), says("no")).wasRefused(t, replay.ErrReused, replay.Reused)
		end()
		f.Redis.Set(f.OnlyKey(), "R what?")
		if r := d.ask(bg, request(), says("no")); r.ran || r.event.Outcome != replay.Unreadable {
			t.Errorf("got %+v", r)
		}
	})
}

func TestUnguardedFailure(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, unguarded)
		f.Down()
		if r := d.ask(bg, request(), fails(errDown)); r.err != errDown || r.Guarded {
			t.Errorf("got %+v, want the work's error", r)
		}
		r, p := d.panics(bg, request(), func(context.Context) (replay.Answer, error) { panic("boom") })
		if p != "boom" || r.event.Outcome != replay.Unguarded {
			t.Errorf("got %v, %+v", p, r.event)
		}
	})
}

func TestUnguardedHangupAndLongestHold(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d, stopping := newDesk(t, f, unguarded), newDesk(t, f, unguarded, func(c *replay.Config) { c.OnHangup = replay.StopWithCaller })
		f.Down()
		time.Sleep(time.Minute) // so that connections are refused at once
		ctx, hangUp := context.WithTimeout(bg, 5*time.Second)
		defer hangUp()
		r := d.ask(ctx, request(), func(ctx context.Context) (replay.Answer, error) {
			<-ctx.Done()
			return replay.Answer{}, context.Cause(ctx)
		})
		if r.err != lock.ErrMaxHold || r.Guarded || r.event.Work != 10*time.Minute {
			t.Errorf("runs on: got %+v, want the longest hold", r)
		}
		ctx, hangUp = context.WithTimeout(bg, 5*time.Second)
		defer hangUp()
		r = stopping.ask(ctx, request(), func(ctx context.Context) (replay.Answer, error) {
			<-ctx.Done()
			return replay.Answer{}, context.Cause(ctx)
		})
		if r.err != context.DeadlineExceeded || r.Guarded {
			t.Errorf("stops: got %+v", r)
		}
	})
}

// The attempt of an outer engine is not that of work which has none.
func TestUnguardedInsideGuarded(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		outer, inner := newDesk(t, f), newDesk(t, f, unguarded)
		inner.Down()
		outer.ask(bg, request(), func(ctx context.Context) (replay.Answer, error) {
			_, err := inner.engine.Do(context.WithValue(ctx, eventsKey{}, new([]replay.Event)), another(), func(ctx context.Context) (replay.Answer, error) {
				if a, ok := replay.AttemptFrom(ctx); ok {
					t.Errorf("it has %+v", a)
				}
				return says("inner")(ctx)
			})
			if _, ok := replay.AttemptFrom(ctx); !ok {
				t.Error("the outer work has lost its own")
			}
			return replay.Answer{Value: "outer"}, err
		}).wasRun(t, "outer", 1)
	})
}

// But what the outer work holds is held yet, whatever runs in between without a claim: to ask for it there
// would be to wait for one's own end.
func TestUnguardedInsideGuardedKnowsWhatIsHeld(t *testing.T) {
	for name, change := range map[string]func(*replay.Config){"Redis is down": unguarded, "shadow": func(c *replay.Config) { c.Shadow = true }} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				outer, inner := newDesk(t, f, waiting(time.Minute)), newDesk(t, f, change)
				inner.Down()
				outer.ask(bg, request(), func(ctx context.Context) (replay.Answer, error) {
					_, err := inner.engine.Do(context.WithValue(ctx, eventsKey{}, new([]replay.Event)), another(), func(ctx context.Context) (replay.Answer, error) {
						r := outer.ask(ctx, request(), says("no"))
						r.wasRefused(t, replay.ErrInProgress, replay.InProgress)
						if !r.inProgress(t).Nested {
							t.Errorf("got %+v, want it to know that it is nested", r)
						}
						return says("inner")(ctx)
					})
					return replay.Answer{Value: "outer"}, err
				}).wasRun(t, "outer", 1)
			})
		})
	}
}
