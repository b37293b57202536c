package sim

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/reprise-go/reprise/integration/bubble"
	"github.com/reprise-go/reprise/integration/sim/minisql"
)

// A world plays a schedule.
type world struct {
	*Schedule
	history  *History
	fleet    *bubble.Fleet
	clock    *bubble.Clock
	replicas *atomic.Int32
	over     chan struct{} // closed when the dead may end
	database *minisql.Server
	operator *process

	redisKeys map[string]string // of an operator: the calls' keys by their names in Redis

	mu      sync.Mutex
	slots   []*process
	lives   int
	calls   map[string]*Call // by their owner tokens
	effects map[string]*Call // by key and body: the last that had its effect
	pools   []*sql.DB
}

// Play plays a schedule in a bubble of its own and returns its history.
func Play(t *testing.T, s *Schedule) *History {
	// Tokens, nonces and jitter: all chance in the library.
	cryptotest.SetGlobalRandom(t, s.Seed)
	h := &History{Schedule: s}
	bubble.Run(t, func(t *testing.T, f *bubble.Fleet) {
		w := &world{
			Schedule: s, history: h, fleet: f, clock: f.Clock(), over: make(chan struct{}),
			calls: map[string]*Call{}, effects: map[string]*Call{},
		}
		if s.Channels {
			f.Channels()
		}
		w.replicas = f.Replicas(1)
		if s.Effects != nil {
			w.openDatabase(t)
		}
		for range s.Slots {
			w.slots = append(w.slots, w.start(t))
		}
		w.hire(t)
		h.begun = time.Now()
		w.day(t)
		w.evening(t)
		close(w.over)
		w.closeDatabase()
	})
	return h
}

// day plays the schedule, and ends when every ask has its answer, or nobody to give it.
func (w *world) day(t *testing.T) {
	var all sync.WaitGroup
	for _, e := range w.Events {
		all.Go(func() {
			time.Sleep(e.At)
			w.befall(e, w.at(t, e.Slot))
		})
	}
	for _, v := range w.Visits {
		all.Go(func() {
			time.Sleep(v.At)
			w.visit(v)
		})
	}
	for _, a := range w.Asks {
		all.Go(func() {
			time.Sleep(a.At)
			w.ask(t, a)
		})
	}
	all.Wait()
}

// evening heals the network, lets every lease run out, and asks each key once more.
func (w *world) evening(t *testing.T) {
	time.Sleep(3*w.Engine.Lock.TTL + w.Network.Late)
	w.mu.Lock()
	w.Network = Network{Lag: w.Network.Lag}
	if w.Effects != nil {
		w.Effects.Network = StoreNetwork{Lag: w.Effects.Network.Lag, Notice: w.Effects.Network.Notice}
	}
	w.mu.Unlock()
	w.history.Probed = w.history.now()
	asked := map[string]bool{}
	for _, a := range w.Asks {
		if asked[a.Key] {
			continue
		}
		asked[a.Key] = true
		w.slots = append(w.slots, w.start(t))
		w.ask(t, &Ask{ID: len(w.Asks) + len(asked) - 1, At: never, Slot: len(w.slots) - 1, Key: a.Key, Body: a.Body,
			Before: 1, After: 1, End: answers, Reconcile: looksUp})
	}
}

// ask is a client's request: it waits for the answer, until its process dies.
func (w *world) ask(t *testing.T, a *Ask) {
	p := w.at(t, a.Slot)
	call := &Call{Ask: a, Probe: a.At == never, Process: p.name, Died: never, HungUp: never, Asked: w.history.now()}
	w.history.mu.Lock()
	w.history.Calls = append(w.history.Calls, call)
	w.history.mu.Unlock()
	w.history.note("%s %v asks", p.name, call)

	ctx, hangUp := context.WithCancelCause(context.WithValue(context.Background(), callKey{}, call))
	defer hangUp(nil)
	if a.Hangup > 0 {
		defer time.AfterFunc(a.Hangup, func() {
			call.HungUp = w.history.now()
			w.history.note("%s %v: the client hangs up", p.name, call)
			hangUp(errHungUp)
		}).Stop()
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		p.answer(ctx, call)
	}()
	select {
	case <-answered:
	case <-p.dead:
		call.Died = p.diedAt
	}
}

// at is the process in a slot: a new one, if the last has died.
func (w *world) at(t *testing.T, slot int) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.slots[slot].lives() {
		w.slots[slot] = w.start(t)
	}
	return w.slots[slot]
}

type callKey struct{}

func callOf(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// befall makes an event happen, to a process or to Redis.
func (w *world) befall(e Event, p *process) {
	from := w.history.now()
	switch e.What {
	case dies:
		p.die("by an event")
	case stops:
		p.pause()
		time.Sleep(e.For)
		p.resume()
		w.history.trouble(p.name, from)
	case broken:
		w.history.note("%s: its connections break", p.name)
		p.Break()
		w.history.trouble(p.name, from)
	case cutOff:
		w.history.note("%s is cut off", p.name)
		p.Down()
		time.Sleep(e.For)
		w.history.note("%s is connected again", p.name)
		p.Up()
		w.history.trouble(p.name, from)
	case redisOff:
		w.history.note("Redis is away")
		w.fleet.Down()
		time.Sleep(e.For)
		w.history.note("Redis is back")
		w.fleet.Up()
		w.history.trouble("", from)
	case restarts:
		// Its scripts stay, so that each command that reaches it takes effect at once: that they are
		// sent again is for other tests.
		w.history.note("Redis restarts empty")
		w.history.Restarts = append(w.history.Restarts, from)
		w.fleet.Forget()
		w.history.trouble("", from)
	case failsOver:
		past := w.snapshot()
		time.Sleep(e.For)
		w.history.note("Redis fails over, and forgets what was written in the last %v", e.For)
		w.history.FailedOver = true
		w.fleet.Forget()
		w.restore(past)
	case noAcks:
		w.history.note("the replica is away")
		w.replicas.Store(0)
		time.Sleep(e.For)
		w.history.note("the replica is back")
		w.replicas.Store(1)
		w.history.Alone = append(w.history.Alone, Trouble{From: from, To: w.history.now()})
	case clock:
		w.history.note("Redis's clock steps by %v", e.For)
		w.clock.Step(e.For)
	default:
		w.befallDatabase(e, p)
	}
}

// A snapshot is what a replica has got of Redis by some time.
type snapshot struct {
	key, value string
	gone       time.Time
}

func (w *world) snapshot() (all []snapshot) {
	r := w.fleet.Redis
	for _, key := range r.Keys() {
		if value, err := r.Get(key); err == nil {
			all = append(all, snapshot{key, value, time.Now().Add(r.TTL(key))})
		}
	}
	return all
}

// restore makes Redis, which is empty, what it was.
func (w *world) restore(past []snapshot) {
	for _, s := range past {
		if left := time.Until(s.gone); left > 0 {
			_ = w.fleet.Redis.Set(s.key, s.value)
			w.fleet.Redis.SetTTL(s.key, left)
		}
	}
}
