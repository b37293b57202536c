package replay_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/replay"
)

// What the tests of package replay share.

const (
	rawKey   = "order-4711-must-not-be-told"
	rawScope = "tenant-must-not-be-told"

	leaseTime = 15 * time.Second // lock's default
	day       = 24 * time.Hour   // replay's default retention
)

var bg = context.Background()

// request is the request of most tests.
func request() replay.Request {
	return replay.Request{Scope: rawScope, Key: rawKey, Fingerprint: "1:one"}
}

// another is a request under the same key.
func another() replay.Request {
	r := request()
	r.Fingerprint = "1:another"
	return r
}

// A desk is a machine of the fleet that answers requests. Whatever a test does there, no key and no
// scope may be told, and each request has exactly one event.
type desk struct {
	*bubble.Machine
	engine *replay.Engine
	t      *testing.T
	log    logbook
}

func newDesk(t *testing.T, f *bubble.Fleet, options ...func(*replay.Config)) *desk {
	t.Helper()
	return deskAt(t, f.Machine(), options...)
}

// deskAt is a desk on a machine of the test's.
func deskAt(t *testing.T, m *bubble.Machine, options ...func(*replay.Config)) *desk {
	t.Helper()
	d := &desk{Machine: m, t: t, log: newLogbook(t)}
	var cfg replay.Config
	for _, option := range options {
		option(&cfg)
	}
	cfg.Logger = slog.New(slog.NewTextHandler(d.log, nil))
	if cfg.Trace == nil {
		cfg.Trace = new(replay.Trace)
	}
	cfg.Trace.Finished = func(ctx context.Context, e replay.Event) {
		if events, ok := ctx.Value(eventsKey{}).(*[]replay.Event); ok {
			*events = append(*events, e)
		} else {
			t.Error("Finished is not called with the context of Do")
		}
	}
	engine, err := replay.New(d.Client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.engine = engine
	return d
}

type eventsKey struct{}

// A reply is all that comes of one call of Do.
type reply struct {
	replay.Result
	ran   bool
	value string // given, fresh or replayed
	err   error
	event replay.Event
	took  time.Duration
}

type work = func(context.Context) (replay.Answer, error)

// says is work that answers with a string.
func says(s string) work {
	return func(context.Context) (replay.Answer, error) { return replay.Answer{Value: s}, nil }
}

// fails is work that ends with an error.
func fails(err error) work {
	return func(context.Context) (replay.Answer, error) { return replay.Answer{}, err }
}

// untilEnd is work that goes on until its context ends, and then answers.
func untilEnd(s string) work {
	return func(ctx context.Context) (replay.Answer, error) {
		<-ctx.Done()
		return replay.Answer{Value: s}, nil
	}
}

// ask is Engine.Do. A panic is passed on when its event has been checked.
func (d *desk) ask(ctx context.Context, req replay.Request, w work) (r reply) {
	d.t.Helper()
	var events []replay.Event
	begun := time.Now()
	defer func() {
		r.took = time.Since(begun)
		if len(events) != 1 {
			d.t.Errorf("%d events of one request: %+v", len(events), events)
			return
		}
		r.event = events[0]
		if r.err != nil {
			d.log.Check("an error", r.err.Error())
		}
	}()
	ctx = context.WithValue(ctx, eventsKey{}, &events)
	r.Result, r.err = d.engine.Do(ctx, req, func(ctx context.Context) (replay.Answer, error) {
		r.ran = true
		answer, err := w(ctx)
		r.value, _ = answer.Value.(string)
		return answer, err
	})
	if r.Replayed || r.Reconciled {
		if err := r.Decode(&r.value); err != nil {
			d.t.Error(err)
		}
	} else if r.err != nil {
		r.value = ""
	}
	return r
}

// start is ask, going on while the test does other things. The function that it returns waits.
func (d *desk) start(ctx context.Context, req replay.Request, w work) func() reply {
	c := make(chan reply, 1)
	go func() { c <- d.ask(ctx, req, w) }()
	return sync.OnceValue(func() reply { return <-c })
}

// hang starts work that goes on until the function that it returns is called.
func (d *desk) hang(req replay.Request, s string) (end func() reply) {
	gate := make(chan struct{})
	begun := make(chan struct{})
	wait := d.start(bg, req, func(context.Context) (replay.Answer, error) {
		close(begun)
		<-gate
		return replay.Answer{Value: s}, nil
	})
	<-begun
	return func() reply {
		close(gate)
		return wait()
	}
}

// crash makes a desk run a request and die in the middle: its claim is all that is left of it.
func crash(t *testing.T, f *bubble.Fleet, req replay.Request, options ...func(*replay.Config)) {
	d := newDesk(t, f, options...)
	end := d.hang(req, "never told")
	d.Down()
	t.Cleanup(func() { end() })
}

// ran checks for a fresh answer that is stored.
func (r reply) wasRun(t *testing.T, value string, attempt int) {
	t.Helper()
	if !r.ran || r.err != nil || r.value != value || r.Replayed || r.Reconciled || !r.Stored || !r.Guarded || r.Attempt != attempt ||
		r.event.Outcome != replay.Stored || r.event.Attempt != attempt {
		t.Errorf("got %+v, want %q fresh and stored, by attempt %d", r, value, attempt)
	}
}

// wasReplayed checks for a record's answer.
func (r reply) wasReplayed(t *testing.T, value string) {
	t.Helper()
	if r.ran || r.err != nil || r.value != value || !r.Replayed || r.Reconciled || !r.Stored || !r.Guarded || r.Attempt != 0 ||
		r.event.Outcome != replay.Replayed || r.event.Work != 0 {
		t.Errorf("got %+v, want %q replayed", r, value)
	}
}

// wasRefused checks for an error in place of the work.
func (r reply) wasRefused(t *testing.T, want error, outcome replay.Outcome) {
	t.Helper()
	if r.ran || !errors.Is(r.err, want) || r.Replayed || r.Stored || r.event.Outcome != outcome ||
		!errors.Is(r.event.Err, want) || r.event.Work != 0 {
		t.Errorf("got %+v, want it refused: %v", r, want)
	}
}

// is checks for several errors in one.
func (r reply) is(t *testing.T, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(r.err, target) {
			t.Errorf("got %v, want it to be: %v", r.err, target)
		}
	}
}

// inProgress checks for ErrInProgress and returns what it says.
func (r reply) inProgress(t *testing.T) replay.InProgressError {
	t.Helper()
	e, ok := errors.AsType[*replay.InProgressError](r.err)
	if !ok || !errors.Is(r.err, replay.ErrInProgress) {
		t.Fatalf("got %+v, want ErrInProgress", r)
	}
	return *e
}

// A logbook knows the key and the scope of most tests as secrets.
type logbook struct{ *bubble.Logbook }

func newLogbook(t *testing.T) logbook {
	return logbook{bubble.NewLogbook(t, rawKey, rawScope)}
}
