// Package telemetry tells OpenTelemetry what reprise does: metrics, and spans for each decision and
// its work. It is wired in two lines:
//
//	t, err := telemetry.New(otel.GetMeterProvider(), otel.GetTracerProvider(), telemetry.Config{})
//	…
//	cfg.Trace, cfg.Lock.Trace = t.Replay(), t.Lock() // of a replay.Config, before replay.New
//
// A client has it by httpclient.Transport's field: Trace: t.Client(). One Telemetry serves any number
// of engines, lockers and transports, whose figures it adds up.
//
// No attribute of a metric has values that grow with traffic: no key ever, and no tenant unless
// Config.Tenant gives one. docs/telemetry.md has the table of metrics, attributes and spans.
//
// # What it costs
//
// A first request with all metrics, and a tracer that doesn't sample it, takes at most 5 allocations
// more than without, as TestAllocations holds. A request that is sampled pays for its spans, too.
// docs/telemetry.md has what was measured.
//
// # What belongs here
//
// This package owns names, units and attributes of OpenTelemetry. It must not decide anything: what
// there is to tell comes from the Trace structs of packages lock, replay and httpclient, which know
// no OpenTelemetry. It links the API alone; the SDK is its user's choice.
package telemetry
