package replay_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// cutOff makes a desk lose its lease: it starts work, which the desk's network does not survive.
// The work's context must end before Redis lets the key go. finish lets the work end, with Redis in
// reach again.
func cutOff(t *testing.T, f *bubble.Fleet, w work, options ...func(*replay.Config)) (finish func() reply) {
	t.Helper()
	d := newDesk(t, f, options...)
	gate, lost := make(chan struct{}), make(chan struct{})
	wait := d.start(bg, request(), func(ctx context.Context) (replay.Answer, error) {
		a, _ := replay.AttemptFrom(ctx)
		if a.State() != lock.Live {
			t.Errorf("state %v", a.State())
		}
		d.Down()
		time.Sleep(leaseTime / 2)
		if a.State() != lock.Suspended || ctx.Err() != nil {
			t.Errorf("state %v, %v, when renewal fails", a.State(), ctx.Err())
		}
		<-ctx.Done()
		if cause := context.Cause(ctx); cause != lock.ErrLost || a.State() != lock.Lost {
			t.Errorf("cause %v, state %v, want %v", cause, a.State(), lock.ErrLost)
		}
		newDesk(t, f).ask(bg, request(), says("no")).wasRefused(t, replay.ErrInProgress, replay.InProgress)
		close(lost)
		<-gate
		return w(ctx)
	})
	<-lost
	time.Sleep(time.Second)
	return func() reply {
		d.Up()
		close(gate)
		return wait()
	}
}

func (r reply) wasLate(t *testing.T) {
	t.Helper()
	if !r.ran || r.event.Outcome != replay.LostLease || r.event.Attempt != 1 || r.event.Work == 0 {
		t.Errorf("got %+v, want a lost lease", r)
	}
}

func TestLateFinisherGetsTheWinnersRecord(t *testing.T) {
	for name, w := range map[string]work{
		"with an answer":     says("late"),
		"with an error":      fails(errDown),
		"with a clean error": fails(replay.Clean(errDown)),
		"with an answer not to keep": func(context.Context) (replay.Answer, error) {
			return replay.Answer{Value: "no", Verdict: replay.Abandon}, nil
		},
		"with a tombstone": func(context.Context) (replay.Answer, error) {
			return replay.Answer{Value: "no", Verdict: replay.Tombstone}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				finish := cutOff(t, f, w)
				winner := newDesk(t, f).ask(bg, request(), says("winner"))
				winner.wasRun(t, "winner", 2)
				record := f.OnlyValue()
				r := finish()
				r.wasLate(t)
				if r.value != "winner" || !r.Replayed || !r.Stored || r.err != nil {
					t.Errorf("got %+v, want the winner's record", r)
				}
				if f.OnlyValue() != record {
					t.Error("the winner's record has changed")
				}
			})
		})
	}
}

func TestLateFinisherWhileAnotherHolds(t *testing.T) {
	for name, w := range map[string]work{"with an answer": says("late"), "with an error": fails(errDown)} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				finish := cutOff(t, f, w)
				end := newDesk(t, f).hang(request(), "winner")
				r := finish()
				r.wasLate(t)
				r.is(t, lock.ErrLost)
				if e := r.inProgress(t); !e.Lost || e.Attempt != 2 || e.Left != leaseTime {
					t.Errorf("got %+v", e)
				}
				if name == "with an error" {
					r.is(t, errDown)
				}
				end().wasRun(t, "winner", 2)
			})
		})
	}
}

// Nobody took over: the key is still the late finisher's to commit.
func TestLateFinisherIsStoredWhenNobodyTookOver(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		r := cutOff(t, f, says("late"))()
		r.wasRun(t, "late", 1)
		newDesk(t, f).ask(bg, request(), says("no")).wasReplayed(t, "late")
	})
}

func TestLateFinisherWhenTheNextFailedToo(t *testing.T) {
	for policy, want := range map[replay.AbandonedPolicy]error{
		replay.RunAgain: replay.ErrInProgress, replay.RefuseUnknown: replay.ErrOutcomeUnknown,
	} {
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			finish := cutOff(t, f, says("late"), onAbandoned(policy))
			newDesk(t, f).ask(bg, request(), fails(errDown))
			r := finish()
			r.wasLate(t)
			r.is(t, want)
			if policy == replay.RunAgain {
				if e := r.inProgress(t); !e.Lost || e.Attempt != 2 || e.Left != 0 {
					t.Errorf("got %+v", e)
				}
			}
			newDesk(t, f).ask(bg, request(), says("done")).wasRun(t, "done", 3)
		})
	}
}

// The key was freed and another request has it: to say "reused" would be to say that nothing ran.
func TestLateFinisherOfAKeyThatIsAnothers(t *testing.T) {
	for name, take := range map[string]func(*desk) func() reply{
		"done": func(d *desk) func() reply {
			r := d.ask(bg, another(), says("another"))
			return func() reply { return r }
		},
		"in progress": func(d *desk) func() reply { return d.hang(another(), "another") },
		"abandoned": func(d *desk) func() reply {
			r := d.ask(bg, another(), fails(errDown))
			return func() reply { return r }
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				finish := cutOff(t, f, says("late"))
				f.Redis.FlushAll()
				end := take(newDesk(t, f))
				r := finish()
				r.wasLate(t)
				r.is(t, replay.ErrOutcomeUnknown, lock.ErrLost)
				if errors.Is(r.err, replay.ErrReused) || r.Replayed {
					t.Errorf("got %+v", r)
				}
				end()
			})
		})
	}
}

func TestLateFinisherAndARecordThatIsNotForIt(t *testing.T) {
	forbidden := errors.New("no longer yours")
	for _, tc := range []struct {
		name   string
		winner work
		after  func(*testing.T, *bubble.Fleet)
		want   []error
	}{
		{"not kept", func(context.Context) (replay.Answer, error) { return replay.Answer{Verdict: replay.Tombstone}, nil }, nil, []error{replay.ErrReplayUnavailable}},
		{"not authorised", says("winner"), nil, []error{replay.ErrReplayRefused, forbidden}},
		{"unreadable", says("winner"), func(t *testing.T, f *bubble.Fleet) { f.Redis.Set(f.OnlyKey(), "Raaah") }, []error{cache.ErrCorrupt}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				d := newDesk(t, f)
				req := request()
				if tc.name == "not authorised" {
					req.Authorize = func(context.Context) error { return forbidden }
				}
				r := d.ask(bg, req, func(context.Context) (replay.Answer, error) {
					d.Down()
					time.Sleep(leaseTime + time.Second)
					newDesk(t, f).ask(bg, request(), tc.winner)
					if tc.after != nil {
						tc.after(t, f)
					}
					d.Up()
					return replay.Answer{Value: "late"}, nil
				})
				r.wasLate(t)
				r.is(t, tc.want...)
				if r.Replayed || r.Stored {
					t.Errorf("got %+v", r)
				}
			})
		})
	}
}
