package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/reprise-go/reprise/httpclient"
	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

func init() { redis.SetLogger(quiet{}) } // what fails here fails on purpose

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// A lab is an engine over an embedded Redis, with all that its telemetry tells.
type lab struct {
	*testing.T
	*Telemetry
	engine *replay.Engine
	redis  *miniredis.Miniredis
	reader *sdkmetric.ManualReader
	spans  *tracetest.SpanRecorder
	tracer trace.Tracer // the program's own
}

func newLab(t *testing.T, cfg Config, sampler sdktrace.Sampler) *lab {
	t.Helper()
	l := &lab{T: t, redis: miniredis.RunT(t), reader: sdkmetric.NewManualReader(), spans: tracetest.NewSpanRecorder()}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithSpanProcessor(l.spans))
	l.tracer = tracers.Tracer("program")
	var err error
	if l.Telemetry, err = New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(l.reader)), tracers, cfg); err != nil {
		t.Fatal(err)
	}
	l.engine = l.engineWith(replay.Config{})
	return l
}

// engineWith is another machine's engine, told by the same telemetry.
func (l *lab) engineWith(cfg replay.Config) *replay.Engine {
	l.Helper()
	client := redis.NewClient(&redis.Options{
		Addr: l.redis.Addr(), MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	l.Cleanup(func() { client.Close() })
	cfg.Trace, cfg.Lock.Trace = l.Replay(), l.Lock()
	engine, err := replay.New(client, cfg)
	if err != nil {
		l.Fatal(err)
	}
	return engine
}

func order(key string) replay.Request {
	return replay.Request{Scope: "shop-4711", Key: key, Fingerprint: "one", Route: "/orders", Dialect: "problem"}
}

type work = func(context.Context) (replay.Answer, error)

func says(s string) work {
	return func(context.Context) (replay.Answer, error) { return replay.Answer{Value: s}, nil }
}

func fails(err error) work {
	return func(context.Context) (replay.Answer, error) { return replay.Answer{}, err }
}

// points are all that the meter has, by "name{attributes}".
func (l *lab) points() map[string]float64 {
	l.Helper()
	var all metricdata.ResourceMetrics
	if err := l.reader.Collect(l.Context(), &all); err != nil {
		l.Fatal(err)
	}
	points := map[string]float64{}
	add := func(name string, set attribute.Set, value float64) {
		var pairs []string
		for _, kv := range set.ToSlice() {
			pairs = append(pairs, fmt.Sprintf("%s=%v", kv.Key, kv.Value.String()))
		}
		points[name+"{"+strings.Join(pairs, " ")+"}"] = value
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, float64(p.Value))
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, float64(p.Count))
				}
			default:
				l.Errorf("%s is a %T", m.Name, m.Data)
			}
		}
	}
	return points
}

func (l *lab) wantPoints(want map[string]float64) {
	l.Helper()
	got := l.points()
	for point, n := range want {
		if got[point] != n {
			l.Errorf("%s is %v, want %v", point, got[point], n)
		}
	}
	if l.Failed() {
		for point, n := range got {
			l.Logf("%s %v", point, n)
		}
	}
}

// span is the last one of a name to have ended.
func (l *lab) span(name string) sdktrace.ReadOnlySpan {
	l.Helper()
	for _, s := range slices.Backward(l.spans.Ended()) {
		if s.Name() == name {
			return s
		}
	}
	l.Fatalf("no span %s", name)
	return nil
}

func attributesOf(s sdktrace.ReadOnlySpan) string {
	var pairs []string
	for _, kv := range s.Attributes() {
		value := kv.Value.String()
		if kv.Key == keyDigest {
			value = strconv.Itoa(len(value)) + " digits"
		}
		pairs = append(pairs, string(kv.Key)+"="+value)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, " ")
}

func (l *lab) wantSpan(name, attributes string, status codes.Code) sdktrace.ReadOnlySpan {
	l.Helper()
	s := l.span(name)
	if got := attributesOf(s); got != attributes || s.Status().Code != status {
		l.Errorf("%s has %s and status %v, want %s and %v", name, got, s.Status(), attributes, status)
	}
	return s
}

const of = "http.route=/orders reprise.dialect=problem reprise.outcome="

