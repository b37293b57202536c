package replay_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// Work that asks its engine for its own key learns so at once, without a question to Redis; once the work is over, its
// context is like any other.
func TestWorkAsksForItsOwnKey(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		d := newDesk(t, f, waiting(time.Minute))
		var after context.Context
		d.ask(bg, request(), func(ctx context.Context) (replay.Answer, error) {
			after = context.WithoutCancel(ctx)
			d.Trips()
			r := d.ask(ctx, request(), says("no"))
			r.wasRefused(t, replay.ErrInProgress, replay.InProgress)
			if e := r.inProgress(t); !e.Nested || e.Lost || r.took > 0 || !strings.Contains(r.err.Error(), "held by the work that asks") {
				t.Errorf("got %+v: %v", r, r.err)
			}
			d.WantTrips()
			if !strings.Contains(d.log.String(), "asks for its own key") {
				t.Errorf("logged %s", d.log)
			}
			other := request()
			other.Key = "another-key"
			d.ask(ctx, other, func(ctx context.Context) (replay.Answer, error) {
				if !d.engine.Holds(ctx, rawScope, rawKey) || !d.engine.Holds(ctx, rawScope, "another-key") || d.engine.Holds(ctx, "", rawKey) {
					t.Error("work within work doesn't know its keys")
				}
				return replay.Answer{Value: "inner"}, nil
			}).wasRun(t, "inner", 1)
			return replay.Answer{Value: "done"}, nil
		}).wasRun(t, "done", 1)
		if d.engine.Holds(after, rawScope, rawKey) || d.engine.Holds(bg, rawScope, rawKey) {
			t.Error("it is held after its end")
		}
		d.ask(after, request(), says("no")).wasReplayed(t, "done")
	})
}
