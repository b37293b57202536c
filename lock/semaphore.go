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

// semaphores keep no more scripts on their way to a node than the client has connections to it: one
// semaphore for each node. Whoever comes beyond that waits here and not in the client's pool, for
// four reasons:
//
//   - A script that never got its slot was certainly not sent, so there is nothing to hand back.
//   - A node that doesn't know a script is sent the source within the same slot. In the pool's queue
//     a second place would be needed, and with more callers than can be served in time nobody ever
//     came to load the scripts.
//   - What keeps or ends a lease goes before what would begin one.
//   - A caller who has gone leaves the queue.
type semaphores struct {
	server *server

	mu     sync.Mutex
	byAddr map[string]*semaphore
	most   int // of nodes, before those that are idle are dropped
}

// A semaphore is that of one node. It is guarded by semaphores.mu.
type semaphore struct {
	taken            int       // slots
	urgent, ordinary list.List // who waits: each a chan struct{}, closed when it has its slot
	pipeliner        pipeliner // of those who share slots; it has a mutex of its own
}

// errUnsent says that a script was never sent.
var errUnsent = errors.New("not sent")

// manyNodes is more than a cluster usually has, over all addresses that its nodes move to.
const manyNodes = 64

func newSemaphores(s *server) semaphores {
	return semaphores{server: s, byAddr: map[string]*semaphore{}, most: manyNodes}
}

// acquire waits for a slot of a node until the deadline of ctx, or until gone is closed. The
// semaphore that it returns is for release. The error is an ErrUnavailable that says that the pool
// is full, unless it was the caller who went.
func (s *semaphores) acquire(
	ctx context.Context, node redis.UniversalClient, urgent bool, gone <-chan struct{},
) (*semaphore, error) {
	client, ok := node.(*redis.Client)
	if !ok {
		return nil, nil // of another kind, whose connections we know nothing of
	}
	o := client.Options()
	size := o.PoolSize
	if o.MaxActiveConns > 0 {
		size = min(size, o.MaxActiveConns)
	}
	s.mu.Lock()
	sem := s.of(o.Addr)
	if sem.taken < size {
		sem.taken++
		s.mu.Unlock()
		return sem, nil
	}
	queue := &sem.ordinary
	if urgent {
		queue = &sem.urgent
	}
	slot := make(chan struct{})
	place := queue.PushBack(slot)
	s.mu.Unlock()

	var over <-chan time.Time
	if deadline, ok := ctx.Deadline(); ok {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		over = timer.C
	}
	err := errUnsent
	select {
	case <-slot:
		return sem, nil
	case <-gone:
	case <-over:
		err = fmt.Errorf("%w: %w: %w (%d connections)",
			ErrUnavailable, errUnsent, redis.ErrPoolTimeout, size)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-slot:
		s.pass(sem) // it came at the same moment, and too late to use
	default:
		queue.Remove(place)
	}
	return nil, err
}

// pipeliner is that of a node.
func (s *semaphores) pipeliner(node *redis.Client) *pipeliner {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &s.of(node.Options().Addr).pipeliner
}

// release gives a slot back.
func (s *semaphores) release(sem *semaphore) {
	if sem == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass(sem)
}

// pass gives a slot to the next one who waits. The caller holds mu.
func (s *semaphores) pass(sem *semaphore) {
	for _, queue := range [...]*list.List{&sem.urgent, &sem.ordinary} {
		if next := queue.Front(); next != nil {
			close(queue.Remove(next).(chan struct{}))
			return
		}
	}
	sem.taken--
}

// of is the semaphore of a node. Nodes come and go with their addresses, so once in a while
// those that are idle are dropped. The caller holds mu.
func (s *semaphores) of(addr string) *semaphore {
	if sem := s.byAddr[addr]; sem != nil {
		return sem
	}
	if len(s.byAddr) >= s.most {
		for addr, sem := range s.byAddr {
			if sem.taken == 0 {
				delete(s.byAddr, addr)
			}
		}
		s.most = max(manyNodes, 2*len(s.byAddr))
	}
	sem := &semaphore{pipeliner: pipeliner{server: s.server}}
	s.byAddr[addr] = sem
	return sem
}
