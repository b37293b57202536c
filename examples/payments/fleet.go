package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-go/reprise/effect"
	"github.com/reprise-go/reprise/examples/internal/embedded"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

// prefix begins the names of all variables.
const prefix = "REPRISE_"

// settings are what the environment says.
type settings struct {
	engine   replay.Config
	effects  effect.Config
	adapter  httpadapter.Config
	connect  func() redis.UniversalClient // nil for the embedded Redis
	embedded bool
	metrics  *metrics
}

// settingsFrom returns every fault of environ at once.
func settingsFrom(environ []string) (settings, error) {
	engine, errEngine := replay.FromEnv(prefix, environ)
	adapter, errAdapter := httpadapter.FromEnv(prefix, environ)
	client, errClient := lock.ClientFromEnv(prefix, environ)
	// The last one of a name counts, and -db decides about the dialect.
	effects, errEffects := effect.FromEnv(prefix, append(slices.Clip(environ), prefix+"EFFECT_DIALECT=sqlite"))
	s := settings{engine: engine, effects: effects, adapter: adapter}
	if client != nil {
		client.Close() // it was made to validate the settings: each replica makes its own
		s.connect = func() redis.UniversalClient {
			client, _ := lock.ClientFromEnv(prefix, environ)
			return client
		}
	}
	return s, errors.Join(errClient, errEngine, errEffects, errAdapter)
}

// A fleet is a number of replicas, which share nothing but Redis and the ledger.
type fleet struct {
	replicas []*replica
	redis    *embedded.Redis // nil if REPRISE_REDIS_URL names another
	redisAt  string          // where other programs get to it
	ledger   *ledger
	metrics  *metrics // nil without -metrics
}

// A replica is one machine: its own Redis client, engine, adapter and listener.
type replica struct {
	client   redis.UniversalClient
	server   *http.Server
	listener net.Listener
}

func start(ctx context.Context, s settings, flags flags, log *slog.Logger) (*fleet, error) {
	ledger, err := openLedger(ctx, flags.db, s.effects)
	if err != nil {
		return nil, fmt.Errorf("-db: %s: %w", describe(flags.db), err)
	}
	go ledger.purge(ctx, log)
	f := &fleet{ledger: ledger}
	if f.metrics, err = newMetrics(flags.metrics, log); err != nil {
		return nil, errors.Join(err, f.stop(0))
	}
	s.metrics = f.metrics
	if s.connect == nil {
		f.redis = embedded.Start()
		s.embedded = true
		if f.redisAt, err = f.redis.Listen(); err != nil {
			return nil, errors.Join(err, f.stop(0))
		}
		s.connect = func() redis.UniversalClient { return f.redis.Client() }
	}
	for _, addr := range flags.addrs {
		r, err := newReplica(ctx, s, addr, ledger, log)
		if err != nil {
			return nil, errors.Join(err, f.stop(0))
		}
		f.replicas = append(f.replicas, r)
	}
	return f, nil
}

func newReplica(ctx context.Context, s settings, addr string, l *ledger, log *slog.Logger) (_ *replica, err error) {
	client := s.connect()
	defer func() {
		if err != nil {
			client.Close()
		}
	}()
	if err := ping(ctx, client); err != nil {
		return nil, fmt.Errorf("%sREDIS_URL: no answer from Redis: %w", prefix, err)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	log = log.With("replica", listener.Addr())
	server, err := newServer(ctx, client, s, l, log)
	if err != nil {
		listener.Close()
		return nil, err
	}
	return &replica{client: client, listener: listener, server: server}, nil
}

// newServer makes the engine, and what serves over it.
func newServer(ctx context.Context, client redis.UniversalClient, s settings, ledger *ledger, log *slog.Logger) (*http.Server, error) {
	s.engine.Logger = log
	s.engine.Trace = &replay.Trace{}
	if s.metrics != nil {
		s.engine.Trace, s.engine.Lock.Trace = s.metrics.Replay(), s.metrics.Lock()
	}
	count := s.engine.Trace.Finished
	s.engine.Trace.Finished = func(ctx context.Context, e replay.Event) {
		if count != nil {
			count(ctx, e)
		}
		log.Info("POST /payments", "outcome", e.Outcome, "attempt", e.Attempt, "repeated", e.Repeated, "work", e.Work)
	}
	engine, err := replay.New(client, s.engine)
	if err != nil {
		return nil, err
	}
	if !s.embedded { // which has no settings to check
		if err := engine.Check(ctx); err != nil {
			return nil, err
		}
	}
	if err := ledger.effects.Check(ctx, engine); err != nil {
		return nil, err
	}
	handler, err := newHandler(engine, s.adapter, ledger, log)
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       2 * time.Minute, // these two are longer than any X-Demo-Delay
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelError),
	}
	server.RegisterOnShutdown(engine.StopWaiting) // or requests that wait for an answer would delay the shutdown
	return server, nil
}

// newHandler makes the API safe to retry. Your own API needs the same steps.
func newHandler(engine *replay.Engine, cfg httpadapter.Config, ledger *ledger, log *slog.Logger) (http.Handler, error) {
	cfg.RequireKey = true
	cfg.Scope = httpadapter.ScopeFunc(func(r *http.Request) (string, error) { return account(r), nil })
	// Whether an earlier attempt has charged, the ledger knows: to run again is to ask it.
	cfg.Reconcile = func(http.ResponseWriter, *http.Request) replay.Decision { return replay.NotDone }
	cfg.Logger = log
	adapter, err := httpadapter.New(engine, cfg)
	if err != nil {
		return nil, err
	}
	api := &api{ledger, log}
	mux := http.NewServeMux()
	mux.Handle("POST /payments", adapter.Handler(demo(http.HandlerFunc(api.create))))
	mux.HandleFunc("GET /payments", api.list)
	mux.HandleFunc("GET /payments/{id}", api.get)
	mux.HandleFunc("GET /demo", demoPage)
	return mux, nil
}

// ping asks Redis for an answer. The error may name its address, but has no password.
func ping(ctx context.Context, client redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return client.Ping(ctx).Err()
}

// serve returns when ctx ends, or a replica can't go on.
func (f *fleet) serve(ctx context.Context) error {
	failed := make(chan error, len(f.replicas))
	for _, r := range f.replicas {
		go func() { failed <- r.server.Serve(r.listener) }()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// stop takes no more requests, lets those in flight end, for as long as grace, and only then closes
// what they need. The key of a request that was cut off is held until its lease runs out.
func (f *fleet) stop(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	errs := make([]error, len(f.replicas))
	var all sync.WaitGroup
	for i, r := range f.replicas {
		all.Go(func() {
			if r.server.Shutdown(ctx) != nil {
				errs[i] = fmt.Errorf("%v: work in flight was cut off after %v", r.listener.Addr(), grace)
				r.server.Close()
			}
			r.listener.Close()
			r.client.Close()
		})
	}
	all.Wait()
	f.metrics.close()
	if f.redis != nil {
		f.redis.Close()
	}
	return errors.Join(append(errs, f.ledger.close())...)
}
