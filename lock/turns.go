package lock

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// turns keeps no more scripts on their way to a node than the client has connections to it. Whoever
// comes beyond that waits here and not in the client's pool, for four reasons:
//
//   - A script that never had its turn was certainly not sent, so there is nothing to hand back.
//   - A node that doesn't know a script is sent the source within the same turn. In the pool's queue a
//     second place would be needed, and with more callers than can be served in time nobody ever
//     came to load the scripts.
//   - What keeps or ends a lease goes before what would begin one.
//   - A caller who has gone leaves the queue.
type turns struct {
	mu    sync.Mutex
	nodes map[string]*queue // by address
	most  int               // of nodes, before those that are idle are dropped
}

// A queue is that of one node, guarded by turns.mu.
type queue struct {
	busy         int       // turns that are taken
	first, later list.List // who waits: each a chan struct{}, closed when its turn has come
}

// errUnsent says that a script was never sent.
var errUnsent = errors.New("not sent")

// manyNodes is more than a cluster usually has, over all addresses that its nodes move to.
const manyNodes = 64

func newTurns() *turns { return &turns{nodes: map[string]*queue{}, most: manyNodes} }

// take waits for a turn at a node until the deadline of ctx, or until left is closed. The queue that
// it returns is for give. The error is an ErrUnavailable that says that the pool is full, unless it
// was the caller who left.
func (t *turns) take(ctx context.Context, node redis.UniversalClient, urgent bool, left <-chan struct{}) (*queue, error) {
	client, ok := node.(*redis.Client)
	if !ok {
		return nil, nil // of another kind, whose connections we know nothing of
	}
	o := client.Options()
	size := o.PoolSize
	if o.MaxActiveConns > 0 {
		size = min(size, o.MaxActiveConns)
	}
	t.mu.Lock()
	q := t.nodes[o.Addr]
	if q == nil {
		q = t.add(o.Addr)
	}
	if q.busy < size {
		q.busy++
		t.mu.Unlock()
		return q, nil
	}
	waiters := &q.later
	if urgent {
		waiters = &q.first
	}
	turn := make(chan struct{})
	place := waiters.PushBack(turn)
	t.mu.Unlock()

	var over <-chan time.Time
	if deadline, ok := ctx.Deadline(); ok {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		over = timer.C
	}
	err := errUnsent
	select {
	case <-turn:
		return q, nil
	case <-left:
	case <-over:
		err = fmt.Errorf("%w: %w: %w (%d connections)", ErrUnavailable, errUnsent, redis.ErrPoolTimeout, size)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-turn:
		t.pass(q) // it came at the same moment, and too late to use
	default:
		waiters.Remove(place)
	}
	return nil, err
}

// give ends a turn.
func (t *turns) give(q *queue) {
	if q == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pass(q)
}

// pass gives a turn to the next one who waits. The caller holds mu.
func (t *turns) pass(q *queue) {
	for _, waiters := range [...]*list.List{&q.first, &q.later} {
		if next := waiters.Front(); next != nil {
			close(waiters.Remove(next).(chan struct{}))
			return
		}
	}
	q.busy--
}

// add makes the queue of a node. Nodes come and go with their addresses, so once in a while those that
// are idle are dropped. The caller holds mu.
func (t *turns) add(node string) *queue {
	if len(t.nodes) >= t.most {
		for addr, q := range t.nodes {
			if q.busy == 0 {
				delete(t.nodes, addr)
			}
		}
		t.most = max(manyNodes, 2*len(t.nodes))
	}
	q := &queue{}
	t.nodes[node] = q
	return q
}

// turn waits for a turn as turns.take does, to send a script about a key, or another command if sc is nil.
func (s *server) turn(ctx context.Context, sc *script, key string) (*queue, error) {
	node, err := s.primary(ctx, key)
	if err != nil {
		return nil, nil // sending it finds the same fault, and is better at describing it
	}
	if sc != beginScript {
		return s.turns.take(ctx, node, true, nil)
	}
	// Nobody begins for a caller who has gone; what has been begun is carried through.
	caller := ctx // Check's
	if t, ok := ctx.Value(tripKey{}).(*trip); ok {
		caller = t.Context
	}
	q, err := s.turns.take(ctx, node, false, caller.Done())
	if err != nil && caller.Err() != nil {
		err = fmt.Errorf("%w: %w", errUnsent, context.Cause(caller))
	}
	return q, err
}
