package chaos

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// leastKeys is how many keys each load has. `make chaos` asks for more than is quick.
var leastKeys = flag.Int("keys", 150, "send at least so many keys in each load")

const (
	pace     = 100 // keys a second at most, of all modes together
	open     = 60  // keys at most that wait for their first answers, of all modes together
	longWork = 10  // one key in so many has work that outlives renewals and short faults
	patience = time.Minute

	leastAsked = 4 // times for each key, a sweep included
)

// A load is what clients ask of a fleet in one mode: ever new keys, each by two clients at the same
// time, on two machines, and some seconds later by another on the third.
type load struct {
	fleet *fleet
	mode  mode

	mu   sync.Mutex
	keys []*history
}

// A history is all that was asked and answered under one key.
type history struct {
	key  string
	work time.Duration

	mu        sync.Mutex
	exchanges []exchange
	gaveUp    bool // a client did, after patience
}

// An exchange is one request and its answer, as the client saw them.
type exchange struct {
	sent, got time.Time
	machine   int
	status    int    // 0 if the connection broke or the client's time was up
	code      string // of a problem
	replayed  bool
	stored    string // the Idempotency-Stored header: why a retry may not get this answer
	answer    string // of a success: all that must be the same in a replay
	payment   int    // of a success: the number in it

	retryAfter time.Duration
}

func (x exchange) success() bool { return x.status == http.StatusCreated }

// held is the answer to a duplicate of what is in flight.
func (x exchange) held() bool { return x.status == http.StatusConflict && x.code == "in-progress" }

// failed: ask again. All that is neither is nothing that this API answers.
func (x exchange) failed() bool { return x.status == 0 || x.status == http.StatusServiceUnavailable }

// under sends load in every mode while fault does its worst, and until each load has its keys. Then
// every client gets its answer, and a sweep asks for every key once more, on another machine.
func (f *fleet) under(ctx context.Context, fault func(context.Context)) []*load {
	f.t.Helper()
	return f.underLoads(ctx, func(ctx context.Context, _ []*load) { fault(ctx) })
}

// underLoads is under, for a fault that has to know what is being asked for.
func (f *fleet) underLoads(ctx context.Context, fault func(context.Context, []*load)) []*load {
	f.t.Helper()
	var loads []*load
	var sending sync.WaitGroup
	over, end := context.WithCancel(ctx)
	defer end()
	for _, m := range f.modes {
		l := &load{fleet: f, mode: m}
		loads = append(loads, l)
		sending.Go(func() { l.send(ctx, over.Done()) })
	}
	lasts(ctx, time.Second) // so that there is something to break
	fault(ctx, loads)
	end()
	sending.Wait()
	f.log("all answered")
	for _, l := range loads {
		l.sweep(ctx)
	}
	f.log("all asked for once more")
	must(f.t, ctx.Err())
	return loads
}

// send goes on until over, and until there are enough keys, and returns when all have been answered.
func (l *load) send(ctx context.Context, over <-chan struct{}) {
	tick := time.NewTicker(time.Second * time.Duration(len(l.fleet.modes)) / pace)
	defer tick.Stop()
	// What fails is asked for again, and new keys must not come on top of that without end: else an
	// outage would be followed by another, of the machine that the test runs on.
	slots := make(chan struct{}, open/len(l.fleet.modes))
	var clients sync.WaitGroup
	for i := 0; ; i++ {
		select {
		case <-over:
			if i >= l.fleet.least {
				clients.Wait()
				return
			}
		default:
		}
		<-tick.C
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			clients.Wait()
			return
		}
		h := l.next(i)
		clients.Go(func() {
			var both sync.WaitGroup
			both.Go(func() { l.pursue(ctx, h, i) })
			both.Go(func() { l.pursue(ctx, h, i+1) })
			both.Wait()
			<-slots
			lasts(ctx, rand.N(5*time.Second))
			l.pursue(ctx, h, i+2)
		})
	}
}