func TestRequestsAreCounted(t *testing.T) {
	l := newLab(t, Config{}, sdktrace.AlwaysSample())
	ctx := t.Context()
	broken := errors.New("broken")
	l.engine.Do(ctx, order("a"), fails(broken))
	l.engine.Do(ctx, order("a"), says("done"))
	l.engine.Do(ctx, order("a"), says("no"))
	other := order("a")
	other.Fingerprint = "two"
	l.engine.Do(ctx, other, says("no"))

	call := order("b")
	call.Route, call.Dialect = "/shop.Orders/Create", "grpc"
	l.engine.Do(ctx, call, func(ctx context.Context) (replay.Answer, error) {
		w, _ := replay.WorkFrom(ctx)
		w.Effect(ctx, replay.Effect{Name: "charge"})
		w.Effect(ctx, replay.Effect{Name: "outbox", Repeated: true})
		l.redis.FlushAll() // the claim vanishes
		return replay.Answer{Value: "done"}, nil
	})
	job := order("c")
	job.Route, job.Dialect = "nightly", ""
	l.engine.Do(ctx, job, func(context.Context) (replay.Answer, error) {
		l.engine.Do(ctx, job, says("no"))
		l.wantPoints(map[string]float64{"reprise.lease.held{reprise.lease.state=live}": 1})
		return replay.Answer{Value: "done"}, nil
	})
	l.engineWith(replay.Config{Shadow: true}).Do(ctx, job, says("again"))
	l.engine.Refused(ctx, replay.Request{Route: "/orders", Dialect: "problem"}, "missing")
	l.redis.SetError("OOM command not allowed when used memory > 'maxmemory'.")
	l.engine.Do(ctx, order("d"), says("no"))

	l.wantPoints(map[string]float64{
		"reprise.requests{" + of + "failed}":              1,
		"reprise.requests{" + of + "stored}":              1,
		"reprise.requests{" + of + "replayed}":            1,
		"reprise.requests{" + of + "reused}":              1,
		"reprise.requests{" + of + "unavailable}":         1,
		"reprise.requests{" + of + "missing}":             1,
		"reprise.acquire.duration{" + of + "missing}":     0,
		"reprise.acquire.duration{" + of + "replayed}":    1,
		"reprise.acquire.duration{" + of + "unavailable}": 1,
		"reprise.work.duration{" + of + "stored}":         1,
		"reprise.work.duration{" + of + "replayed}":       0,
		"reprise.commit.duration{" + of + "stored}":       1,
		"reprise.commit.duration{" + of + "replayed}":     0,
		"reprise.takeovers{" + of + "stored}":             1,

		"reprise.requests{reprise.dialect=grpc reprise.outcome=stored rpc.method=/shop.Orders/Create}":        1,
		"reprise.vanished_claims{reprise.dialect=grpc reprise.outcome=stored rpc.method=/shop.Orders/Create}": 1,
		"reprise.requests{reprise.outcome=in-progress reprise.route=nightly}":                                 1,
		"reprise.requests{reprise.outcome=replayed reprise.route=nightly reprise.shadow=true}":                1,
		"reprise.effects{reprise.effect.name=charge reprise.effect.repeated=false}":                           1,
		"reprise.effects{reprise.effect.name=outbox reprise.effect.repeated=true}":                            1,
		"reprise.lease.held{reprise.lease.state=live}":                                                        0,
		"reprise.store.errors{error.type=OOM reprise.store.operation=begin}":                                  1,
	})
}

const decision = "reprise.dialect=problem reprise.key.digest=64 digits reprise.outcome="

