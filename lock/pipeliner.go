package lock

import (
	"container/list"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// A pipeliner brings short scripts to one node. While few are in flight, each goes alone, from its
// caller's goroutine, and pays nothing for the crowd. Who comes beyond that waits for one of them to
// come back, and then goes in one pipeline with all others who wait: the two system calls of a round
// trip cost a client more than the script that it carries.
//
// It has no goroutine while nobody waits, no timer, and keeps nothing of those who have left.
//
// (go-redis has the like, as AsyncAutoPipeline. Measured, it does as well in a crowd, but costs one
// caller 1.3 to 1.9 times the CPU. In a cluster its queues are by ranges of slots, so that a node that
// hangs holds up the keys of others; what has been given up stays in its queue; and its limits are
// those of whoever asked the client for it first.)
type pipeliner struct {
	server *server

	mu               sync.Mutex
	node             *redis.Client // as who came last knew it
	inFlight         int           // round trips
	urgent, ordinary list.List     // what waits: each a *pending
}

const (
	// maxInFlight is how many round trips to one node are under way before a script waits for one of
	// them. With one, a connection that has died would hold up all. With 1, 2, 3 and 4, the CPU of a
	// first request by 8 callers is 0.70, 0.61, 0.74 and 0.80 of what it is without pipelines, and
	// of a replay by 32 callers 0.40, 0.51, 0.51 and 0.49.
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
	ctx  context.Context // of the caller's wait
	req  request
	cmd  *redis.Cmd    // not for the caller before done is closed
	done chan struct{} // closed when the reply is in

	// Guarded by pipeliner.mu.
	queue     *list.List
	place     *list.Element // nil when it is on its way
	delivered bool          // done is closed
	abandoned bool          // its caller has gone without the reply: a grant is to be handed back
}

// join returns nil if a script can go at once: its caller then sends it, and calls leave when that
// is over. Otherwise the script waits for the next pipeline; unless too many do, and the caller is to
// send it without calling leave.
func (p *pipeliner) join(
	ctx context.Context, node *redis.Client, req request,
) (waits *pending, isFull bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.node = node
	if p.inFlight < maxInFlight {
		p.inFlight++
		return nil, false
	}
	if p.urgent.Len()+p.ordinary.Len() >= maxWaiting {
		return nil, true
	}
	w := &pending{ctx: ctx, req: req.owned(), done: make(chan struct{}), queue: &p.urgent}
	if req.caller != nil {
		w.queue = &p.ordinary
	}
	w.place = w.queue.PushBack(w)
	return w, false
}

// leave ends the round trip of a script that went alone, and lets those go who wait.
func (p *pipeliner) leave() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.urgent.Len()+p.ordinary.Len() > 0 {
		go p.run()
	} else {
		p.inFlight--
	}
}

// wait waits for a reply until the script's ctx ends, or, before the script is sent, until its caller has gone.
// Without a reply the command is nil, and the error is this package's.
func (p *pipeliner) wait(w *pending) (*redis.Cmd, error) {
	var gone, ended <-chan struct{}
	var over <-chan time.Time
	if w.req.caller != nil {
		gone = w.req.caller.Done()
	}
	if bounded, ok := w.ctx.(*deadlineContext); ok {
		timer := p.server.timers.at(bounded.deadline)
		defer p.server.timers.put(timer)
		over = timer.C
	} else {
		ended = w.ctx.Done()
	}
	for {
		cause := context.DeadlineExceeded // which the context, having a timer of its own, may not know yet
		select {
		case <-w.done:
			return w.cmd, w.cmd.Err()
		case <-gone:
			if p.withdraw(w) {
				return nil, fmt.Errorf("%w: %w", errUnsent, context.Cause(w.req.caller))
			}
			gone = nil // what is on its way is waited for
			continue
		case <-over:
		case <-ended:
			cause = context.Cause(w.ctx)
		}
		switch {
		case p.withdraw(w):
			return nil, fmt.Errorf("%w: %w: %w", ErrUnavailable, errUnsent, cause)
		case p.abandon(w):
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, cause)
		}
		return w.cmd, w.cmd.Err()
	}
}

// withdraw takes a script out, unless it has been sent.
func (p *pipeliner) withdraw(w *pending) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.place == nil {
		return false
	}
	w.queue.Remove(w.place)
	w.place = nil
	return true
}

// abandon gives up a script that has been sent, unless its reply has come.
func (p *pipeliner) abandon(w *pending) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.abandoned = !w.delivered
	return w.abandoned
}

// run makes one round trip after the other while anything waits.
func (p *pipeliner) run() {
	for {
		// Callers who have just had their replies are let go first, so that those who come for more
		// find a place in the next pipeline.
		runtime.Gosched()
		p.mu.Lock()
		node, waiting := p.node, p.urgent.Len()+p.ordinary.Len()
		if waiting == 0 {
			p.inFlight--
		}
		p.mu.Unlock()
		if waiting == 0 {
			return
		}
		p.flush(node)
	}
}

// flush sends what waits, and delivers the replies. Its time begins here: nobody loses a reply
// because the time of another is over.
func (p *pipeliner) flush(node *redis.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), p.server.cfg.Timeout)
	defer cancel()
	slot, err := p.server.semaphores.acquire(ctx, node, true, nil)
	if err != nil {
		return // what has waited for as long has been withdrawn
	}
	batch := p.take()
	exchange(ctx, node, batch)
	p.server.semaphores.release(slot)
	for _, w := range p.deliver(batch) {
		r, err := p.server.result(w.cmd, w.cmd.Err())
		if err == nil && w.req.script == beginScript && r.status == statusOK {
			go p.server.handBack(context.Background(), w.req.lease)
		}
	}
}

// take takes out as much as a pipeline carries: first what keeps or ends a lease, then what would
// begin one.
func (p *pipeliner) take() (batch []*pending) {
	p.mu.Lock()
	defer p.mu.Unlock()
	bytes := 0
	for _, queue := range [...]*list.List{&p.urgent, &p.ordinary} {
		for queue.Len() > 0 && len(batch) < maxPipeline && bytes < fullPipeline {
			w := queue.Remove(queue.Front()).(*pending)
			w.place = nil
			bytes += w.req.bytes
			batch = append(batch, w)
		}
	}
	return batch
}

// deliver tells callers that their replies are in. It returns what has been abandoned.
func (p *pipeliner) deliver(batch []*pending) (abandoned []*pending) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range batch {
		if w.abandoned {
			abandoned = append(abandoned, w)
		}
		w.delivered = true
		close(w.done)
	}
	return abandoned
}

// exchange sends scripts in one pipeline. Those that the node doesn't know go a second time, all
// together, where the first of each brings its source: that costs one round trip, not one for each.
func exchange(ctx context.Context, node *redis.Client, batch []*pending) {
	send(ctx, node, batch, false)
	var unknown []*pending
	for _, w := range batch {
		if isUnknownScript(w.cmd.Err()) {
			w.req.sent.discount()
			unknown = append(unknown, w)
		}
	}
	if unknown != nil {
		send(ctx, node, unknown, true)
	}
}

func send(ctx context.Context, node *redis.Client, batch []*pending, load bool) {
	var loaded []*script
	pipe := node.Pipeline()
	for _, w := range batch {
		if load && !slices.Contains(loaded, w.req.script) {
			loaded = append(loaded, w.req.script)
			w.cmd = w.req.eval(w.ctx)
		} else {
			w.cmd = w.req.evalsha(w.ctx)
		}
		_ = pipe.Process(ctx, w.cmd)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
}
