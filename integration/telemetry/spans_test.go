package telemetry_test

import (
	"slices"
	"testing"

	"github.com/alicebob/miniredis/v2"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/reprise-go/reprise/telemetry"
)

// A retry on another machine links to the request whose answer it is, by HTTP as by gRPC.
func TestRetryLinksToItsOriginal(t *testing.T) {
	shared := miniredis.RunT(t)
	a, b := newMachine(t, shared, telemetry.Config{Links: true}), newMachine(t, shared, telemetry.Config{Links: true})
	last := func(m *machine, name string) sdktrace.ReadOnlySpan {
		t.Helper()
		for _, s := range slices.Backward(m.spans.Ended()) {
			if s.Name() == name {
				return s
			}
		}
		t.Fatalf("no span %s", name)
		return nil
	}
	linked := func() {
		t.Helper()
		original, retry := last(a, "reprise.request"), last(b, "reprise.request")
		if links := retry.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != original.SpanContext().SpanID() ||
			links[0].SpanContext.TraceID() != original.SpanContext().TraceID() {
			t.Errorf("the retry's links are %v, want one to %v", links, original.SpanContext())
		}
		if work := last(a, "reprise.work"); work.Parent().SpanID() != original.SpanContext().SpanID() {
			t.Error("the work is not within its request")
		}
	}
	if status, replayed := a.post(t, "k", "order"); status != 201 || replayed {
		t.Fatal(status, replayed)
	}
	if status, replayed := b.post(t, "k", "order"); status != 201 || !replayed {
		t.Fatal(status, replayed)
	}
	linked()
	a.call(t, "c")
	b.call(t, "c")
	linked()
}