func TestSpans(t *testing.T) {
	l := newLab(t, Config{Links: true}, sdktrace.AlwaysSample())
	ctx, request := l.tracer.Start(t.Context(), "POST /orders")
	l.engine.Do(ctx, order("a"), func(ctx context.Context) (replay.Answer, error) {
		_, query := l.tracer.Start(ctx, "query")
		query.End()
		return replay.Answer{Value: "done"}, nil
	})
	request.End()
	decided := l.wantSpan(requestSpan, "http.route=/orders reprise.attempt=1 "+decision+"stored", codes.Unset)
	work, query := l.span(workSpan), l.span("query")
	if decided.Parent().SpanID() != request.SpanContext().SpanID() || work.Parent().SpanID() != decided.SpanContext().SpanID() ||
		query.Parent().SpanID() != work.SpanContext().SpanID() {
		t.Error("the spans of request, decision, work and query are not one in another")
	}

	ctx, retry := l.tracer.Start(t.Context(), "POST /orders")
	l.engine.Do(ctx, order("a"), says("no"))
	retry.End()
	again := l.wantSpan(requestSpan, "http.route=/orders "+decision+"replayed", codes.Unset)
	if links := again.Links(); len(links) != 1 || !links[0].SpanContext.Equal(decided.SpanContext().WithRemote(true)) {
		t.Errorf("links %v, want one to %v", again.Links(), decided.SpanContext())
	}

	l.engine.Do(t.Context(), order("b"), fails(errors.New("broken")))
	l.wantSpan(workSpan, "error.type=errors.errorString reprise.attempt=1 reprise.key.digest=64 digits", codes.Error)
	func() {
		defer func() { _ = recover() }()
		l.engine.Do(t.Context(), order("b"), func(context.Context) (replay.Answer, error) { panic("oh") })
	}()
	l.wantSpan(workSpan, "reprise.attempt=2 reprise.key.digest=64 digits", codes.Error)
	l.wantSpan(requestSpan, "http.route=/orders reprise.attempt=2 "+decision+"panicked", codes.Error)
	l.engine.Refused(t.Context(), replay.Request{Route: "/orders", Dialect: "problem"}, "missing")
	l.wantSpan(requestSpan, "http.route=/orders reprise.dialect=problem reprise.outcome=missing", codes.Unset)
	l.redis.Close()
	l.engine.Do(t.Context(), order("c"), says("no"))
	l.wantSpan(requestSpan, "error.type=connection refused http.route=/orders "+decision+"unavailable", codes.Error)
}

