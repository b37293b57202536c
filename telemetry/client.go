package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	words "github.com/reprise-go/reprise/dialect"
	"github.com/reprise-go/reprise/httpclient"
	"github.com/reprise-go/reprise/internal/fault"
)

// Client returns a Trace for an httpclient.Transport. It is the caller's own, to add to.
func (t *Telemetry) Client() *httpclient.Trace {
	tr := &httpclient.Trace{
		Try: func(ctx context.Context, i httpclient.TryInfo) {
			l := tryLabels{outcome: outcomeOf(i.Outcome), failure: failureOf(i.Err), status: i.Status, replayed: i.Replayed}
			t.instruments.tries.Add(ctx, 1, t.tries.of(l).add...)
		},
		Finished: func(ctx context.Context, i httpclient.CallInfo) {
			l := tryLabels{method: i.Method, outcome: outcomeOf(i.Outcome), failure: failureOf(i.Err), status: i.Status, replayed: i.Replayed}
			s := t.tries.of(l)
			t.instruments.call.Record(ctx, i.Took.Seconds(), s.record...)
			if t.tracer != nil {
				endCall(trace.SpanFromContext(ctx), s, i)
			}
		},
	}
	if t.tracer != nil {
		tr.Started = func(ctx context.Context, i httpclient.CallInfo) context.Context {
			ctx, _ = t.tracer.Start(ctx, callSpan)
			return ctx
		}
	}
	return tr
}

// outcomeOf is the word of an error about the key, or empty.
func outcomeOf(o words.Outcome) string {
	if o == 0 {
		return ""
	}
	return o.String()
}

// failureOf names why there is no answer, by the words for the way to Redis: it is a network, too.
func failureOf(err error) string {
	if err == nil {
		return ""
	}
	return fault.Cause(err)
}

func endCall(span trace.Span, s *set, i httpclient.CallInfo) {
	if span.IsRecording() {
		span.SetAttributes(s.attributes...)
		span.SetAttributes(serverAddress.String(i.Host), tries.Int(i.Tries))
		if i.Err != nil || i.Status >= 400 {
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}
