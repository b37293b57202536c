package replay_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

var errDown = errors.New("the ledger is down")

// panics is ask for work that panics, or ends its goroutine (then what it panicked with is nil).
func (d *desk) panics(ctx context.Context, req replay.Request, w work) (r reply, p any) {
	d.t.Helper()
	done := make(chan struct{})
	returned := false
	go func() {
		defer close(done)
		defer func() { p = recover() }()
		var events []replay.Event
		defer func() {
			if len(events) != 1 {
				d.t.Errorf("%d events of one request: %+v", len(events), events)
				return
			}
			r.event = events[0]
		}()
		r.Result, r.err = d.engine.Do(context.WithValue(ctx, eventsKey{}, &events), req, func(ctx context.Context) (replay.Answer, error) {
			r.ran = true
			return w(ctx)
		})
		returned = true
	}()
	<-done
	if returned {
		d.t.Errorf("Do returned %+v, %v", r.Result, r.err)
	}
	return r, p
}

func TestFailureAbandons(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		r := d.ask(bg, request(), fails(errDown))
		if r.err != errDown || r.Stored || !r.Guarded || r.Attempt != 1 || r.event.Outcome != replay.Failed || r.event.Err != errDown {
			t.Errorf("got %+v, want the error as it is", r)
		}
		d.WantTrips("begin", "abandon")
		d.ask(bg, request(), says("done")).wasRun(t, "done", 2)
	})
}

func TestFailureReleases(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, func(c *replay.Config) { c.OnFailure = replay.ReleaseFailed })
		if r := d.ask(bg, request(), fails(errDown)); r.err != errDown || r.event.Outcome != replay.Failed {
			t.Errorf("got %+v", r)
		}
		d.WantTrips("begin", "release")
		if len(f.Redis.Keys()) != 0 {
			t.Error("the key is still held")
		}
		d.ask(bg, another(), says("done")).wasRun(t, "done", 1) // nothing is left of the first, its fingerprint neither
	})
}

func TestCleanFailureReleases(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		for _, err := range []error{replay.Clean(errDown), errors.Join(errors.New("declined"), replay.Clean(errDown))} {
			r := d.ask(bg, request(), fails(err))
			r.is(t, errDown)
			if r.err != err || r.err.Error() != err.Error() || r.Attempt != 1 || r.event.Outcome != replay.Failed {
				t.Errorf("got %+v, want the error as it is", r)
			}
			d.WantTrips("begin", "release")
		}
		d.ask(bg, request(), says("done")).wasRun(t, "done", 1)
	})
}

// A clean end of attempt 2 says nothing of attempt 1, which stays unknown.
func TestCleanEndOfALaterAttemptStaysAbandoned(t *testing.T) {
	release := func(context.Context) (replay.Answer, error) { return replay.Answer{Verdict: replay.Release}, nil }
	for _, tc := range []struct {
		name   string
		policy replay.FailurePolicy
		work   work
	}{
		{"an error marked clean", replay.AbandonFailed, fails(replay.Clean(errDown))},
		{"an error, released by policy", replay.ReleaseFailed, fails(errDown)},
		{"a verdict", replay.AbandonFailed, release},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				newDesk(t, f).ask(bg, request(), fails(errDown))
				d := newDesk(t, f, func(c *replay.Config) { c.OnFailure = tc.policy })
				if r := d.ask(bg, request(), tc.work); !r.ran || r.Attempt != 2 {
					t.Errorf("got %+v", r)
				}
				d.ask(bg, request(), says("done")).wasRun(t, "done", 3)
			})
		})
	}
}

func TestVerdicts(t *testing.T) {
	for _, tc := range []struct {
		name    string
		verdict replay.Verdict
		trip    string
		attempt int
	}{
		{"release", replay.Release, "release", 1},
		{"abandon", replay.Abandon, "abandon", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				d := newDesk(t, f)
				r := d.ask(bg, request(), func(context.Context) (replay.Answer, error) {
					return replay.Answer{Value: "declined", Verdict: tc.verdict}, nil
				})
				if r.err != nil || r.value != "declined" || r.Stored || r.Replayed || r.event.Outcome != replay.Failed {
					t.Errorf("got %+v, want the answer, not stored", r)
				}
				d.WantTrips("begin", tc.trip)
				d.ask(bg, request(), says("done")).wasRun(t, "done", tc.attempt)
			})
		})
	}
}

