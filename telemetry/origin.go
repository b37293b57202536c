package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// An origin is the trace context of a request as a record has it: version, trace ID, span ID and
// flags, as in W3C's traceparent (www.w3.org/TR/trace-context), in bytes.
const (
	originVersion = 0
	originLen     = 1 + 16 + 8 + 1
)

// originOf is for Trace.Origin. A request without a trace has none.
func originOf(ctx context.Context) string {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return ""
	}
	id, spanID := span.TraceID(), span.SpanID()
	b := append(make([]byte, 0, originLen), originVersion)
	b = append(append(b, id[:]...), spanID[:]...)
	return string(append(b, byte(span.TraceFlags())))
}

// parseOrigin returns the span that an origin names. Of another version, another length or another
// tracer's making, it is none.
func parseOrigin(s string) trace.SpanContext {
	if len(s) != originLen || s[0] != originVersion {
		return trace.SpanContext{}
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID([]byte(s[1:17])),
		SpanID:     trace.SpanID([]byte(s[17:25])),
		TraceFlags: trace.TraceFlags(s[25]),
		Remote:     true,
	})
}
