package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// settingsEnv makes a machine of this test binary, and has its settings.
const settingsEnv = "REPRISE_CHAOS_MACHINE"

// settings are what a machine has to know.
type settings struct {
	Name   string // also its connections', in CLIENT LIST
	Proxy  string // the way to Redis
	Nodes  []string
	Ledger string
	Books  string // the database in which mode effects books
	Prefix string // of its Redis keys
	Modes  []mode
	Stop   point // stop there for good, and say so; empty is nowhere

	Pipeline lock.Pipeline
}

// A mode is a way to configure the library, by its own environment variables. Every machine serves
// all modes that a test is about, so that they meet the same fault.
type mode struct {
	Name string
	Env  []string
}

// serveAPI is main for a machine: an API on loopback, whose URL it prints. It ends with its parent.
func serveAPI(given string) {
	var s settings
	if err := json.Unmarshal([]byte(given), &s); err != nil {
		log.Fatal(err)
	}
	redis.SetLogger(silent{})
	stop := &stopper{at: s.Stop}
	mux := http.NewServeMux()
	for _, m := range s.Modes {
		handler, err := s.handler(m, stop)
		if err != nil {
			log.Fatal(err)
		}
		mux.Handle("POST /"+m.Name, handler)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(listener, mux)) }()
	fmt.Printf("http://%s\n", listener.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin) // which the parent holds open
}

// silent is go-redis's log: connections that fail are what this is about.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// handler is the API in one mode: a client, an engine and an adapter of its own.
func (s settings) handler(m mode, stop *stopper) (http.Handler, error) {
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:      slices.Clone(s.Nodes), // to which it appends
		ClientName: s.Name,
		Dialer: func(ctx context.Context, _, addr string) (net.Conn, error) {
			conn, err := dialThrough(ctx, s.Proxy, addr)
			return stop.watch(conn), err
		},
		ContextTimeoutEnabled: true,
	})
	client.OnNewNode(func(node *redis.Client) { node.AddHook(stop) })
	cfg, err := replay.FromEnv("REPRISE_", m.Env)
	if err != nil {
		return nil, err
	}
	cfg.Prefix = s.Prefix + "-" + m.Name
	cfg.Lock.Pipeline = s.Pipeline
	engine, err := replay.New(client, cfg)
	if err != nil {
		return nil, err
	}
	adapter, err := httpadapter.New(engine, httpadapter.Config{Scope: httpadapter.GlobalScope, RequireKey: true})
	if err != nil {
		return nil, err
	}
	p := &payments{settings: s, mode: m, stop: stop, pay: enterOnly}
	if m.Name == effects {
		if p.pay, err = s.bookings(); err != nil {
			return nil, err
		}
	}
	return stop.beforeAnswer(adapter.Handler(p)), nil
}

// payments is the handler: it makes an entry in the ledger, pays and works, and answers with the
// payment's number, so that no two answers are equal unless one is the replay of the other, or both
// come of one payment. It is as bad as a handler can be: it works on when its context has ended.
type payments struct {
	settings
	mode mode
	stop *stopper
	pay  func(ctx context.Context, entry run, work func()) (payment, error)
}

// A payment is what the answer is made of.
type payment struct {
	Number  int
	Attempt int
	Fence   int64
}

// enterOnly is for where the entry in the ledger is the payment.
func enterOnly(_ context.Context, entry run, work func()) (payment, error) {
	work()
	return payment{entry.number, entry.Attempt, entry.Fence}, nil
}

// workHeader asks for work that takes so long.
const workHeader = "X-Work"

func (p *payments) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := context.WithoutCancel(r.Context())
	attempt, _ := replay.AttemptFrom(r.Context())
	entry := run{
		Key:     p.mode.Name + "/" + r.Header.Get("Idempotency-Key"),
		Machine: p.Name,
		Attempt: attempt.Number,
		Fence:   attempt.Fence,
		Start:   time.Now(),
	}
	p.stop.reach(beforeEffect)
	got, err := enter(ctx, p.Ledger+"/begin", entry)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	entry.number = got.Number
	live := entry.Start
	paid, failed := p.pay(ctx, entry, func() {
		p.stop.reach(afterEffect)
		work, _ := time.ParseDuration(r.Header.Get(workHeader))
		live = watch(r.Context(), live, work)
	})
	live = watch(r.Context(), live, 0)
	if _, err := enter(ctx, p.Ledger+"/end", ending{got.Number, live}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if failed != nil { // what the database has no time or no place for, it may have later
		http.Error(w, failed.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Location", fmt.Sprintf("/payments/%d", paid.Number))
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"payment":%d,"attempt":%d,"fence":%d}`, paid.Number, paid.Attempt, paid.Fence)
}

// watch spends a while, and returns when it last saw ctx live.
func watch(ctx context.Context, live time.Time, work time.Duration) time.Time {
	look := func() {
		if now := time.Now(); ctx.Err() == nil {
			live = now
		}
	}
	for end := time.Now().Add(work); time.Now().Before(end); look() {
		time.Sleep(min(20*time.Millisecond, time.Until(end)))
	}
	look()
	return live
}