func TestPanicAbandonsAndGoesOn(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		boom := errors.New("boom")
		r, p := d.panics(bg, request(), func(context.Context) (replay.Answer, error) {
			time.Sleep(3 * time.Second)
			panic(boom)
		})
		if p != any(boom) {
			t.Errorf("the panic was carried on as %v", p)
		}
		if e := r.event; e.Outcome != replay.WorkPanicked || e.Attempt != 1 || e.Work != 3*time.Second {
			t.Errorf("event %+v", e)
		}
		d.WantTrips("begin", "abandon")
		d.ask(bg, request(), says("done")).wasRun(t, "done", 2)
	})
}

func TestPanicReleasesByPolicy(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, func(c *replay.Config) { c.OnFailure = replay.ReleaseFailed })
		d.panics(bg, request(), func(context.Context) (replay.Answer, error) { panic("boom") })
		d.WantTrips("begin", "release")
		d.ask(bg, request(), says("done")).wasRun(t, "done", 1)
	})
}

func TestGoexitAbandonsAndGoesOn(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		r, p := d.panics(bg, request(), func(context.Context) (replay.Answer, error) {
			runtime.Goexit()
			return replay.Answer{}, nil
		})
		if p != nil || r.event.Outcome != replay.WorkPanicked {
			t.Errorf("got %v, %+v", p, r.event)
		}
		d.ask(bg, request(), says("done")).wasRun(t, "done", 2)
	})
}

type explosive struct{}

func (explosive) MarshalMsgpack() ([]byte, error) { panic("encoding") }

// The key must not stay held until the longest hold is over.
func TestAnswerThatPanicsWhenEncoded(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		_, p := d.panics(bg, request(), func(context.Context) (replay.Answer, error) {
			return replay.Answer{Value: explosive{}}, nil
		})
		if p != "encoding" {
			t.Errorf("the panic was carried on as %v", p)
		}
		d.ask(bg, request(), says("done")).wasRun(t, "done", 2)
	})
}

func TestHangupRunsOn(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		ctx, hangUp := context.WithCancel(context.WithValue(bg, ctxKey{}, "kept"))
		wait := d.start(ctx, request(), func(ctx context.Context) (replay.Answer, error) {
			hangUp()
			time.Sleep(time.Minute)
			if _, ok := ctx.Deadline(); ok || ctx.Err() != nil || ctx.Value(ctxKey{}) != "kept" {
				t.Errorf("the work's context: %v, value %v", ctx.Err(), ctx.Value(ctxKey{}))
			}
			return replay.Answer{Value: "done"}, nil
		})
		wait().wasRun(t, "done", 1)
		newDesk(t, f).ask(bg, request(), says("no")).wasReplayed(t, "done")
	})
}

type ctxKey struct{}

func TestHangupStops(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, func(c *replay.Config) { c.OnHangup = replay.StopWithCaller })
		gone := errors.New("gone")
		ctx, hangUp := context.WithCancelCause(context.WithValue(bg, ctxKey{}, "kept"))
		wait := d.start(ctx, request(), func(ctx context.Context) (replay.Answer, error) {
			if a, ok := replay.AttemptFrom(ctx); !ok || a.Number != 1 || ctx.Value(ctxKey{}) != "kept" {
				t.Errorf("attempt %+v, value %v", a, ctx.Value(ctxKey{}))
			}
			time.AfterFunc(20*time.Second, func() { hangUp(gone) })
			<-ctx.Done()
			return replay.Answer{}, context.Cause(ctx)
		})
		r := wait()
		if r.err != gone || r.took != 20*time.Second {
			t.Errorf("got %+v, want the work stopped after 20s", r)
		}
		d.ask(bg, request(), says("done")).wasRun(t, "done", 2) // the key was given up at once
	})
}

// What the work answers in spite of the hang-up counts.
func TestHangupStopsButTheAnswerIsStored(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, func(c *replay.Config) { c.OnHangup = replay.StopWithCaller })
		ctx, hangUp := context.WithCancel(bg)
		wait := d.start(ctx, request(), func(ctx context.Context) (replay.Answer, error) {
			hangUp()
			return untilEnd("done anyway")(ctx)
		})
		wait().wasRun(t, "done anyway", 1)
		d.ask(bg, request(), says("no")).wasReplayed(t, "done anyway")
	})
}
