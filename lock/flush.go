package lock

import (
	"container/list"
	"context"
	"runtime"
	"slices"

	"github.com/redis/go-redis/v9"
)

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
		} else {
			p.begin()
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
	// It goes before those who begin alone, even if so far only they share it: what keeps or ends a
	// lease may join while it waits. There are no more than maxInFlight of it.
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
		p.hear(w.cmd.Err())
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
