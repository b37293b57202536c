package replay_test

import (
	"context"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

func shadow(c *replay.Config) { c.Shadow = true }

// wasShadowed checks that the work ran, whatever would have been.
func (r reply) wasShadowed(t *testing.T, value string, would replay.Outcome, err error) {
	t.Helper()
	if !r.ran || r.err != nil || r.value != value || r.Replayed {
		t.Errorf("got %+v, want %q fresh", r, value)
	}
	if !r.event.Shadow || r.event.Outcome != would {
		t.Errorf("event %+v, want %s", r.event, would)
	}
	if err != nil {
		reply{err: r.event.Err}.is(t, err)
	}
}

func TestShadowRunsWhatWouldBeRefused(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, shadow, waiting(time.Minute))
		end := d.hang(request(), "first")
		r := d.ask(bg, request(), says("second"))
		r.wasShadowed(t, "second", replay.InProgress, replay.ErrInProgress)
		if r.Guarded || r.Stored || r.took != 0 {
			t.Errorf("got %+v, want no claim and no wait", r)
		}
		d.ask(bg, another(), says("other")).wasShadowed(t, "other", replay.Reused, replay.ErrReused)
		r = end()
		r.wasShadowed(t, "first", replay.Stored, nil)
		if !r.Stored || !r.Guarded || r.Attempt != 1 {
			t.Errorf("the first: %+v", r)
		}
		d.ask(bg, request(), says("third")).wasShadowed(t, "third", replay.Replayed, nil)
		d.ask(bg, another(), says("other")).wasShadowed(t, "other", replay.Reused, replay.ErrReused)

		f.Redis.Set(f.OnlyKey(), "gibberish")
		d.ask(bg, request(), says("fourth")).wasShadowed(t, "fourth", replay.Unreadable, cache.ErrCorrupt)
		f.Down()
		d.ask(bg, request(), says("fifth")).wasShadowed(t, "fifth", replay.Unavailable, replay.ErrUnavailable)
	})
}

func TestShadowRunsAfterAFailure(t *testing.T) {
	for policy, would := range map[replay.AbandonedPolicy]replay.Outcome{
		replay.RunAgain: replay.Stored, replay.RefuseUnknown: replay.OutcomeUnknown, replay.AskReconcile: replay.Stored,
	} {
		bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
			d := newDesk(t, f, shadow, onAbandoned(policy))
			if r := d.ask(bg, must(t), fails(errDown)); r.err != errDown || r.event.Outcome != replay.Failed {
				t.Errorf("got %+v", r)
			}
			d.ask(bg, must(t), says("done")).wasShadowed(t, "done", would, nil)
		})
	}
}

func TestShadowDoesNotAnswerWithTheWinnersRecord(t *testing.T) {
	for name, w := range map[string]work{"an answer": says("late"), "an error": fails(errDown)} {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				finish := cutOff(t, f, w, shadow)
				newDesk(t, f).ask(bg, request(), says("winner"))
				r := finish()
				if name == "an error" {
					if r.err != errDown || r.event.Outcome != replay.LostLease {
						t.Errorf("got %+v, want the work's error", r)
					}
					return
				}
				r.wasShadowed(t, "late", replay.LostLease, nil)
				if r.Stored {
					t.Error("it says that its answer is stored")
				}
			})
		})
	}
}

// A client is neither kept waiting for Redis nor refused its answer.
func TestShadowAnswersWhenRedisIsDownAtCommit(t *testing.T) {
	for _, outage := range bubble.Outages {
		t.Run(outage.Name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				d := newDesk(t, f, shadow, withhold)
				r := d.ask(bg, request(), meanwhile(f, outage.Begin, outage.End, time.Hour))
				r.wasShadowed(t, "done", replay.NotStored, replay.ErrUnavailable)
				if r.Stored || r.took > 5*time.Second {
					t.Errorf("got %+v", r)
				}
				time.Sleep(time.Hour)
			})
		})
	}
}

func TestTraceSeesTimings(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, waiting(time.Minute))
		end := newDesk(t, f).hang(request(), "done")
		time.AfterFunc(8*time.Second, func() { end() })
		r := d.ask(bg, request(), says("no"))
		if e := r.event; e.Acquire < 8*time.Second || e.Acquire > 9*time.Second || e.Work != 0 || e.Commit != 0 {
			t.Errorf("waited: %+v", e)
		}

		other := request()
		other.Key += "2"
		d.On("begin", bubble.Fault{DelayCommand: 300 * time.Millisecond})
		d.On("commit", bubble.Fault{DelayReply: 200 * time.Millisecond})
		r = d.ask(bg, other, func(context.Context) (replay.Answer, error) {
			time.Sleep(3 * time.Second)
			return replay.Answer{Value: "done"}, nil
		})
		want := replay.Event{Key: r.event.Key, Scope: rawScope, Outcome: replay.Stored, Attempt: 1,
			Acquire: 300 * time.Millisecond, Work: 3 * time.Second, Commit: 200 * time.Millisecond}
		if r.event != want {
			t.Errorf("ran: %+v, want %+v", r.event, want)
		}
		if r.took != want.Acquire+want.Work+want.Commit {
			t.Errorf("took %v", r.took)
		}

		other.Key += "3"
		d.On("abandon", bubble.Fault{DelayReply: 100 * time.Millisecond})
		r = d.ask(bg, other, fails(errDown))
		if r.event.Commit != 100*time.Millisecond {
			t.Errorf("gave up: %+v", r.event)
		}
	})
}

// Engines without a Trace, or with one that has no functions, do what others do.
func TestTraceMayBeNil(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		m := f.Machine()
		for _, trace := range []*replay.Trace{nil, {}} {
			e, err := replay.New(m.Client, replay.Config{Trace: trace, Prefix: map[bool]string{true: "nil"}[trace == nil]})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range []work{fails(errDown), func(context.Context) (replay.Answer, error) {
				f.Down()
				time.AfterFunc(time.Second, f.Up)
				return replay.Answer{Value: "done"}, nil
			}, says("no")} {
				if _, err := e.Do(bg, request(), w); err != nil && err != errDown {
					t.Error(err)
				}
			}
		}
	})
}

func TestStateIsSeenByTheWork(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var kept replay.Attempt
		newDesk(t, f).ask(bg, request(), func(ctx context.Context) (replay.Answer, error) {
			kept, _ = replay.AttemptFrom(ctx)
			if kept.State() != lock.Live {
				t.Errorf("state %v", kept.State())
			}
			return replay.Answer{Value: "done"}, nil
		})
		if kept.State() != lock.Ended {
			t.Errorf("state %v afterwards", kept.State())
		}
	})
}
