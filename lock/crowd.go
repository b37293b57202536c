package lock

import (
	"context"
	"errors"
	"sync"
)

// crowds are all who wait in a process: one crowd for each key and terms. A crowd asks as one, so
// that a commit costs a machine one round trip, and not one for each waiter.
type crowds struct {
	open  context.Context // ends when nobody may wait any more
	close func()

	mu   sync.Mutex
	byID map[crowdID]*crowd
	size int // of all together
}

// crowdID is what an answer depends on.
type crowdID struct {
	key, fingerprint string
	leaveAbandoned   bool
}

// A crowd shares what its members find. What a question found is good for all who wanted to know
// before it was asked.
type crowd struct {
	size int // guarded by crowds.mu

	mu    sync.Mutex
	asked int // questions so far
	last  *question
}

// A question is begin, asked by one member for all.
type question struct {
	number   int           // counted from 1
	answered chan struct{} // closed when err is set
	err      error         // nil: nothing to share, for the key was granted or the one who asked has gone
}

// A member is one who waits.
type member struct {
	crowd        *crowd
	joined, seen int // the crowd's questions by the time it joined, and at the last that it knows of
	leave        func()
}

func (c *crowds) init() {
	c.open, c.close = context.WithCancel(context.Background())
	c.byID = map[crowdID]*crowd{}
}

// join fails if most wait already.
func (c *crowds) join(key string, terms Terms, most int) (m *member, ok bool) {
	id := crowdID{key, terms.Fingerprint, terms.LeaveAbandoned}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size >= most {
		return nil, false
	}
	of := c.byID[id]
	if of == nil {
		of = &crowd{}
		c.byID[id] = of
	}
	c.size++
	of.size++
	leave := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.size--
		if of.size--; of.size == 0 {
			delete(c.byID, id)
		}
	}
	n := of.questions()
	return &member{crowd: of, joined: n, seen: n, leave: leave}, true
}

func (c *crowd) questions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

var errEnough = errors.New("lock: the wait is over")

// ask returns what try finds, or what another member's try has found. If something woke this member,
// that must have been asked since now; else anything new to it will do. A lease is always the caller's
// own. It returns errEnough when waiting has ended before there was anything.
func (m *member) ask(waiting context.Context, woken bool, try func() (*Lease, error)) (*Lease, error) {
	c := m.crowd
	if woken {
		m.seen = c.questions()
	}
	var mine *question
	for mine == nil {
		if waiting.Err() != nil {
			return nil, errEnough
		}
		c.mu.Lock()
		q := c.last
		if q == nil || q.over() {
			if q != nil && m.takes(q) {
				c.mu.Unlock()
				m.seen = q.number
				return nil, q.err
			}
			c.asked++
			mine = &question{number: c.asked, answered: make(chan struct{})}
			c.last = mine
		}
		c.mu.Unlock()
		if mine == nil {
			// Asked too early for us, perhaps, but it may find the answer.
			select {
			case <-q.answered:
			case <-waiting.Done():
			}
		}
	}
	m.seen = mine.number
	defer close(mine.answered)
	lease, err := try()
	if waiting.Err() == nil {
		mine.err = err
	}
	return lease, err
}

func (q *question) over() bool {
	select {
	case <-q.answered:
		return true
	default:
		return false
	}
}

// takes reports whether what a question has found is news to m. An answer that is stored stays so:
// for that it need only have been asked since m joined.
func (m *member) takes(q *question) bool {
	_, done := errors.AsType[*DoneError](q.err)
	return q.err != nil && (q.number > m.seen || done && q.number > m.joined)
}
