package lock

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// crowds are all who wait in a process, in one crowd for each key and terms.
type crowds struct {
	open  context.Context // ends when nobody may wait any more
	close func()

	mu   sync.Mutex
	byID map[crowdID]*crowd
	size int // of all together

	scopes map[string]int // how many wait in each scope; no entry for none
	came   int            // so many have joined so far
}

// crowdID is what an answer depends on.
type crowdID struct {
	key, fingerprint string
	leaveAbandoned   bool
}

// A crowd asks as one: its first member asks for all, so that a commit costs a machine one round
// trip, and not one for each who waits for it. All but wake are guarded by crowds.mu.
type crowd struct {
	size  int        // with those who have been told, and are about to leave
	queue []*member  // who wait, in the order in which they came
	held  *HeldError // what the first member has found last
	wake  *watch     // the first member's, handed down; nil until there was one that needed it
}

// A member is one who waits.
type member struct {
	in     *crowds
	id     crowdID
	scope  string
	crowd  *crowd
	number int  // of all who have joined
	heir   bool // others had come before

	first chan struct{} // closed when it is this one that asks
	told  chan error    // what an earlier first member has found for it
}

func (c *crowds) init() {
	c.open, c.close = context.WithCancel(context.Background())
	c.byID = map[crowdID]*crowd{}
	c.scopes = map[string]int{}
}

// join fails if as many wait already as may, in all or in the scope.
func (c *crowds) join(key string, terms Terms, cfg Config) (*member, bool) {
	id := crowdID{key, terms.Fingerprint, terms.LeaveAbandoned}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size >= cfg.MaxWaiters || terms.Scope != "" && c.scopes[terms.Scope] >= cfg.MaxWaitersPerScope {
		return nil, false
	}
	if terms.Scope != "" {
		c.scopes[terms.Scope]++
	}
	of := c.byID[id]
	if of == nil {
		of = &crowd{}
		c.byID[id] = of
	}
	c.size++
	c.came++
	of.size++
	m := &member{in: c, id: id, scope: terms.Scope, crowd: of, number: c.came, first: make(chan struct{}), told: make(chan error, 1)}
	of.queue = append(of.queue, m)
	m.heir = of.size > 1 // of those who have been told, too: the hint that they were woken by is spent
	if of.queue[0] == m {
		close(m.first)
	}
	return m, true
}

// leave makes the next one the first, if this one was.
func (m *member) leave() {
	c, of := m.in, m.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(of.queue, m); i >= 0 {
		of.queue = slices.Delete(of.queue, i, i+1)
		if i == 0 {
			of.next()
		}
	}
	c.size--
	if m.scope != "" {
		if c.scopes[m.scope]--; c.scopes[m.scope] == 0 {
			delete(c.scopes, m.scope)
		}
	}
	if of.size--; of.size == 0 {
		delete(c.byID, m.id)
		if of.wake != nil {
			of.wake.stop()
		}
	}
}

func (of *crowd) next() {
	if len(of.queue) > 0 {
		close(of.queue[0].first)
	}
}

// watch is for the first member, who hands it down.
func (m *member) watch(w *waker, key string) *watch {
	of := m.crowd
	if of.wake != nil && of.wake.broken() {
		of.wake.stop()
		of.wake = nil
	}
	if of.wake == nil {
		of.wake = w.watch(key) // fires once when it is in place, so that nothing before is missed
	}
	return of.wake
}

// found notes who holds the key, for those who give up.
func (m *member) found(held *HeldError) {
	m.in.mu.Lock()
	defer m.in.mu.Unlock()
	m.crowd.held = held
}

// heldBy is what is known of the holder by one that found own when it came.
func (m *member) heldBy(own *HeldError) *HeldError {
	m.in.mu.Lock()
	defer m.in.mu.Unlock()
	return cmp.Or(m.crowd.held, own)
}

// asking returns the number of the last one for whom a question that is asked now will do.
func (m *member) asking() (last int) {
	m.in.mu.Lock()
	defer m.in.mu.Unlock()
	return m.in.came
}

// tell gives what the first member has found to those up to last. Whoever came later asks anew: what
// they were told when they came may be newer.
func (m *member) tell(err error, last int) {
	m.in.mu.Lock()
	defer m.in.mu.Unlock()
	of := m.crowd
	n := 0
	for ; n < len(of.queue) && of.queue[n].number <= last; n++ {
		of.queue[n].told <- err
	}
	of.queue = slices.Delete(of.queue, 0, n) // m is one of them
	of.next()
}
