package replay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reprise-go/reprise/cache"
	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// marked is a context by which a test knows which function of a Trace has made it.
type markKey struct{}

func mark(ctx context.Context, as string) context.Context {
	if before, _ := ctx.Value(markKey{}).(string); before != "" {
		as = before + " " + as
	}
	return context.WithValue(ctx, markKey{}, as)
}

func marksOf(ctx context.Context) string {
	marks, _ := ctx.Value(markKey{}).(string)
	return marks
}

// A tracer notes what a Trace is told, each with the marks of its context.
type tracer struct {
	told   []string
	origin string
}

func (tr *tracer) config(cfg *replay.Config) {
	note := func(ctx context.Context, format string, args ...any) {
		tr.told = append(tr.told, fmt.Sprintf(format, args...)+" in "+marksOf(ctx))
	}
	cfg.Trace = &replay.Trace{
		Started: func(ctx context.Context, e replay.Event) context.Context {
			ctx = mark(ctx, "request")
			note(ctx, "started %s %s", e.Route, e.Dialect)
			return ctx
		},
		Working: func(ctx context.Context, e replay.Event) context.Context {
			ctx = mark(ctx, "work")
			note(ctx, "working %d", e.Attempt)
			return ctx
		},
		Worked: func(ctx context.Context, e replay.Event) { note(ctx, "worked %v %v", e.Work > 0, e.Err) },
		Effect: func(ctx context.Context, e replay.Effect) { note(ctx, "effect %s %v", e.Name, e.Repeated) },
		Origin: func(ctx context.Context) string { note(ctx, "origin"); return tr.origin },
	}
}

func (tr *tracer) want(t *testing.T, told ...string) {
	t.Helper()
	if !slices.Equal(tr.told, told) {
		t.Errorf("told %q, want %q", tr.told, told)
	}
	tr.told = nil
}

// The context that Trace makes is that of all that it is made for, and a replay knows its origin.
func TestTraceIsToldWhatAndWhere(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var tr tracer
		d := newDesk(t, f, tr.config, func(c *replay.Config) { c.OnAbandoned = replay.AskReconcile })
		req := request()
		req.Route, req.Dialect = "/orders", "problem"
		req.Authorize = func(ctx context.Context) error { tr.told = append(tr.told, "authorize in "+marksOf(ctx)); return nil }
		req.Reconcile = func(ctx context.Context) (replay.Decision, replay.Answer, error) {
			tr.told = append(tr.told, "reconcile in "+marksOf(ctx))
			return replay.NotDone, replay.Answer{}, nil
		}
		d.ask(bg, req, func(ctx context.Context) (replay.Answer, error) {
			if w, ok := replay.WorkFrom(ctx); ok {
				w.Effect(ctx, replay.Effect{Name: "charge"})
			}
			time.Sleep(time.Second)
			return replay.Answer{}, errors.New("no")
		})
		tr.want(t, "started /orders problem in request", "working 1 in request work",
			"effect charge false in request work", "worked true no in request work")

		tr.origin = "\x00trace"
		fresh := d.ask(bg, req, says("done"))
		fresh.wasRun(t, "done", 2)
		tr.want(t, "started /orders problem in request", "authorize in request", "working 2 in request work",
			"reconcile in request work", "worked false <nil> in request work", "origin in request")
		if e := fresh.event; e.Origin != "" || e.Scope != rawScope || e.Route != "/orders" || e.Dialect != "problem" ||
			!strings.HasPrefix(e.Key, "reprise:") || len(e.Key) != len("reprise:")+64 {
			t.Errorf("the event is %+v", e)
		}

		again := d.ask(bg, req, says("no"))
		again.wasReplayed(t, "done")
		tr.want(t, "started /orders problem in request", "authorize in request")
		if again.event.Origin != tr.origin {
			t.Errorf("the origin is %q, want %q", again.event.Origin, tr.origin)
		}
		req.Fingerprint = another().Fingerprint
		other := d.ask(bg, req, says("no"))
		if other.event.Outcome != replay.Reused || other.event.Origin != "" {
			t.Errorf("another request is told the origin %q", other.event.Origin)
		}
	})
}

// Work that panics is told of all the same, and so is work without a claim.
func TestTraceIsToldOfAPanicAndOfUnguardedWork(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		var tr tracer
		d := newDesk(t, f, tr.config, unguarded)
		func() {
			defer func() { _ = recover() }()
			d.ask(bg, request(), func(context.Context) (replay.Answer, error) { panic("oh") })
		}()
		tr.want(t, "started   in request", "working 1 in request work", "worked false <nil> in request work")
		f.Down()
		d.ask(bg, another(), says("done"))
		tr.want(t, "started   in request", "working 0 in request work", "worked false <nil> in request work")
	})
}

// An origin that is too long is left out, and the answer is kept. A tombstone has its origin, too.
func TestOriginCostsNoAnswer(t *testing.T) {
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		tr := tracer{origin: strings.Repeat("x", cache.MaxOrigin+1)}
		d := newDesk(t, f, tr.config)
		d.ask(bg, request(), says("done")).wasRun(t, "done", 1)
		again := d.ask(bg, request(), says("no"))
		again.wasReplayed(t, "done")
		if again.event.Origin != "" {
			t.Errorf("the origin is %q", again.event.Origin)
		}

		tr.origin = "trace"
		req := request()
		req.Key += "2"
		d.ask(bg, req, func(context.Context) (replay.Answer, error) {
			return replay.Answer{Verdict: replay.Tombstone}, nil
		})
		dead := d.ask(bg, req, says("no"))
		if dead.event.Outcome != replay.ReplayUnavailable || dead.event.Origin != "trace" {
			t.Errorf("the event is %+v", dead.event)
		}
	})
}
