package replay_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// A usedKey is a way for a key to be no longer free.
type usedKey struct {
	name string
	use  func(*testing.T, *bubble.Fleet, *desk)
	// What an authorised request gets: the error, or nil if it gets an answer.
	same, another error
}

func usedKeys() []usedKey {
	return []usedKey{
		{"done", func(_ *testing.T, _ *bubble.Fleet, d *desk) { d.ask(bg, request(), says("done")) }, nil, replay.ErrReused},
		{"not kept", func(_ *testing.T, _ *bubble.Fleet, d *desk) {
			d.ask(bg, request(), func(context.Context) (replay.Answer, error) { return replay.Answer{Verdict: replay.Tombstone}, nil })
		}, replay.ErrReplayUnavailable, replay.ErrReused},
		{"in progress", func(t *testing.T, f *bubble.Fleet, _ *desk) {
			end := newDesk(t, f).hang(request(), "done")
			t.Cleanup(func() { end() })
		}, replay.ErrInProgress, replay.ErrReused},
		{"abandoned", func(_ *testing.T, _ *bubble.Fleet, d *desk) { d.ask(bg, request(), fails(errDown)) }, nil, replay.ErrReused},
		{"unreadable", func(t *testing.T, f *bubble.Fleet, d *desk) {
			d.ask(bg, request(), says("done"))
			f.Redis.Set(f.OnlyKey(), "Raaah")
		}, errAny, errAny},
		{"none of ours", func(t *testing.T, f *bubble.Fleet, d *desk) {
			d.ask(bg, request(), says("done"))
			f.Redis.Set(f.OnlyKey(), "Lookalike")
		}, errAny, errAny},
	}
}

// errAny is an error that the tests of authorisation do not look at.
var errAny = errors.New("any")

// Whoever is refused learns of a key that it is not for them, and nothing of its state: the answer is the same, at once,
// whatever the state, the policy, the wait and the body, and the key is left as it is.
func TestRefusedCallerLearnsNothing(t *testing.T) {
	forbidden := errors.New("no longer yours")
	for _, state := range usedKeys() {
		for _, policy := range []replay.AbandonedPolicy{replay.RunAgain, replay.RefuseUnknown, replay.AskReconcile} {
			t.Run(state.name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					d := newDesk(t, f)
					state.use(t, f, d)
					before := f.Values()
					for _, req := range []replay.Request{request(), another()} {
						for _, wait := range []time.Duration{replay.NoWait, time.Minute} {
							asked := 0
							req.Wait, req.OnAbandoned = wait, policy
							req.Authorize = func(context.Context) error { asked++; return forbidden }
							req.Same = func(string) (bool, error) { t.Error("compared before it was authorised"); return false, nil }
							req.Reconcile = must(t).Reconcile
							d.Trips() // of what came before
							r := d.ask(bg, req, says("no"))
							r.wasRefused(t, replay.ErrReplayRefused, replay.ReplayRefused)
							r.is(t, forbidden)
							if want := replay.ErrReplayRefused.Error() + ": " + forbidden.Error(); fmt.Sprint(r.err) != want {
								t.Errorf("it says %q, want %q", r.err, want)
							}
							if asked != 1 || r.took > time.Second {
								t.Errorf("asked %d times, took %v", asked, r.took)
							}
						}
					}
					for key, value := range f.Values() {
						if before[key] != value {
							t.Errorf("the key became %q, was %q", value, before[key])
						}
					}
				})
			})
		}
	}
}

// An authorised caller gets what it gets where nobody asks, and is asked about once.
func TestAuthorisedCallerIsAskedAboutOnce(t *testing.T) {
	for _, state := range usedKeys() {
		t.Run(state.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				d := newDesk(t, f)
				state.use(t, f, d)
				for _, tc := range []struct {
					req  replay.Request
					want error
				}{{another(), state.another}, {request(), state.same}} {
					asked := 0
					tc.req.Authorize = func(ctx context.Context) error {
						if ctx.Value(ctxKey{}) != "kept" {
							t.Error("it is not asked with the caller's context")
						}
						asked++
						return nil
					}
					r := d.ask(context.WithValue(bg, ctxKey{}, "kept"), tc.req, says("done"))
					if asked != 1 {
						t.Errorf("asked %d times", asked)
					}
					if tc.want == errAny && r.err != nil {
						continue
					}
					if !errors.Is(r.err, tc.want) || r.err == nil && r.value != "done" {
						t.Errorf("got %+v, want %v", r, tc.want)
					}
				}
			})
		})
	}
}

// Whose work a free key is for, the work itself decides; nor is there anything to hide while Redis is down.
func TestNobodyAsksAboutAFreeKey(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		req := request()
		req.Wait = time.Minute
		req.Authorize = func(context.Context) error { t.Error("asked"); return errDown }
		d.ask(bg, req, says("done")).wasRun(t, "done", 1)
		d.WantTrips("begin", "commit")
		f.Down()
		d.ask(bg, req, says("no")).wasRefused(t, replay.ErrUnavailable, replay.Unavailable)
		f.Up()
		bad := req
		bad.Fingerprint = "with a space"
		if r := d.ask(bg, bad, says("no")); r.ran || r.err == nil {
			t.Errorf("got %+v", r)
		}
	})
}

// Waiting, and taking over, cost one more question where Authorize comes first; all else costs what it did.
func TestRoundTripsOfAuthorisation(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		req := request()
		req.Authorize = func(context.Context) error { return nil }
		req.Wait = time.Minute
		end := newDesk(t, f).hang(request(), "done")
		wait := d.start(bg, req, says("no"))
		synctest.Wait()
		end()
		wait().wasReplayed(t, "done")
		d.WantTrips("begin", "begin", "SSUBSCRIBE", "begin", "begin") // the first is the one more
		d.ask(bg, req, says("no")).wasReplayed(t, "done")
		d.WantTrips("begin")

		req.Key = "another-key"
		d.ask(bg, req, fails(errDown))
		d.Trips()
		d.ask(bg, req, says("done")).wasRun(t, "done", 2)
		d.WantTrips("begin", "begin", "commit")
	})
}

func TestAuthorizePanics(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		d.ask(bg, request(), says("done"))
		req := request()
		req.Authorize = func(context.Context) error { panic("authorize") }
		r, p := d.panics(bg, req, says("no"))
		if r.ran || p != "authorize" || r.event.Outcome != replay.ReplayRefused {
			t.Errorf("got %v, %+v", p, r)
		}
	})
}
