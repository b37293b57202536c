package replay_test

import (
	"context"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A Redis that answers, and says no to the answer that is to be stored, while it renews the lease.

var noes = map[string]string{
	"OOM":                bubble.OOM,
	"READONLY":           bubble.ReadOnly,
	"NOREPLICAS":         "NOREPLICAS Not enough good replicas to write.",
	"MISCONF":            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
	"NOPERM":             "NOPERM User " + quoted + " has no permissions to access the key '" + quoted + "'",
	"NOPERM in a script": "ERR ACL failure in script: User " + quoted + " has no permissions to run the 'set' command",
	"another refusal":    "ERR " + quoted,
}

func TestStoreThatSaysNoIsGivenUp(t *testing.T) {
	for cause, no := range noes {
		t.Run(cause, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
				say := f.RefuseSet()
				d := newDesk(t, f)
				r := d.ask(bg, request(), func(context.Context) (replay.Answer, error) {
					say(no)
					return replay.Answer{Value: "done"}, nil
				})
				if r.err != nil || r.value != "done" || r.Stored || r.Replayed || r.event.Outcome != replay.NotStored {
					t.Errorf("got %+v, want the answer, marked as not stored", r)
				}
				if r.took < leaseTime || r.took > leaseTime+2*time.Second {
					t.Errorf("gave up after %v, want about a lease, %v", r.took, leaseTime)
				}
				d.log.wants(t, "their clients wait", cause, 1)
				d.log.wants(t, "could not be stored", cause, 1)
				// The next attempt knows, at once: Redis took the abandoning.
				say("")
				newDesk(t, f).ask(bg, request(), says("again")).wasRun(t, "again", 2)
			})
		})
	}
}

func TestStoreThatSaysNoIsGivenUpByPolicy(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		say := f.RefuseSet()
		d := newDesk(t, f, withhold, func(c *replay.Config) { c.Lock.TTL = time.Second })
		r := d.ask(bg, request(), func(context.Context) (replay.Answer, error) {
			say(bubble.OOM)
			return replay.Answer{Value: "done"}, nil
		})
		r.is(t, replay.ErrUnavailable, lock.ErrUnavailable)
		if !r.ran || r.value != "" || r.Stored || r.event.Outcome != replay.NotStored || r.took < time.Second || r.took > 3*time.Second {
			t.Errorf("got %+v, want the answer withheld after about a lease", r)
		}
	})
}

// What cures itself within a lease is waited for.
func TestStoreThatSaysNoForAWhile(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		say := f.RefuseSet()
		d := newDesk(t, f)
		r := d.ask(bg, request(), func(context.Context) (replay.Answer, error) {
			say(bubble.ReadOnly)
			time.AfterFunc(leaseTime-2*time.Second, func() { say("") })
			return replay.Answer{Value: "done"}, nil
		})
		r.wasRun(t, "done", 1)
		newDesk(t, f).ask(bg, request(), says("no")).wasReplayed(t, "done")
	})
}

// Silence is no answer: an answer whose commits are not heard is held for as long as the lease is.
func TestSilentStoreIsWaitedForToTheEndOfTheHold(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f)
		d.OnNext(1<<20, "commit", bubble.Unheard)
		r := d.ask(bg, request(), says("done"))
		if r.Stored || r.value != "done" || r.took < 9*time.Minute || r.took > 10*time.Minute+2*time.Second {
			t.Errorf("got %+v", r)
		}
		d.Heal()
		time.Sleep(time.Second)
		newDesk(t, f).ask(bg, request(), says("again")).wasRun(t, "again", 2)
	})
}
