package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// A process is one life of an engine on a machine of its own.
type process struct {
	*bubble.Machine
	world  *world
	life   int
	name   string
	engine *replay.Engine
	store  *store // nil without Effects
	dead   chan struct{}
	diedAt time.Duration // before dead is closed

	mu        sync.Mutex
	gate      chan struct{}  // closed when the process goes on; nil while it does
	stops     int            // pauses that overlap
	trips     map[string]int // by what is sent
	pipelines int
	sent      map[*Call]int
}

// start starts a process. The caller holds mu, or is alone.
func (w *world) start(t *testing.T) *process {
	p := &process{world: w, life: w.lives, dead: make(chan struct{}), trips: map[string]int{}, sent: map[*Call]int{}}
	w.lives++
	p.name = fmt.Sprintf("p%d", p.life)
	p.Machine = w.fleet.Machine(func(o *redis.Options) {
		o.PoolSize = 16        // not by the number of CPUs
		o.MinRetryBackoff = -1 // whose length is drawn from math/rand
	})
	p.Fate(p.fate)
	p.Client.AddHook(hook{p})
	cfg := w.Engine
	cfg.Trace = &replay.Trace{Finished: func(ctx context.Context, e replay.Event) {
		*ctx.Value(eventKey{}).(*replay.Event) = e
	}}
	engine, err := replay.New(p.Client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.engine = engine
	if w.Effects != nil {
		p.connect(t)
	}
	return p
}

type eventKey struct{}

// die ends the process where it stands: it sends and hears nothing any more, and nobody hears of it.
// (Its goroutines go on in silence, because a bubble must see them end.) Another takes its slot.
func (p *process) die(where string) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if !p.lives() {
		return
	}
	w.history.note("%s dies %s", p.name, where)
	p.diedAt = w.history.now()
	close(p.dead)
	p.Vanish()
	if p.store != nil {
		p.store.link.Vanish(roll(w.Seed, "notice", p.life).upTo(w.Effects.Network.Notice))
	}
}

func (p *process) lives() bool {
	select {
	case <-p.dead:
		return false
	default:
		return true
	}
}

// pause stops the process until resume.
func (p *process) pause() {
	p.world.history.note("%s stops", p.name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stops++; p.stops == 1 {
		p.gate = make(chan struct{})
		p.Pause()
		if p.store != nil {
			p.store.link.Pause()
		}
	}
}

func (p *process) resume() {
	p.mu.Lock()
	if p.stops--; p.stops > 0 || !p.lives() {
		p.mu.Unlock()
		return
	}
	close(p.gate)
	p.gate = nil
	p.mu.Unlock()
	p.world.history.note("%s goes on", p.name)
	if p.store != nil {
		p.store.link.Resume()
	}
	p.Resume()
}

// sleep is time that the process spends. One that stops wakes late. It returns false in a process
// that has died, when all is over.
func (p *process) sleep(d time.Duration) bool {
	time.Sleep(d)
	for p.lives() {
		p.mu.Lock()
		gate := p.gate
		p.mu.Unlock()
		if gate == nil {
			return true
		}
		select {
		case <-gate:
		case <-p.dead:
		}
	}
	<-p.world.over
	return false
}

// reach lets the process die at this line if the schedule says so.
func (p *process) reach(c *Call, s stage) {
	if c.Dies == s && p.lives() {
		p.die(string(s) + " of " + c.String())
	}
}

// answer runs a request through the engine and books what the client is told.
func (p *process) answer(ctx context.Context, c *Call) {
	p.reach(c, beforeBegin)
	if !p.sleep(0) {
		return
	}
	w := &work{process: p, call: c}
	var event replay.Event
	result, err := p.do(context.WithValue(ctx, eventKey{}, &event), c, w)
	p.reach(c, beforeAnswer)
	if !p.sleep(roll(p.world.Seed, "answer", c.ID).upTo(time.Microsecond)) { // of several, each at an instant of its own
		return
	}
	r := &Reply{At: p.world.history.now(), Outcome: event.Outcome, Stored: result.Stored, Repeated: result.Repeated, Err: err}
	r.Kind, r.Value = told(w, event.Outcome, result, err)
	c.Reply = r
	p.world.history.note("%s %v is answered: %v", p.name, c, r)
}

// do is Engine.Do, with a panic for an error.
func (p *process) do(ctx context.Context, c *Call, w *work) (result replay.Result, err error) {
	defer func() {
		if what := recover(); what == errWork {
			err = errWork
		} else if what != nil {
			panic(what)
		}
	}()
	return p.engine.Do(ctx, replay.Request{Scope: "sim", Key: c.Key, Fingerprint: c.Body, Reconcile: w.reconcile}, w.run)
}

var (
	errWork   = errors.New("the work failed")
	errHungUp = errors.New("the client hung up")
)

// told finds the branch of what Do returned.
func told(w *work, outcome replay.Outcome, result replay.Result, err error) (kind, string) {
	switch {
	case err == nil && (result.Replayed || result.Reconciled):
		var value string
		if err := result.Decode(&value); err != nil {
			return strange, err.Error()
		}
		return replayed, value
	case err == nil:
		return fresh, w.value
	case outcome == replay.Failed, outcome == replay.WorkPanicked:
		return failed, ""
	case outcome == replay.LostLease && errors.Is(err, lock.ErrLost):
		return lost, ""
	}
	if w.failure != nil && outcome != replay.Reused { // which the work found itself, in the database
		return failed, ""
	}
	for _, k := range []struct {
		is   error
		kind kind
	}{
		{replay.ErrInProgress, inFlight}, {replay.ErrReused, mismatch}, {replay.ErrOutcomeUnknown, unknown},
		{replay.ErrReplayUnavailable, notKept}, {replay.ErrUnavailable, unavailable}, {errHungUp, gone}, {errWork, failed},
	} {
		if errors.Is(err, k.is) {
			return k.kind, ""
		}
	}
	return strange, ""
}
