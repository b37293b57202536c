package telemetry

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/reprise-go/reprise/replay"
)

// Labels are the attributes of a measurement, as a map's key.
type labels[L any] interface {
	comparable
	attributes() []attribute.KeyValue

	// other are the labels under which is counted what comes beyond maxSets: without what there can
	// be many of.
	other() L
}

// maxSets bounds the sets of attributes of each kind, whatever routes and tenants a program tells.
// OpenTelemetry's SDK allows a metric 1,999 of them: the rest is room for those with beyond.
const maxSets = 1500

// beyond is the value of attributes that there are too many of, as in the semantic conventions.
const beyond = "_OTHER"

// A cache has the sets of attributes that have been used, so that a measurement makes none. Reading
// takes no lock: a map is never written to once others see it.
type cache[L labels[L]] struct {
	sets atomic.Pointer[map[L]*set]
	mu   sync.Mutex
}

// A set is a set of attributes, as options of a measurement.
type set struct {
	attributes []attribute.KeyValue
	add        []metric.AddOption
	record     []metric.RecordOption
}

func (c *cache[L]) of(l L) *set {
	if known := c.sets.Load(); known != nil {
		if s := (*known)[l]; s != nil {
			return s
		}
	}
	return c.make(l)
}

func (c *cache[L]) make(l L) *set {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.sets.Load()
	if known == nil {
		known = &map[L]*set{}
	}
	if s := (*known)[l]; s != nil {
		return s
	}
	if len(*known) >= maxSets {
		l = l.other()
		if s := (*known)[l]; s != nil {
			return s
		}
	}
	attributes := l.attributes()
	option := metric.WithAttributeSet(attribute.NewSet(attributes...))
	s := &set{attributes, []metric.AddOption{option}, []metric.RecordOption{option}}
	more := maps.Clone(*known)
	more[l] = s
	c.sets.Store(&more)
	return s
}

// requestLabels are those of a request.
type requestLabels struct {
	outcome                replay.Outcome
	route, dialect, tenant string
	shadow                 bool
}

func (l requestLabels) other() requestLabels {
	l.route, l.tenant = or(l.route), or(l.tenant)
	return l
}

// or keeps an attribute in, without its value.
func or(value string) string {
	if value == "" {
		return ""
	}
	return beyond
}

// The dialect says what kind of route it is: grpcadapter's is "grpc", jobs have none.
func (l requestLabels) attributes() []attribute.KeyValue {
	route := httpRoute
	switch l.dialect {
	case "grpc":
		route = rpcMethod
	case "":
		route = otherRoute
	}
	all := make([]attribute.KeyValue, 0, 5)
	all = appendString(all, outcome, string(l.outcome))
	all = appendString(all, route, l.route)
	all = appendString(all, dialect, l.dialect)
	all = appendString(all, tenant, l.tenant)
	if l.shadow {
		all = append(all, shadow.Bool(true))
	}
	return all
}

func appendString(all []attribute.KeyValue, key attribute.Key, value string) []attribute.KeyValue {
	if value == "" {
		return all
	}
	return append(all, key.String(value))
}

type effectLabels struct{ replay.Effect }

func (l effectLabels) other() effectLabels {
	l.Name = beyond
	return l
}

func (l effectLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{effectName.String(l.Name), repeated.Bool(l.Repeated)}
}

// failureLabels are those of what has failed in Redis, or has not, without a cause.
type failureLabels struct{ operation, cause string }

func (l failureLabels) other() failureLabels { return failureLabels{l.operation, or(l.cause)} }

func (l failureLabels) attributes() []attribute.KeyValue {
	return appendString(appendString(nil, operation, l.operation), errorType, l.cause)
}

// tryLabels are those of a try of httpclient, or of a call.
type tryLabels struct {
	method, outcome, failure string
	status                   int
	replayed                 bool
}

func (l tryLabels) other() tryLabels {
	l.method, l.status = or(l.method), 0
	return l
}

func (l tryLabels) attributes() []attribute.KeyValue {
	all := appendString(nil, requestMethod, l.method)
	all = appendString(all, outcome, l.outcome)
	all = appendString(all, errorType, l.failure)
	if l.status > 0 {
		all = append(all, statusCode.Int(l.status))
		if l.status >= 400 && l.failure == "" {
			all = append(all, errorType.String(strconv.Itoa(l.status))) // as the conventions have it
		}
	}
	if l.replayed {
		all = append(all, replayed.Bool(true))
	}
	return all
}
