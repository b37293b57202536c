package replay_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

func withhold(c *replay.Config) { c.OnCommitDown = replay.WithholdUnstored }

func TestRedisDownBeforeTheWorkIsRefused(t *testing.T) {
	for _, outage := range bubble.Outages {
		t.Run(outage.Name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				d := newDesk(t, f)
				outage.Begin(f)
				r := d.ask(bg, request(), says("no"))
				r.wasRefused(t, replay.ErrUnavailable, replay.Unavailable)
				r.is(t, lock.ErrUnavailable)
				if r.took > 5*time.Second {
					t.Errorf("it took %v", r.took)
				}
				outage.End(f)
				time.Sleep(leaseTime) // a claim may have arrived
				if r := d.ask(bg, request(), says("done")); !r.ran || r.err != nil || !r.Stored {
					t.Errorf("afterwards: %+v", r)
				}
			})
		})
	}
}

// meanwhile is work during which Redis gets into trouble, for so long.
func meanwhile(f *bubble.Fleet, begin, end func(*bubble.Fleet), d time.Duration) work {
	return func(context.Context) (replay.Answer, error) {
		begin(f)
		time.AfterFunc(d, func() { end(f) })
		return replay.Answer{Value: "done"}, nil
	}
}

func TestRedisBackBeforeTheHoldEnds(t *testing.T) {
	for _, outage := range bubble.Outages {
		t.Run(outage.Name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				failures := 0
				d := newDesk(t, f, withhold, func(c *replay.Config) {
					c.Trace = &replay.Trace{CommitFailed: func(_ context.Context, err error) {
						failures++
						if !errors.Is(err, lock.ErrUnavailable) {
							t.Error(err)
						}
					}}
				})
				r := d.ask(bg, request(), meanwhile(f, outage.Begin, outage.End, 6*time.Second))
				r.wasRun(t, "done", 1)
				if r.took < 6*time.Second || r.took > 10*time.Second || r.event.Commit != r.took || failures == 0 {
					t.Errorf("took %v, event %+v, %d failures", r.took, r.event, failures)
				}
				newDesk(t, f).ask(bg, request(), says("no")).wasReplayed(t, "done")
			})
		})
	}
}

func TestRedisStaysDownAtCommit(t *testing.T) {
	for _, outage := range bubble.Outages {
		t.Run(outage.Name, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				a, b := newDesk(t, f), newDesk(t, f, withhold)
				r := a.ask(bg, request(), meanwhile(f, outage.Begin, outage.End, time.Hour))
				if !r.ran || r.value != "done" || r.err != nil || r.Stored || !r.Guarded || r.Replayed || r.event.Outcome != replay.NotStored {
					t.Errorf("got %+v, want the answer, marked as not stored", r)
				}
				if r.took < leaseTime/2 || r.took > leaseTime+5*time.Second {
					t.Errorf("gave up after %v", r.took)
				}
				if !strings.Contains(a.log.String(), "could not be stored") {
					t.Errorf("logged: %s", a.log)
				}
				time.Sleep(time.Hour)
				r = b.ask(bg, request(), says("again"))
				if late := outage.Name == "hangs"; late {
					r.wasReplayed(t, "done") // a commit has arrived when nobody counted on it any more
				} else {
					r.wasRun(t, "again", 2) // the key was abandoned
				}

				other := another()
				other.Key += "2"
				r = b.ask(bg, other, meanwhile(f, outage.Begin, outage.End, time.Hour))
				r.is(t, replay.ErrUnavailable, lock.ErrUnavailable)
				if !r.ran || r.value != "" || r.Stored || r.event.Outcome != replay.NotStored || r.event.Err == nil {
					t.Errorf("got %+v, want the answer withheld", r)
				}
				time.Sleep(time.Hour)
			})
		})
	}
}

// A lost reply is nothing special: what was sent twice has happened once.
func TestLostReplies(t *testing.T) {
	failing := fails(errDown)
	clean := fails(replay.Clean(errDown))
	for _, tc := range []struct {
		command string
		work    work
		trips   []string
		after   string
		attempt int
	}{
		{"begin", says("done"), []string{"begin", "begin", "commit"}, "done", 0},
		{"commit", says("done"), []string{"begin", "commit", "commit"}, "done", 0},
		{"abandon", failing, []string{"begin", "abandon", "abandon"}, "", 2},
		{"release", clean, []string{"begin", "release", "release"}, "", 1},
	} {
		for name, fault := range map[string]bubble.Fault{"reply": bubble.LoseReply, "command": bubble.LoseCommand} {
			t.Run(tc.command+" "+name, func(t *testing.T) {
				bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
					d := newDesk(t, f)
					d.On(tc.command, fault)
					r := d.ask(bg, request(), tc.work)
					d.WantTrips(tc.trips...)
					if tc.after == "" {
						r.is(t, errDown)
						newDesk(t, f).ask(bg, request(), says("next")).wasRun(t, "next", tc.attempt)
						return
					}
					r.wasRun(t, tc.after, 1)
					newDesk(t, f).ask(bg, request(), says("no")).wasReplayed(t, tc.after)
				})
			})
		}
	}
}

// The same for a reply that is not lost but never comes.
func TestUnansweredCommit(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		d.On("commit", bubble.Unanswered)
		d.ask(bg, request(), says("done")).wasRun(t, "done", 1)
		d.ask(bg, request(), says("no")).wasReplayed(t, "done")
	})
}

func TestUnansweredBeginIsHandedBack(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		d.On("begin", bubble.Unanswered)
		r := d.ask(bg, request(), says("no"))
		r.wasRefused(t, replay.ErrUnavailable, replay.Unavailable)
		time.Sleep(time.Second)
		d.ask(bg, request(), says("done")).wasRun(t, "done", 1)
	})
}

// When even the giving up gets lost, the lease runs out by itself and the next attempt is told.
func TestUnheardAbandon(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		r := d.ask(bg, request(), func(context.Context) (replay.Answer, error) {
			f.Down()
			return replay.Answer{}, errDown
		})
		if r.err != errDown || r.event.Outcome != replay.Failed {
			t.Errorf("got %+v, want the work's own error", r)
		}
		f.Up()
		d.ask(bg, request(), says("no")).wasRefused(t, replay.ErrInProgress, replay.InProgress)
		time.Sleep(leaseTime)
		d.ask(bg, request(), says("done")).wasRun(t, "done", 2)
	})
}
