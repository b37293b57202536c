package sim

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reprise-go/reprise/replay"
)

// work is what a request asks for: it takes its time, has one effect outside Redis, and ends as the
// schedule says.
type work struct {
	process *process
	call    *Call
	effects string // that it had in the database, as it tells them
	value   string // that it answered,
	failure error  // or why it didn't
}

// begin books that something runs for the call.
func (w *work) begin(ctx context.Context) (r *Run, end func()) {
	h := w.process.world.history
	r = &Run{Began: h.now(), Left: never, Ended: never}
	if a, ok := replay.AttemptFrom(ctx); ok {
		r.Guarded, r.Attempt, r.Fence = true, a.Number, a.Fence
	}
	if earlier := w.call.Run; earlier != nil {
		r.Began, r.Reconciled = earlier.Began, earlier.Reconciled // it said to run
		r.Left, r.Cause = earlier.Left, earlier.Cause
	}
	if w.process.lives() {
		w.call.Run = r
		h.note("%s %v runs as attempt %d, fence %d", w.process.name, w.call, r.Attempt, r.Fence)
	}
	left := func() {
		if !w.process.lives() || r.Left != never {
			return
		}
		r.Left, r.Cause = h.now(), context.Cause(ctx)
		h.note("%s %v: its context ends: %v", w.process.name, w.call, r.Cause)
	}
	if ctx.Err() != nil {
		left() // and not on a goroutine, which would be in a race with the work
		return r, func() { w.ends(r) }
	}
	stop := context.AfterFunc(ctx, left)
	return r, func() {
		stop()
		w.ends(r)
	}
}

func (w *work) ends(r *Run) {
	if h := w.process.world.history; w.process.lives() {
		r.Ended = h.now()
		h.note("%s %v ends", w.process.name, w.call)
	}
}

// run is the work.
func (w *work) run(ctx context.Context) (answer replay.Answer, err error) {
	defer func() { w.failure = err }()
	c, p := w.call, w.process
	run, end := w.begin(ctx)
	defer end()
	run.Worked = true

	p.reach(c, beforeEffect)
	if c.CutOff && p.lives() {
		go p.world.befall(Event{What: cutOff, For: 2 * p.world.Engine.Lock.TTL}, p)
	}
	if !w.spend(ctx, c.Before) {
		return replay.Answer{}, context.Cause(ctx)
	}
	if !p.lives() {
		return replay.Answer{}, errWork
	}
	if err := w.haveEffect(ctx); err != nil {
		return replay.Answer{}, err
	}
	p.reach(c, afterEffect)
	if !w.spend(ctx, c.After) {
		return replay.Answer{}, context.Cause(ctx)
	}
	p.reach(c, beforeCommit)
	if !p.sleep(0) {
		return replay.Answer{}, errWork
	}
	w.value = w.valueOf()
	answer = replay.Answer{Value: w.value, Retention: c.Retention}
	switch c.End {
	case releases:
		answer.Verdict = replay.Release
	case abandons:
		answer.Verdict = replay.Abandon
	case tombstones:
		answer.Verdict = replay.Tombstone
	case fails:
		return answer, errWork
	case failsClean:
		return answer, replay.Clean(errWork)
	case panics:
		panic(errWork)
	}
	return answer, nil
}

// haveEffect has the work's effect, in the database if there is one.
func (w *work) haveEffect(ctx context.Context) error {
	c, p := w.call, w.process
	if p.world.Effects != nil {
		return w.transact(ctx)
	}
	p.world.effect(c)
	p.world.history.note("%s %v has its effect", p.name, c)
	return nil
}

// spend takes time, and returns false if the work ends with its context before.
func (w *work) spend(ctx context.Context, d time.Duration) bool {
	if w.call.Obeys {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return !w.process.sleep(0)
		}
		d = 0
	}
	w.process.sleep(d)
	return true
}

// reconcile looks an earlier attempt's effect up where it was had, or can't.
func (w *work) reconcile(ctx context.Context) (replay.Decision, replay.Answer, error) {
	c, p := w.call, w.process
	run, end := w.begin(ctx)
	defer end()
	run.Reconciled = string(c.Reconcile)
	if !p.sleep(c.Before/2 + 1) {
		return 0, replay.Answer{}, errWork
	}
	switch c.Reconcile {
	case gaveUp:
		return replay.Undecided, replay.Answer{}, nil
	case errs:
		return 0, replay.Answer{}, errWork
	}
	if p.world.Effects != nil {
		w.effects = p.world.lookUpEffects(c)
	} else if earlier := p.world.lookUp(c); earlier != nil {
		w.effects = " for " + earlier.String()
	}
	if w.effects != "" {
		run.Reconciled = "found the effect"
		w.value = w.valueOf()
		return replay.Done, replay.Answer{Value: w.value}, nil
	}
	return replay.NotDone, replay.Answer{}, nil
}

// valueOf is what the work answers, which tells whose it is, and what it has come of.
func (w *work) valueOf() string {
	return fmt.Sprintf("by %v", w.call) + w.effects + "|" + strings.Repeat("-", w.call.Pad)
}

func (w *world) effect(c *Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.effects[c.Key+c.Body] = c
}

func (w *world) lookUp(c *Call) *Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.effects[c.Key+c.Body]
}
