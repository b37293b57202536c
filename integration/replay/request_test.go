package replay_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// A request may ask for other policies than its engine's.
func TestRequestOverrides(t *testing.T) {
	down := errors.New("down")
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, waiting(time.Minute))
		patient, hasty := request(), request()
		hasty.Wait = replay.NoWait

		end := d.hang(patient, "done")
		r := d.ask(bg, hasty, says("no"))
		r.wasRefused(t, replay.ErrInProgress, replay.InProgress)
		if r.took != 0 {
			t.Errorf("waited %v", r.took)
		}
		wait := d.start(bg, patient, says("no"))
		end()
		wait().wasReplayed(t, "done")
	})
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		patient := request()
		patient.Wait = time.Minute
		end := d.hang(request(), "done")
		wait := d.start(bg, patient, says("no"))
		synctest.Wait()
		end()
		wait().wasReplayed(t, "done")
	})
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		released, refused := request(), request()
		released.OnFailure = replay.ReleaseFailed
		refused.OnAbandoned = replay.RefuseUnknown

		if r := d.ask(bg, released, fails(down)); r.err != down {
			t.Errorf("got %v", r.err)
		}
		if r := d.ask(bg, request(), fails(down)); r.Attempt != 1 {
			t.Errorf("attempt %d after a release, want 1", r.Attempt)
		}
		d.ask(bg, refused, says("no")).wasRefused(t, replay.ErrOutcomeUnknown, replay.OutcomeUnknown)
		d.ask(bg, request(), says("mine")).wasRun(t, "mine", 2)
	})
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, func(c *replay.Config) { c.OnAbandoned = replay.RefuseUnknown })
		again, asking, unable := request(), request(), request()
		again.OnAbandoned = replay.RunAgain
		asking.OnAbandoned, unable.OnAbandoned = replay.AskReconcile, replay.AskReconcile
		asking.Reconcile = func(context.Context) (replay.Decision, replay.Answer, error) {
			return replay.Done, replay.Answer{Value: "found"}, nil
		}
		d.ask(bg, request(), fails(down))
		if r := d.ask(bg, again, fails(down)); r.Attempt != 2 {
			t.Errorf("attempt %d, want 2", r.Attempt)
		}
		if _, err := d.engine.Do(bg, unable, says("no")); err == nil || !strings.Contains(err.Error(), "Request.Reconcile") {
			t.Errorf("got %v, want that Reconcile is missing", err)
		}
		if r := d.ask(bg, asking, says("no")); r.value != "found" || r.ran {
			t.Errorf("got %q, want what Reconcile has found", r.value)
		}
	})
}

// alike is the request with a fingerprint of another making, which knows the first one for its own.
func alike(known ...string) replay.Request {
	r := request()
	r.Fingerprint = "2:one"
	r.Same = func(fingerprint string) (bool, error) {
		for _, k := range known {
			if k == fingerprint {
				return true, nil
			}
		}
		return false, nil
	}
	return r
}

var errUnknownMaking = errors.New("made in a way that is not known here")

// A request that is known by a fingerprint of another making is that request, in every state of its
// key, and costs one trip more only where Redis has to be asked by it.
func TestSame(t *testing.T) {
	mine, others := alike(request().Fingerprint), alike("1:third")
	doubtful := request()
	doubtful.Fingerprint = "2:one"
	doubtful.Same = func(string) (bool, error) { return false, errUnknownMaking }
	check := func(t *testing.T, d *desk) {
		t.Helper()
		d.ask(bg, others, says("no")).wasRefused(t, replay.ErrReused, replay.Reused)
		r := d.ask(bg, doubtful, says("no"))
		r.wasRefused(t, replay.ErrUnavailable, replay.Unavailable)
		if !errors.Is(r.err, errUnknownMaking) {
			t.Errorf("got %v", r.err)
		}
		d.Trips()
	}
	for _, wait := range []time.Duration{0, time.Minute} {
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			first, d := newDesk(t, f), newDesk(t, f, waiting(wait))
			end := first.hang(request(), "done")
			check(t, d)
			if wait == 0 {
				d.ask(bg, mine, says("no")).wasRefused(t, replay.ErrInProgress, replay.InProgress)
				d.WantTrips("begin")
				end()
			} else {
				answer := d.start(bg, mine, says("no"))
				synctest.Wait()
				end()
				answer().wasReplayed(t, "done")
			}
			check(t, d)
			d.ask(bg, mine, says("no")).wasReplayed(t, "done")
			d.WantTrips("begin")
		})
	}
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		d.ask(bg, request(), fails(errors.New("down")))
		check(t, d)
		refused := mine
		refused.OnAbandoned = replay.RefuseUnknown
		d.ask(bg, refused, says("no")).wasRefused(t, replay.ErrOutcomeUnknown, replay.OutcomeUnknown)
		d.WantTrips("begin")
		d.ask(bg, mine, says("mine")).wasRun(t, "mine", 2)
		d.WantTrips("begin", "begin", "commit")
		d.ask(bg, request(), says("no")).wasReplayed(t, "mine") // by the fingerprint that the key has kept
	})
}

// Work that runs in shadow can tell what would have been answered in its place.
func TestShadowTellsTheWork(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, func(c *replay.Config) { c.Shadow = true })
		var told []replay.Outcome
		listen := func(ctx context.Context) (replay.Answer, error) {
			o, _ := replay.ShadowFrom(ctx)
			told = append(told, o)
			return replay.Answer{Value: "done"}, nil
		}
		d.ask(bg, request(), listen)
		d.ask(bg, request(), listen)
		d.ask(bg, another(), listen)
		if len(told) != 3 || told[0] != "" || told[1] != replay.Replayed || told[2] != replay.Reused {
			t.Errorf("told %q", told)
		}
	})
}

// Waits end when the engine is told so, each as if its time were over.
func TestStopWaiting(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		end := newDesk(t, f).hang(request(), "done")
		d := newDesk(t, f, waiting(time.Minute))
		wait := d.start(bg, request(), says("no"))
		synctest.Wait()
		d.engine.StopWaiting()
		r := wait()
		r.wasRefused(t, replay.ErrInProgress, replay.InProgress)
		if r.took > time.Second {
			t.Errorf("took %v", r.took)
		}
		end().wasRun(t, "done", 1)
	})
}