// Without Links, without a tracer, and outside of any trace, nothing is kept; what is there is linked
// to all the same.
func TestWhatIsKeptOfATrace(t *testing.T) {
	l := newLab(t, Config{}, sdktrace.AlwaysSample())
	l.engine.Do(t.Context(), order("a"), says("done"))
	l.engine.Do(t.Context(), order("a"), says("no"))
	if links := l.span(requestSpan).Links(); len(links) > 0 {
		t.Errorf("links without Links: %v", links)
	}
	none, err := New(nil, nil, Config{Links: true})
	if err != nil {
		t.Fatal(err)
	}
	if tr := none.Replay(); tr.Origin != nil || tr.Started != nil || tr.Working != nil {
		t.Error("spans without a tracer")
	}
	if s := originOf(t.Context()); s != "" {
		t.Errorf("an origin of no trace: %q", s)
	}
	for _, s := range []string{"", "short", strings.Repeat("\x00", originLen), "\x01" + strings.Repeat("x", originLen-1), strings.Repeat("x", originLen+1)} {
		if parseOrigin(s).IsValid() {
			t.Errorf("%q is taken for a trace context", s)
		}
	}

	linked := newLab(t, Config{Links: true}, sdktrace.NeverSample())
	linked.engine.Do(t.Context(), order("a"), says("done"))
	if len(linked.spans.Ended()) > 0 {
		t.Error("spans of a request that isn't sampled")
	}
	l.redis.Set(linked.redis.Keys()[0], must(linked.redis.Get(linked.redis.Keys()[0])))
	l.engine.Do(t.Context(), order("a"), says("no"))
	links := l.span(requestSpan).Links()
	if len(links) != 1 || links[0].SpanContext.IsSampled() {
		t.Errorf("links %v, want one to a request that was not sampled", links)
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

func TestLeasesAreCounted(t *testing.T) {
	l := newLab(t, Config{}, sdktrace.NeverSample())
	tr := l.Lock()
	ctx := t.Context()
	for range 5 {
		tr.Granted(nil)
	}
	tr.Suspended(nil, lock.ErrUnavailable)
	tr.Suspended(nil, lock.ErrUnavailable)
	tr.Suspended(nil, lock.ErrUnavailable)
	tr.Resumed(nil)
	tr.Ended(nil, lock.Suspended, lock.Lost)
	tr.Ended(nil, lock.Live, lock.Ended)
	tr.Renewed(nil, nil)
	tr.Renewed(nil, lock.ErrLost)
	tr.Renewed(nil, &lock.UnconfirmedError{})
	tr.WaitBegan(ctx)
	tr.WaitBegan(ctx)
	tr.WaitEnded(ctx)
	tr.WaitRefused(ctx)
	tr.Failed(ctx, "commit", fmt.Errorf("%w: %w", lock.ErrUnavailable, context.DeadlineExceeded))
	l.wantPoints(map[string]float64{
		"reprise.lease.held{reprise.lease.state=live}":                                      2,
		"reprise.lease.held{reprise.lease.state=suspended}":                                 1,
		"reprise.lease.suspensions{}":                                                       3,
		"reprise.lease.lost{}":                                                              1,
		"reprise.lease.renewals{}":                                                          1,
		"reprise.lease.renewals{error.type=the key is free or another's}":                   1,
		"reprise.lease.renewals{error.type=too few replicas confirmed}":                     1,
		"reprise.lease.pending_requests{}":                                                  1,
		"reprise.lease.rejected_requests{}":                                                 1,
		"reprise.store.errors{error.type=no answer in time reprise.store.operation=commit}": 1,
	})
}

func TestCallsAreCounted(t *testing.T) {
	l := newLab(t, Config{}, sdktrace.AlwaysSample())
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 1 {
			w.Header().Set("Retry-After-Ms", "1")
			w.WriteHeader(503)
			return
		}
		w.Header().Set("Idempotency-Replayed", "true")
		w.WriteHeader(201)
	}))
	defer server.Close()
	client := &http.Client{Transport: &httpclient.Transport{Trace: l.Client(), Backoff: 1}}
	resp, err := client.Post(server.URL, "text/plain", strings.NewReader("order"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	l.wantPoints(map[string]float64{
		"reprise.client.tries{error.type=503 http.response.status_code=503}":                                         1,
		"reprise.client.tries{http.response.status_code=201 reprise.replayed=true}":                                  1,
		"reprise.client.call.duration{http.request.method=POST http.response.status_code=201 reprise.replayed=true}": 1,
	})
	address := strings.TrimPrefix(server.URL, "http://")
	l.wantSpan(callSpan, "http.request.method=POST http.response.status_code=201 reprise.client.tries=2 reprise.replayed=true server.address="+address, codes.Unset)
	server.Close()
	transport := client.Transport.(*httpclient.Transport)
	transport.MaxTries = 1
	if _, err := client.Post(server.URL, "text/plain", strings.NewReader("order")); err == nil {
		t.Fatal("an answer of a closed server")
	}
	l.wantPoints(map[string]float64{"reprise.client.tries{error.type=connection refused}": 1})
}

// Tenants are told only if they are asked for, and however many there are, the sets of attributes
// are bounded.
func TestTenants(t *testing.T) {
	l := newLab(t, Config{Tenant: func(scope string) string { return scope }}, sdktrace.NeverSample())
	for i := range maxSets + 100 {
		l.Replay().Finished(t.Context(), replay.Event{Outcome: replay.Stored, Route: "/orders", Dialect: "problem", Scope: strconv.Itoa(i)})
	}
	l.Replay().Finished(t.Context(), replay.Event{Outcome: replay.Stored, Route: "/shop.Orders/Create", Dialect: "grpc"})
	if n := len(*l.requests.sets.Load()); n > maxSets+2 {
		t.Errorf("%d sets are kept, want %d at most", n, maxSets)
	}
	for i := range maxSets + 100 {
		l.Client().Finished(t.Context(), httpclient.CallInfo{Method: strconv.Itoa(i), Status: 200})
	}
	l.Client().Try(t.Context(), httpclient.TryInfo{Status: 503})
	l.wantPoints(map[string]float64{
		"reprise.requests{" + of + "stored reprise.tenant=7}":                                                      1,
		"reprise.requests{http.route=_OTHER reprise.dialect=problem reprise.outcome=stored reprise.tenant=_OTHER}": 100,
		"reprise.requests{reprise.dialect=grpc reprise.outcome=stored rpc.method=_OTHER}":                          1,
		"reprise.client.tries{}": 1,
	})
}

// A program's own functions go beside those of telemetry.
func TestTracesAreTheCallersOwn(t *testing.T) {
	l := newLab(t, Config{}, sdktrace.NeverSample())
	l.Replay().Finished = nil
	if l.Replay().Finished == nil {
		t.Error("a change of one Trace is one of another")
	}
}

func TestFaultyMeter(t *testing.T) {
	_, err := New(faultyProvider{sdkmetric.NewMeterProvider()}, nil, Config{})
	if err == nil || !strings.Contains(err.Error(), "reprise.requests") || !errors.Is(err, errMeter) {
		t.Errorf("got %v", err)
	}
}

var errMeter = errors.New("no more instruments")

type faultyProvider struct{ metric.MeterProvider }

func (p faultyProvider) Meter(string, ...metric.MeterOption) metric.Meter {
	return faultyMeter{p.MeterProvider.Meter("")}
}

type faultyMeter struct{ metric.Meter }

func (faultyMeter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return noop.Int64Counter{}, errMeter
}
