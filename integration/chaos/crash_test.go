package chaos

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/reprise-go/reprise/integration/cluster"
)

// What is true after a machine died at each point: the attempts that took effect, and whether the
// next machine to be asked had the answer at once.
var after = map[point]struct {
	attempts []int
	replayed bool
}{
	beforeBeginReply: {attempts: []int{2}},
	afterBeginReply:  {attempts: []int{2}},
	beforeEffect:     {attempts: []int{2}},
	afterEffect:      {attempts: []int{1, 2}},
	beforeCommit:     {attempts: []int{1, 2}},
	afterCommit:      {attempts: []int{1}, replayed: true},
	beforeTheAnswer:  {attempts: []int{1}, replayed: true},
}

// A victim is a machine that is killed at a point of its second request.
type victim struct {
	*machine
	at      point
	load    *load
	history *history
}

func TestMachineKilled(t *testing.T) {
	c, ctx := cluster.Shared(t), bounded(t)
	f := newFleet(t, c, modes(inLong))
	f.client.Timeout = 2 * clientTimeout
	var victims []*victim
	for _, m := range f.modes {
		for i, at := range points {
			victims = append(victims, &victim{
				machine: f.start(fmt.Sprintf("%s-victim%d", m.Name, i), at),
				at:      at,
				load:    &load{fleet: f, mode: m},
				history: &history{key: fmt.Sprintf("victim-%d", i)},
			})
		}
	}
	loads := f.under(ctx, func(ctx context.Context) {
		var dying sync.WaitGroup
		for _, v := range victims {
			dying.Go(func() { v.die(ctx) })
		}
		dying.Wait()
	})
	for _, l := range loads {
		for _, v := range victims {
			if v.load.mode.Name == l.mode.Name {
				v.check(t)
				l.keys = append(l.keys, v.history)
			}
		}
		r := row{scenario: "5 API killed, at 7 points", mode: l.mode.Name, count: l.count(longLease, nil)}
		report(t, r)
		r.exact(t)
	}
}

// die sends the request, kills the machine when it is at its point, and then goes to the others. Before,
// it asks for another key until that is answered: a machine that has just been started answers 503
// while it connects, where others take the processors.
func (v *victim) die(ctx context.Context) {
	for ctx.Err() == nil {
		x := v.load.fleet.askAt(ctx, v.url, v.load.mode, "first-of-"+v.history.key, 0)
		if !x.failed() && !x.held() {
			break
		}
		lasts(ctx, x.retryAfter)
	}
	lost := make(chan exchange)
	go func() { lost <- v.load.fleet.askAt(ctx, v.url, v.load.mode, v.history.key, 0) }()
	select {
	case <-v.reached:
		v.kill()
		v.history.note(<-lost)
	case x := <-lost: // the test will say so
		v.history.note(x)
	}
	v.load.pursue(ctx, v.history, 0)
}

// answered is the first answer after the machine's death. A machine that could not ask has given none.
func (h *history) answered() exchange {
	for _, x := range h.exchanges[1:] {
		if !x.failed() {
			return x
		}
	}
	return h.exchanges[len(h.exchanges)-1]
}

func (v *victim) check(t *testing.T) {
	t.Helper()
	want := after[v.at]
	var attempts []int
	var fence int64
	for _, r := range v.load.fleet.ledger.of(v.load.mode.Name + "/" + v.history.key) {
		attempts = append(attempts, r.Attempt)
		if r.Fence <= fence {
			t.Errorf("killed %s: fence %d after %d", v.at, r.Fence, fence)
		}
		fence = r.Fence
	}
	first, next := v.history.exchanges[0], v.history.answered()
	if first.status != 0 {
		t.Errorf("killed %s: it answered %d", v.at, first.status)
	}
	if fmt.Sprint(attempts) != fmt.Sprint(want.attempts) {
		t.Errorf("%s, killed %s: attempts %v took effect, want %v", v.load.mode.Name, v.at, attempts, want.attempts)
	}
	if want.replayed && !next.replayed {
		t.Errorf("%s, killed %s: the next machine answered %d %s, want the replay", v.load.mode.Name, v.at, next.status, next.code)
	}
}
