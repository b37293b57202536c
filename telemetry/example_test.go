package telemetry_test

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/reprise-go/reprise/replay"
	"github.com/reprise-go/reprise/telemetry"
)

// A program has a meter provider with an exporter, and gives the two Traces to its engines. Here a
// reader takes an exporter's place, and an event an engine's.
func Example() {
	reader := metric.NewManualReader()
	t, err := telemetry.New(metric.NewMeterProvider(metric.WithReader(reader)), nil, telemetry.Config{})
	if err != nil {
		panic(err)
	}
	var cfg replay.Config
	cfg.Trace, cfg.Lock.Trace = t.Replay(), t.Lock() // and replay.New with it

	cfg.Trace.Finished(context.Background(), replay.Event{Outcome: replay.Stored, Route: "/payments", Dialect: "problem"})

	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		panic(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if m.Name == "reprise.requests" {
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				fmt.Println(p.Value, strings.ReplaceAll(p.Attributes.Encoded(attribute.DefaultEncoder()), ",", " "))
			}
		}
	}
	// Output: 1 http.route=/payments reprise.dialect=problem reprise.outcome=stored
}
