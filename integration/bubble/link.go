package bubble

import (
	"context"
	"fmt"
	"math"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// A Fault befalls one round trip. Its parts apply in the order of the fields.
type Fault struct {
	LoseCommand  bool          // the connection breaks before the command reaches Redis
	DelayCommand time.Duration // the command reaches Redis later, even if its sender has gone
	Meanwhile    func()        // called when the command has taken effect and the reply is on its way
	DelayReply   time.Duration // the reply reaches the machine later
	LoseReply    bool          // the connection breaks after the command took effect
}

// Forever is a delay that doesn't end.
const Forever time.Duration = math.MaxInt64

// The faults that most tests need.
var (
	LoseCommand = Fault{LoseCommand: true}
	LoseReply   = Fault{LoseReply: true}
	Unheard     = Fault{DelayCommand: Forever} // the command never arrives, and the connection stands
	Unanswered  = Fault{DelayReply: Forever}   // the command takes effect, and the connection stands
)

// Meanwhile is the fault-free trip during which something else happens: do is called when the
// command has taken effect and before its reply arrives.
func Meanwhile(do func()) Fault { return Fault{Meanwhile: do} }

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
	wires  map[*wire]struct{}
	down   bool
	dark   bool
	frozen chan struct{} // closed by Thaw; nil when not frozen
}

// A rule is a fault that waits for its command.
type rule struct {
	name  string
	fault Fault
	times int
}

func newLink(f *Fleet) *link {
	return &link{redis: f.Redis, names: f.names, wires: map[*wire]struct{}{}}
}

// On lets fault befall the next round trip that carries a command of that name ("*": any).
func (l *link) On(name string, fault Fault) { l.OnNext(1, name, fault) }

// OnNext is On for the next n such trips. Retries that go-redis makes by itself count.
func (l *link) OnNext(n int, name string, fault Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = append(l.rules, &rule{name, fault, n})
}

// Heal forgets all faults that have not struck yet.
func (l *link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = nil
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

// Break breaks the connections that there are.
func (l *link) Break() {
	l.mu.Lock()
	wires := l.wires
	l.wires = map[*wire]struct{}{}
	l.mu.Unlock()
	for w := range wires {
		w.cut()
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
	if l.frozen == nil {
		l.frozen = make(chan struct{})
	}
}

// Thaw ends Freeze and Vanish.
func (l *link) Thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dark = false
	if l.frozen != nil {
		close(l.frozen)
		l.frozen = nil
	}
}

func (l *link) close() {
	l.Thaw()
	l.Down()
}

// dial is a client's Dialer.
func (l *link) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
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
	w := &wire{link: l, client: inner, server: server, broken: make(chan struct{}), replies: make(chan []byte, 1<<12)}
	l.wires[w] = struct{}{}
	go w.carry()
	go w.receive()
	go w.deliver()
	return socket{client}, nil
}

// sent books a round trip and returns the faults that befall it, joined to one.
func (l *link) sent(names []string) (f Fault, gate <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(names) == 0 {
		return f, l.frozen
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
		break
	}
	return f, l.frozen
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