func (l *load) next(i int) *history {
	h := &history{key: fmt.Sprintf("key-%d", i), work: 5*time.Millisecond + rand.N(20*time.Millisecond)}
	if i%longWork == 0 {
		h.work = time.Second + rand.N(2*time.Second)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys = append(l.keys, h)
	return h
}

// pursue asks for a key until it has a final answer, as a good client does: again when it is told
// to, and where a machine doesn't answer, at the next one.
func (l *load) pursue(ctx context.Context, h *history, machine int) {
	for start := time.Now(); ; machine++ {
		x := l.fleet.ask(ctx, l.mode, h.key, h.work, machine)
		h.note(x)
		if !x.failed() && !x.held() {
			return
		}
		if time.Since(start) > patience || ctx.Err() != nil {
			h.mu.Lock()
			h.gaveUp = true
			h.mu.Unlock()
			return
		}
		lasts(ctx, x.retryAfter+rand.N(100*time.Millisecond))
	}
}

// enough tells whether every load has its keys.
func enough(loads []*load) bool {
	for _, l := range loads {
		l.mu.Lock()
		keys := len(l.keys)
		l.mu.Unlock()
		if keys < l.fleet.least {
			return false
		}
	}
	return true
}

// hot is the Redis key of what was asked for last, and is most likely in flight.
func (l *load) hot() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fleet.redisKey(l.mode, l.keys[len(l.keys)-1].key)
}

// longAt is a key under which a machine has begun long work, with most of it to do yet, or nil.
func (l *load) longAt(m *machine) *history {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.keys {
		if h.work < time.Second {
			continue
		}
		for _, r := range l.fleet.ledger.of(l.mode.Name + "/" + h.key) {
			if r.Machine == m.name && !r.ended && time.Since(r.Start) < h.work/2 {
				return h
			}
		}
	}
	return nil
}

// insist asks one machine for a key until it has the answer.
func (l *load) insist(ctx context.Context, h *history, machine int) {
	for ctx.Err() == nil {
		x := l.fleet.ask(ctx, l.mode, h.key, h.work, machine)
		h.note(x)
		if x.success() {
			return
		}
		lasts(ctx, 100*time.Millisecond)
	}
}

func (h *history) note(x exchange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.exchanges = append(h.exchanges, x)
}

// sweep asks for all keys once more, each on another machine than the one that answered last.
func (l *load) sweep(ctx context.Context) {
	todo := make(chan *history)
	var clients sync.WaitGroup
	for range 24 { // where all is forgotten, each key's work is done once more
		clients.Go(func() {
			for h := range todo {
				l.pursue(ctx, h, h.exchanges[len(h.exchanges)-1].machine+1)
			}
		})
	}
	for _, h := range l.keys {
		todo <- h
	}
	close(todo)
	clients.Wait()
}

// ask sends one request.
func (f *fleet) ask(ctx context.Context, m mode, key string, work time.Duration, machine int) exchange {
	machine %= len(f.machines)
	x := f.askAt(ctx, f.machine(machine).url, m, key, work)
	x.machine = machine
	return x
}

func (f *fleet) askAt(ctx context.Context, url string, m mode, key string, work time.Duration) (x exchange) {
	x.sent, x.retryAfter = time.Now(), 250*time.Millisecond
	defer func() { x.got = time.Now() }()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/"+m.Name, strings.NewReader(`{"amount":1999}`))
	if err != nil {
		return x
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	r.Header.Set(workHeader, work.String())
	r.GetBody = nil // net/http could send it again by itself
	answer, err := f.client.Do(r)
	if err != nil {
		return x
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return x
	}
	x.status, x.stored = answer.StatusCode, answer.Header.Get("Idempotency-Stored")
	x.replayed = answer.Header.Get("Idempotency-Replayed") == "true"
	if s, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
		x.retryAfter = time.Duration(s) * time.Second
	}
	if x.success() {
		x.answer = fmt.Sprintf("%s %s %s", answer.Header.Get("Location"), answer.Header.Get("Content-Type"), body)
		_, _ = fmt.Sscanf(answer.Header.Get("Location"), "/payments/%d", &x.payment)
		return x
	}
	var problem struct{ Code string }
	_ = json.Unmarshal(body, &problem)
	x.code = problem.Code
	return x
}
