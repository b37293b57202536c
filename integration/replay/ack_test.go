package replay_test

import (
	"context"
	"strings"
	"testing"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

func ackedByOne(c *replay.Config) { c.Lock.Acks = 1 }

func TestUnconfirmedClaimRunsNothing(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		replicas := f.Replicas(0)
		d := newDesk(t, f, ackedByOne)
		r := d.ask(bg, request(), says("no"))
		r.is(t, replay.ErrUnavailable, lock.ErrUnconfirmed)
		if r.ran || r.event.Outcome != replay.Unavailable {
			t.Errorf("got %+v, want a refusal", r)
		}
		replicas.Store(1)
		d.ask(bg, request(), says("done")).wasRun(t, "done", 1)
	})
}

// The answer is stored, and a retry gets it: to withhold it would bring it no nearer to the replicas.
func TestUnconfirmedAnswerIsGivenAndMarked(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		replicas := f.Replicas(1)
		for _, option := range []func(*replay.Config){func(*replay.Config) {}, withhold} {
			f.Redis.FlushAll()
			replicas.Store(1)
			d := newDesk(t, f, ackedByOne, option)
			r := d.ask(bg, request(), func(context.Context) (replay.Answer, error) {
				replicas.Store(0)
				return replay.Answer{Value: "done"}, nil
			})
			if r.err != nil || r.value != "done" || !r.Stored || !r.Unconfirmed || r.event.Outcome != replay.Unconfirmed {
				t.Errorf("got %+v, want the answer, stored and unconfirmed", r)
			}
			if !strings.Contains(d.log.String(), "failover") {
				t.Errorf("logged: %s", d.log)
			}
			r = d.ask(bg, request(), says("no"))
			r.wasReplayed(t, "done")
			if r.Unconfirmed {
				t.Error("a replay is not asked for")
			}
		}
	})
}
