package telemetry

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// The attributes. Those that OpenTelemetry's semantic conventions name have the names from there.
const (
	outcome       = attribute.Key("reprise.outcome")
	httpRoute     = attribute.Key("http.route")
	rpcMethod     = attribute.Key("rpc.method")
	otherRoute    = attribute.Key("reprise.route")
	dialect       = attribute.Key("reprise.dialect")
	tenant        = attribute.Key("reprise.tenant")
	shadow        = attribute.Key("reprise.shadow")
	effectName    = attribute.Key("reprise.effect.name")
	repeated      = attribute.Key("reprise.effect.repeated")
	leaseState    = attribute.Key("reprise.lease.state")
	operation     = attribute.Key("reprise.store.operation")
	errorType     = attribute.Key("error.type")
	requestMethod = attribute.Key("http.request.method")
	statusCode    = attribute.Key("http.response.status_code")
	replayed      = attribute.Key("reprise.replayed")

	// Of spans alone, because their values grow with traffic.
	keyDigest     = attribute.Key("reprise.key.digest")
	attempt       = attribute.Key("reprise.attempt")
	tries         = attribute.Key("reprise.client.tries")
	serverAddress = attribute.Key("server.address")
)

type kind string

const (
	counter       kind = "counter"
	upDownCounter kind = "up-down counter"
	histogram     kind = "histogram"
)

// A metricRow is a metric, as docs/telemetry.md has it.
type metricRow struct {
	name, unit string
	kind       kind
	attributes []attribute.Key
	meaning    string
}

var (
	ofRequests = []attribute.Key{outcome, httpRoute, rpcMethod, otherRoute, dialect, tenant, shadow}
	ofTries    = []attribute.Key{statusCode, outcome, replayed, errorType}
	ofCalls    = append([]attribute.Key{requestMethod}, ofTries...)
)

// metrics are all metrics. A row is made into an instrument by its name alone.
var metrics = []metricRow{
	{"reprise.requests", "{request}", counter, ofRequests, "Requests that have a key, and those that the adapter refuses before it asks Redis."},
	{"reprise.acquire.duration", "s", histogram, ofRequests, "Asking for the key, and waiting for it."},
	{"reprise.work.duration", "s", histogram, ofRequests, "The work, where it ran."},
	{"reprise.commit.duration", "s", histogram, ofRequests, "Storing the answer or giving the key up, where the work ran under a claim."},
	{"reprise.takeovers", "{request}", counter, ofRequests, "Requests that ran as attempt 2 or a later one: an earlier one failed or died."},
	{"reprise.vanished_claims", "{claim}", counter, ofRequests, "Claims that had gone from Redis by the time of the commit: eviction, a failover, a flush."},
	{"reprise.commit.failures", "{failure}", counter, []attribute.Key{errorType}, "Tries to store an answer that failed and were followed by another."},
	{"reprise.effects", "{effect}", counter, []attribute.Key{effectName, repeated}, "Effects of package effect, done, or found done by an earlier attempt."},
	{"reprise.lease.held", "{lease}", upDownCounter, []attribute.Key{leaseState}, "Leases held now."},
	{"reprise.lease.renewals", "{renewal}", counter, []attribute.Key{errorType}, "Renewals that came back; with error.type, those that did not extend the lease."},
	{"reprise.lease.suspensions", "{suspension}", counter, nil, "Leases whose renewal began to fail."},
	{"reprise.lease.lost", "{lease}", counter, nil, "Leases that ended before their work did."},
	{"reprise.lease.pending_requests", "{request}", upDownCounter, nil, "Requests that wait for another's lease now."},
	{"reprise.lease.rejected_requests", "{request}", counter, nil, "Requests that would have waited, had there not been too many."},
	{"reprise.store.errors", "{error}", counter, []attribute.Key{operation, errorType}, "Scripts that Redis did not answer or refused, or that too few replicas confirmed."},
	{"reprise.client.call.duration", "s", histogram, ofCalls, "Calls of httpclient, with all their tries and waits."},
	{"reprise.client.tries", "{try}", counter, ofTries, "Tries of httpclient."},
}

// buckets are the advice for every histogram, in seconds: from a round trip in a rack to a long wait.
var buckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// instruments are the metrics, by what is done with them.
type instruments struct {
	requests, takeovers, vanished, commitFailures, effects metric.Int64Counter
	acquire, work, commit                                  metric.Float64Histogram

	held, pending                                      metric.Int64UpDownCounter
	renewals, suspensions, lost, rejected, storeErrors metric.Int64Counter

	call  metric.Float64Histogram
	tries metric.Int64Counter
}

func newInstruments(meter metric.Meter) (all instruments, err error) {
	m := maker{meter: meter}
	all = instruments{
		requests:       m.counter("reprise.requests"),
		takeovers:      m.counter("reprise.takeovers"),
		vanished:       m.counter("reprise.vanished_claims"),
		commitFailures: m.counter("reprise.commit.failures"),
		effects:        m.counter("reprise.effects"),
		acquire:        m.histogram("reprise.acquire.duration"),
		work:           m.histogram("reprise.work.duration"),
		commit:         m.histogram("reprise.commit.duration"),
		held:           m.upDownCounter("reprise.lease.held"),
		pending:        m.upDownCounter("reprise.lease.pending_requests"),
		renewals:       m.counter("reprise.lease.renewals"),
		suspensions:    m.counter("reprise.lease.suspensions"),
		lost:           m.counter("reprise.lease.lost"),
		rejected:       m.counter("reprise.lease.rejected_requests"),
		storeErrors:    m.counter("reprise.store.errors"),
		call:           m.histogram("reprise.client.call.duration"),
		tries:          m.counter("reprise.client.tries"),
	}
	// Those without attributes are there from the start, so that the first event is an increase.
	ctx := context.Background()
	for _, c := range []metric.Int64Counter{all.suspensions, all.lost, all.rejected} {
		c.Add(ctx, 0)
	}
	all.pending.Add(ctx, 0)
	return all, errors.Join(m.faults...)
}

// A maker makes instruments of rows.
type maker struct {
	meter  metric.Meter
	faults []error
}

// row is the row of a name, which is one of the table.
func row(name string) metricRow {
	for _, r := range metrics {
		if r.name == name {
			return r
		}
	}
	panic("telemetry: no row of " + name)
}

func (m *maker) note(r metricRow, err error) {
	if err != nil {
		m.faults = append(m.faults, fmt.Errorf("telemetry: %s: %w", r.name, err))
	}
}

func (m *maker) counter(name string) metric.Int64Counter {
	r := row(name)
	i, err := m.meter.Int64Counter(name, metric.WithUnit(r.unit), metric.WithDescription(r.meaning))
	m.note(r, err)
	return i
}

func (m *maker) upDownCounter(name string) metric.Int64UpDownCounter {
	r := row(name)
	i, err := m.meter.Int64UpDownCounter(name, metric.WithUnit(r.unit), metric.WithDescription(r.meaning))
	m.note(r, err)
	return i
}

func (m *maker) histogram(name string) metric.Float64Histogram {
	r := row(name)
	i, err := m.meter.Float64Histogram(name, metric.WithUnit(r.unit), metric.WithDescription(r.meaning),
		metric.WithExplicitBucketBoundaries(buckets...))
	m.note(r, err)
	return i
}
