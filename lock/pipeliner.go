package lock

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/internal/fault"
)

// A pipeliner brings short scripts to one node. While few are in flight, each goes alone, from its
// caller's goroutine, and pays nothing for the crowd. Who comes beyond that waits for one of them to
// come back, and then goes in one pipeline with all others who wait: the two system calls of a round
// trip cost a client more than the script that it carries.
//
// A node is silent when no reply has come to those few for a quarter of Config.Timeout. Then nobody
// waits for them: each goes alone, as with pipelines off, until one of them has a reply. They may be on
// connections that a firewall has forgotten, and so may be the next few, while others live.
//
// It has no goroutine while nobody waits, no timer, and keeps nothing of those who have left.
//
// (go-redis has the like, as AsyncAutoPipeline. docs/speed.md measures it, as "shared": it does as
// well in a crowd, but in a cluster it costs few callers more time. There its queues are by ranges of
// slots, so that a node that hangs holds up the keys of others; what has been given up stays in its
// queue; and its limits are those of whoever asked the client for it first.)
type pipeliner struct {
	server *server

	mu               sync.Mutex
	node             *redis.Client // as who came last knew it
	inFlight         int           // round trips
	silence          time.Time     // since when they have had no reply; zero if the last one had
	urgent, ordinary list.List     // what waits: each a *pending
}

const (
	// maxInFlight is how many round trips to one node are under way before a script waits for one of
	// them. With one, a connection that has died would hold up all; more save less CPU for 8 callers,
	// and no more for 32. docs/speed.md has what two save.
	maxInFlight = 2
	// maxShared is how long in bytes a value can be and share a pipeline. A longer one would stand
	// before short ones, and loses by it: measured with 32 callers, a first request takes 0.64 of
	// the CPU with 1 KiB, 0.83 with 16 KiB and 1.37 with 32 KiB.
	maxShared = 16 << 10
	// maxWaiting is how many scripts wait, which is eight full pipelines. Whoever comes beyond that
	// waits for a connection of its own, and leaves nothing behind if it gets none: what is kept for
	// a node that hangs doesn't grow with those who ask for it.
	maxWaiting = 8 * maxPipeline
	// fullPipeline is how many bytes of values a pipeline has before it takes no more.
	fullPipeline = 256 << 10
)

// A pending script waits in a pipeliner, or is on its way with others.
type pending struct {
	ctx      context.Context // of the caller's wait
	req      request
	patience time.Duration // after which the node may be silent
	cmd      *redis.Cmd    // not for the caller before done is closed
	done     chan struct{} // closed when the reply is in

	// Guarded by pipeliner.mu.
	queue     *list.List
	place     *list.Element // nil when it is on its way
	delivered bool          // done is closed
	abandoned bool          // its caller has gone without the reply: a grant is to be handed back
}

// join returns nil if a script can go at once: its caller then sends it, and calls leave when that
// is over. Otherwise the script waits for the next pipeline, unless the queue is closed, because it is
// full or the node is silent: the caller then sends it without calling leave.
func (p *pipeliner) join(
	ctx context.Context, node *redis.Client, req request,
) (waits *pending, isClosed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.node = node
	if p.inFlight < maxInFlight {
		p.inFlight++
		p.begin()
		return nil, false
	}
	patience := p.patience()
	if patience <= 0 || p.urgent.Len()+p.ordinary.Len() >= maxWaiting {
		return nil, true
	}
	w := &pending{ctx: ctx, req: req.owned(), patience: patience,
		done: make(chan struct{}), queue: &p.urgent}
	if req.caller != nil {
		w.queue = &p.ordinary
	}
	w.place = w.queue.PushBack(w)
	return w, false
}

// leave ends the round trip of a script that went alone, and lets those go who wait.
func (p *pipeliner) leave(err error) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hear(err)
	if p.urgent.Len()+p.ordinary.Len() > 0 {
		go p.run()
	} else {
		p.inFlight--
	}
}

// begin notes that a round trip goes. The caller holds mu, as for hear and patience.
func (p *pipeliner) begin() {
	if p.silence.IsZero() {
		p.silence = time.Now()
	}
}

// hear notes what has come of a round trip: a refusal is a reply, too.
func (p *pipeliner) hear(err error) {
	if err == nil || fault.Refused(err) || errors.Is(err, ErrCorrupt) {
		p.silence = time.Time{}
	}
}

// patience is how long it takes at least until the node is silent.
func (p *pipeliner) patience() time.Duration {
	patience := p.server.cfg.Timeout / 4
	if !p.silence.IsZero() {
		patience -= time.Since(p.silence)
	}
	return patience
}

// errSilent says that a script has been taken out, to be sent alone.
var errSilent = errors.New("the node is silent")

// wait waits for a reply until the script's ctx ends, or, before the script is sent, until its caller
// has gone or the node is silent. Without a reply the command is nil, and the error is this package's.
func (p *pipeliner) wait(w *pending) (*redis.Cmd, error) {
	var gone, ended <-chan struct{}
	if w.req.caller != nil {
		gone = w.req.caller.Done()
	}
	if _, hasTimer := w.ctx.(*deadlineContext); !hasTimer {
		ended = w.ctx.Done()
	}
	deadline, _ := w.ctx.Deadline() // every script has one
	timer := p.server.timers.after(min(w.patience, time.Until(deadline)))
	defer p.server.timers.put(timer)
	for {
		select {
		case <-w.done:
			return w.cmd, w.cmd.Err()
		case <-gone:
			if p.withdraw(w) {
				return nil, fmt.Errorf("%w: %w", errUnsent, context.Cause(w.req.caller))
			}
			gone = nil // what is on its way is waited for
			continue
		case <-timer.C:
			if left := time.Until(deadline); left > 0 {
				patience, isSilent := p.look(w)
				if isSilent {
					return nil, errSilent
				}
				timer.Reset(min(patience, left))
				continue
			}
		case <-ended:
		}
		cause := cmp.Or(context.Cause(w.ctx), context.DeadlineExceeded) // its own timer may be an instant behind
		switch {
		case p.withdraw(w):
			return nil, fmt.Errorf("%w: %w: %w", ErrUnavailable, errUnsent, cause)
		case p.abandon(w):
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, cause)
		}
		return w.cmd, w.cmd.Err()
	}
}

// look takes a script out if it waits for a silent node. Otherwise it says when to look again.
func (p *pipeliner) look(w *pending) (patience time.Duration, isSilent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.place == nil { // it is on its way
		return p.server.cfg.Timeout, false
	}
	patience = p.patience()
	if patience <= 0 {
		w.takeOut()
		return 0, true
	}
	return patience, false
}

// withdraw takes a script out, unless it has been sent.
func (p *pipeliner) withdraw(w *pending) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.place == nil {
		return false
	}
	w.takeOut()
	return true
}

// takeOut takes a script out of its queue. The caller holds mu.
func (w *pending) takeOut() {
	w.queue.Remove(w.place)
	w.place = nil
}

// abandon gives up a script that has been sent, unless its reply has come.
func (p *pipeliner) abandon(w *pending) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.abandoned = !w.delivered
	return w.abandoned
}
