package lock

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// waiters are all who wait in a process, in one group for each key and terms.
type waiters struct {
	open  context.Context // ends when nobody may wait any more
	close func()

	mu     sync.Mutex
	groups map[groupID]*group
	size   int            // of all groups together
	scopes map[string]int // how many wait in each scope; no entry for none
	joined int            // how many have joined so far
}

// A groupID is what an answer depends on.
type groupID struct {
	key, fingerprint string
	leaveAbandoned   bool
}

// A group asks as one: its leader, who came first, asks for all, so that a commit costs a machine
// one round trip, and not one for each who waits for it. All but notice are guarded by waiters.mu.
type group struct {
	size   int           // with those who have been told, and are about to leave
	queue  []*waiter     // who wait, in the order in which they came; the first one leads
	held   *HeldError    // what the leader has found last
	notice *subscription // the leader's, handed down; nil until there was one that needed it
}

// A waiter is one who waits.
type waiter struct {
	all       *waiters
	id        groupID
	scope     string
	group     *group
	number    int  // of all who have joined
	succeeded bool // others had come before, and it may lead after one of them

	leads chan struct{} // closed when it is this one that leads
	told  chan error    // what an earlier leader has found for it
}

func (w *waiters) init() {
	w.open, w.close = context.WithCancel(context.Background())
	w.groups = map[groupID]*group{}
	w.scopes = map[string]int{}
}

// join fails if as many wait already as may, in all or in the scope.
func (w *waiters) join(key string, terms Terms, cfg Config) (*waiter, bool) {
	id := groupID{key, terms.Fingerprint, terms.LeaveAbandoned}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.size >= cfg.MaxWaiters || terms.Scope != "" && w.scopes[terms.Scope] >= cfg.MaxWaitersPerScope {
		return nil, false
	}
	if terms.Scope != "" {
		w.scopes[terms.Scope]++
	}
	g := w.groups[id]
	if g == nil {
		g = &group{}
		w.groups[id] = g
	}
	w.size++
	w.joined++
	g.size++
	m := &waiter{
		all: w, id: id, scope: terms.Scope, group: g, number: w.joined,
		// Of those who have been told, too: the notice that woke them is spent.
		succeeded: g.size > 1,
		leads:     make(chan struct{}), told: make(chan error, 1),
	}
	g.queue = append(g.queue, m)
	if g.queue[0] == m {
		close(m.leads)
	}
	return m, true
}

// leave makes the next one the leader, if this one was.
func (m *waiter) leave() {
	w, g := m.all, m.group
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(g.queue, m); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
		if i == 0 {
			g.next()
		}
	}
	w.size--
	if m.scope != "" {
		if w.scopes[m.scope]--; w.scopes[m.scope] == 0 {
			delete(w.scopes, m.scope)
		}
	}
	if g.size--; g.size == 0 {
		delete(w.groups, m.id)
		if g.notice != nil {
			g.notice.stop()
		}
	}
}

// next makes the first in the queue the leader.
func (g *group) next() {
	if len(g.queue) > 0 {
		close(g.queue[0].leads)
	}
}

// notice is for the leader, who hands it down.
func (m *waiter) notice(subscribe func(key string) *subscription) *subscription {
	g := m.group
	if g.notice != nil && g.notice.closed() {
		g.notice.stop()
		g.notice = nil
	}
	if g.notice == nil {
		// It gives notice once when it is in place, so that nothing before is missed.
		g.notice = subscribe(m.id.key)
	}
	return g.notice
}

// noteHolder notes who holds the key, for those who give up.
func (m *waiter) noteHolder(held *HeldError) {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	m.group.held = held
}

// heldBy is what is known of the holder by one that found own when it came.
func (m *waiter) heldBy(own *HeldError) *HeldError {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	return cmp.Or(m.group.held, own)
}

// asking returns the number of the last one for whom a question that is asked now will do.
func (m *waiter) asking() (last int) {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	return m.all.joined
}

// tell gives what the leader has found to those up to last. Whoever came later asks anew: what they
// were told when they came may be newer.
func (m *waiter) tell(err error, last int) {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	g := m.group
	n := 0
	for ; n < len(g.queue) && g.queue[n].number <= last; n++ {
		g.queue[n].told <- err
	}
	g.queue = slices.Delete(g.queue, 0, n) // m is one of them
	g.next()
}
