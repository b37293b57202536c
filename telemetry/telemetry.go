package telemetry

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// scope is the name of the instrumentation, for the meter and the tracer.
const scope = "github.com/reprise-go/reprise/telemetry"

// A Config says what telemetry tells beyond the default. The zero value is the default.
type Config struct {
	// Links keeps the trace context of the request in each record, 27 bytes, so that the span of a
	// replay links to the span of the request whose answer it is. Zero (false) keeps nothing, and links
	// from such records as there are. A release before the one that introduced this can't read a record
	// that has one: turn it on when all machines that share the keys have this release.
	Links bool

	// Tenant makes an attribute of a request's scope, reprise.tenant, of metrics and spans. Each value
	// multiplies the series of most metrics, so it should map scopes to a few: plans, or the largest
	// tenants and "other". Empty leaves the attribute out. Nil leaves it out always.
	Tenant func(scope string) string
}

// A Telemetry makes metrics and spans of what the Trace structs are told. It is safe for concurrent
// use and needs no closing.
type Telemetry struct {
	cfg         Config
	tracer      trace.Tracer // nil for none
	instruments instruments
	requests    cache[requestLabels]
	effects     cache[effectLabels]
	failures    cache[failureLabels]
	tries       cache[tryLabels]
	live        []metric.AddOption // attributes of leases in these states
	suspended   []metric.AddOption
}

// New makes a Telemetry. A nil meters makes no metrics, and a nil tracers no spans; it is best not to
// give a provider that discards everything, for nil costs nothing. The error is the meter's, for an
// instrument that it can't make.
func New(meters metric.MeterProvider, tracers trace.TracerProvider, cfg Config) (*Telemetry, error) {
	if meters == nil {
		meters = metricnoop.NewMeterProvider()
	}
	t := &Telemetry{
		cfg:       cfg,
		live:      adding(leaseState.String("live")),
		suspended: adding(leaseState.String("suspended")),
	}
	if _, discards := tracers.(tracenoop.TracerProvider); tracers != nil && !discards {
		t.tracer = tracers.Tracer(scope)
	}
	var err error
	if t.instruments, err = newInstruments(meters.Meter(scope)); err != nil {
		return nil, err
	}
	return t, nil
}

func adding(attributes ...attribute.KeyValue) []metric.AddOption {
	return []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attributes...))}
}
