package telemetry_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/reprise-go/reprise/grpcadapter"
	"github.com/reprise-go/reprise/httpadapter"
	"github.com/reprise-go/reprise/httpclient"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
	"github.com/reprise-go/reprise/telemetry"
)

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(quiet{}) } // what fails here fails on purpose

// A machine is an API over a Redis that all machines share, and what it tells.
type machine struct {
	redis   *miniredis.Miniredis
	api     *httptest.Server
	metrics *httptest.Server
	calls   grpc.UnaryServerInterceptor
	client  *http.Client // one that is told of, too
	spans   *tracetest.SpanRecorder
	held    chan struct{} // closed by a handler that holds its key, and then waits
	gate    chan struct{}
	mu      sync.Mutex
}

const (
	oom = "OOM command not allowed when used memory > 'maxmemory'."

	// How a request asks for trouble.
	trouble  = "X-Trouble"
	fails    = "fails"    // 500
	flush    = "flush"    // Redis forgets the claim
	full     = "full"     // Redis is full from here on
	fullOnce = "fullOnce" // until an answer could not be stored once
	holds    = "holds"    // until the machine's gate opens
)

func newMachine(t *testing.T, shared *miniredis.Miniredis, cfg telemetry.Config) *machine {
	t.Helper()
	m := &machine{redis: shared, spans: tracetest.NewSpanRecorder()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	must(err)
	told, err := telemetry.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)),
		sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(m.spans)), cfg)
	must(err)

	client := redis.NewClient(&redis.Options{
		Addr: shared.Addr(), MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { client.Close() })
	rc := replay.Config{Trace: told.Replay(), Lock: lock.Config{
		Trace: told.Lock(), TTL: 2 * time.Second, Timeout: time.Second, MaxHold: time.Minute, MaxWaiters: 1}}
	count := rc.Trace.CommitFailed
	rc.Trace.CommitFailed = func(ctx context.Context, err error) {
		count(ctx, err)
		if ctx.Value(troubleKey{}) == fullOnce {
			shared.SetError("")
		}
	}
	engine, err := replay.New(client, rc)
	must(err)
	adapter, err := httpadapter.New(engine, httpadapter.Config{Scope: httpadapter.GlobalScope, RequireKey: true, PreferWait: time.Minute})
	must(err)
	mux := http.NewServeMux()
	mux.Handle("POST /orders/{id}", adapter.Handler(http.HandlerFunc(m.order)))
	m.api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), troubleKey{}, r.Header.Get(trouble))))
	}))
	t.Cleanup(m.api.Close)
	m.metrics = httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(m.metrics.Close)
	calls, err := grpcadapter.New(engine, grpcadapter.Config{Scope: grpcadapter.GlobalScope})
	must(err)
	m.calls = calls.UnaryServerInterceptor()
	m.client = &http.Client{Transport: &httpclient.Transport{Trace: told.Client(), MaxTries: 1}}
	return m
}

type troubleKey struct{}

// order is the handler.
func (m *machine) order(w http.ResponseWriter, r *http.Request) {
	if work, ok := replay.WorkFrom(r.Context()); ok {
		work.Effect(r.Context(), replay.Effect{Name: "order", Repeated: work.Attempt > 1})
	}
	switch r.Header.Get(trouble) {
	case fails:
		w.WriteHeader(http.StatusInternalServerError)
		return
	case flush:
		m.redis.FlushAll()
	case full, fullOnce:
		m.redis.SetError(oom)
	case holds:
		m.mu.Lock()
		held, gate := m.held, m.gate
		m.mu.Unlock()
		close(held)
		<-gate
	}
	w.WriteHeader(http.StatusCreated)
}

// post sends one request, and returns the status and whether it was replayed.
func (m *machine) post(t *testing.T, key, body string, headers ...string) (status int, replayed bool) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.api.URL+"/orders/1", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, false
	}
	r.Header.Set("Idempotency-Key", key)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := m.client.Do(r)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		return 0, false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get("Idempotency-Replayed") == "true"
}

// call is one by gRPC.
func (m *machine) call(t *testing.T, key string) {
	t.Helper()
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("idempotency-key", key))
	_, err := m.calls(ctx, wrapperspb.String("order"), &grpc.UnaryServerInfo{FullMethod: "/shop.Orders/Create"},
		func(context.Context, any) (any, error) { return wrapperspb.String("done"), nil })
	if err != nil {
		t.Error(err)
	}
}

// day is all that there is to be told: what goes well, and what doesn't.
func (m *machine) day(t *testing.T, name string) {
	t.Helper()
	want := func(key, body string, status int, replayed bool, headers ...string) {
		t.Helper()
		if got, was := m.post(t, name+key, body, headers...); got != status || was != replayed {
			t.Errorf("%s: got %d, replayed %v, want %d, %v", key, got, was, status, replayed)
		}
	}
	want("a", "order", 201, false)
	want("a", "order", 201, true)
	want("a", "another", 422, false)
	want("b", "order", 500, false, trouble, fails)
	want("b", "order", 201, false)
	want("c", "order", 201, false, trouble, flush)
	want("d", "order", 201, false, trouble, fullOnce)
	want("e", "order", 201, false, trouble, full) // with Idempotency-Stored: false
	want("f", "order", 503, false)
	m.redis.SetError("")
	m.call(t, name+"g")

	m.mu.Lock()
	m.held, m.gate = make(chan struct{}), make(chan struct{})
	held, gate := m.held, m.gate
	m.mu.Unlock()
	var all sync.WaitGroup
	all.Go(func() { m.post(t, name+"h", "order", trouble, holds) })
	<-held
	// Of two who would wait, one may.
	statuses := make(chan int, 2)
	for range 2 {
		all.Go(func() {
			status, _ := m.post(t, name+"h", "order", "Prefer", "wait=60")
			statuses <- status
		})
	}
	if first := <-statuses; first != http.StatusConflict {
		t.Errorf("a waiter too many gets %d, want 409", first)
	}
	close(gate)
	if second := <-statuses; second != http.StatusCreated {
		t.Errorf("a waiter gets %d, want 201", second)
	}
	all.Wait()
}
