package bubble

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// A link is one machine's network. It carries bytes between the machine's client and Redis, and
// knows the commands among them by name: begin, renew, commit, release, abandon for our scripts,
// with "load " before them when the source is sent along, and Redis's names in capitals for the
// rest. Commands that open a connection (HELLO and so on) it neither counts nor harms.
type link struct {
	redis *miniredis.Miniredis
	names map[string]string // of scripts, by digest

	mu     sync.Mutex
	trips  []string
	rules  []*rule
	fate   func([]Command) Fault
	wires  []*wire
	down   bool
	dark   bool
	frozen bool
	queue  []chan struct{} // commands that wait for Thaw, in the order of their sending
	paused chan struct{}   // closed by Resume; nil when the machine runs
}

// A rule is a fault that waits for its command.
type rule struct {
	name  string
	fault Fault
	times int
}

func newLink(f *Fleet) *link {
	return &link{redis: f.Redis, names: f.names}
}

// On lets fault befall the next round trip that carries a command of that name ("*": any).
func (l *link) On(name string, fault Fault) { l.OnNext(1, name, fault) }

// OnNext is On for the next n such trips. Retries that go-redis makes by itself count.
func (l *link) OnNext(n int, name string, fault Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = append(l.rules, &rule{name, fault, n})
}

// Fate lets decide choose the fault of every round trip that no On waits for. It is asked once for
// each, when it is sent, and for each message that Redis pushes, as a command named "push" of which
// only DelayReply counts. From here on, what would happen at one instant on this machine's network
// happens in the same order each time, a nanosecond apart.
func (l *link) Fate(decide func([]Command) Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fate = decide
}

// Heal forgets all faults that have not struck yet, and Fate.
func (l *link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules, l.fate = nil, nil
}

// Trips returns the round trips that the machine has made since the last call of Trips, by the
// names of their commands: "begin", "renew*500" for a pipeline of equal ones, "GET+renew".
func (l *link) Trips() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	trips := l.trips
	l.trips = nil
	return trips
}

// Down takes Redis off the machine's network.
func (l *link) Down() {
	l.mu.Lock()
	l.down = true
	l.mu.Unlock()
	l.Break()
}

// Break breaks the connections that there are, the oldest first.
func (l *link) Break() {
	l.mu.Lock()
	wires, inOrder := l.wires, l.fate != nil
	l.wires = nil
	l.mu.Unlock()
	for _, w := range wires {
		w.cut()
		if inOrder {
			time.Sleep(time.Nanosecond) // as in Thaw
		}
	}
}

// Up ends Down.
func (l *link) Up() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

// Vanish takes Redis off the machine's network without a word, as a firewall or a dead host does:
// connections stand and carry nothing, and new ones are neither made nor refused.
func (l *link) Vanish() {
	l.Freeze()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dark = true
}

// Freeze makes Redis hang, as this machine sees it.
func (l *link) Freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = true
}

// Thaw ends Freeze and Vanish. What was sent meanwhile arrives in the order of its sending. (On a
// network, what comes by several connections may arrive in any.)
func (l *link) Thaw() {
	l.mu.Lock()
	queue := l.queue
	l.dark, l.frozen, l.queue = false, false, nil
	l.mu.Unlock()
	for _, gate := range queue {
		close(gate)
		time.Sleep(time.Nanosecond) // in a bubble, until all that can happen has happened
	}
}

// Pause stops the machine, as far as its network can tell: what it sends and what it is sent waits
// for Resume.
func (l *link) Pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = true
	if l.paused == nil {
		l.paused = make(chan struct{})
	}
}

// Resume ends Pause.
func (l *link) Resume() {
	l.mu.Lock()
	if l.paused != nil {
		close(l.paused)
		l.paused = nil
	}
	l.mu.Unlock()
	l.Thaw()
}

// resumed returns a channel that is closed when the machine runs, nil if it does.
func (l *link) resumed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.paused
}

// pushed returns how long a message that Redis pushes is under way.
func (l *link) pushed() time.Duration {
	l.mu.Lock()
	fate := l.fate
	l.mu.Unlock()
	if fate == nil {
		return 0
	}
	return fate([]Command{{Name: "push"}}).DelayReply
}

func (l *link) close() {
	l.Down()
	l.Resume()
}

// Dial is a client's Dialer.
func (l *link) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if (l.dark || l.frozen) && ctx.Done() == nil {
		// For a PubSub, which dials under its mutex. In a bubble, time stands still while anyone waits
		// for a mutex, so this dial must not take any.
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}
	}
	if l.dark {
		l.mu.Unlock()
		<-ctx.Done() // go-redis's DialTimeout
		l.mu.Lock()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
	}
	if l.down {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	server, err := l.redis.Dial()
	if err != nil {
		return nil, err
	}
	client, inner := net.Pipe()
	w := &wire{link: l, client: inner, server: server, broken: make(chan struct{}),
		sent: make(chan []byte, 1<<12), replies: make(chan []byte, 1<<12)}
	l.wires = append(l.wires, w)
	go w.send()
	go w.carry()
	go w.receive()
	go w.deliver()
	return socket{client, l.fate != nil}, nil
}

// sent books a round trip. It returns the fault that befalls it, and a gate to wait at if Redis hangs.
func (l *link) sent(commands []Command) (f Fault, gate <-chan struct{}) {
	l.mu.Lock()
	if l.frozen {
		g := make(chan struct{})
		l.queue = append(l.queue, g)
		gate = g
	}
	if len(commands) == 0 {
		l.mu.Unlock()
		return f, gate
	}
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.Name
	}
	l.trips = append(l.trips, trip(names))
	for i, r := range l.rules {
		if r.name != "*" && !slices.Contains(names, r.name) {
			continue
		}
		f = r.fault
		if r.times--; r.times == 0 {
			l.rules = slices.Delete(l.rules, i, i+1)
		}
		l.mu.Unlock()
		return f, gate
	}
	fate := l.fate
	l.mu.Unlock()
	if fate != nil {
		f = fate(commands)
	}
	return f, gate
}

// trip writes a pipeline's commands down, equal neighbours once.
func trip(names []string) string {
	var s string
	for len(names) > 0 {
		n := 1
		for n < len(names) && names[n] == names[0] {
			n++
		}
		if s != "" {
			s += "+"
		}
		s += names[0]
		if n > 1 {
			s += fmt.Sprintf("*%d", n)
		}
		names = names[n:]
	}
	return s
}
