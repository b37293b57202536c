package telemetry

import (
	"context"
	"syscall"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/reprise-go/reprise/lock"
	"github.com/reprise-go/reprise/replay"
)

func tracers(tb testing.TB, sampler sdktrace.Sampler) trace.TracerProvider {
	p := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithBatcher(tracetest.NewNoopExporter()))
	tb.Cleanup(func() { _ = p.Shutdown(context.Background()) })
	return p
}

func wired(tb testing.TB, tracers trace.TracerProvider, cfg Config) *Telemetry {
	tb.Helper()
	t, err := New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())), tracers, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// costs are what a first request is measured with.
var costs = []struct {
	name string
	wire func(testing.TB) *Telemetry
	most float64 // allocations beyond those without telemetry
}{
	{"none", func(testing.TB) *Telemetry { return nil }, 0},
	{"metrics", func(tb testing.TB) *Telemetry { return wired(tb, nil, Config{}) }, 0},
	{"metrics, a tracer that doesn't sample", func(tb testing.TB) *Telemetry {
		return wired(tb, tracers(tb, sdktrace.NeverSample()), Config{})
	}, 5},
	{"the same, with links", func(tb testing.TB) *Telemetry {
		return wired(tb, tracers(tb, sdktrace.NeverSample()), Config{Links: true})
	}, 5},
	{"metrics, a tracer that samples", func(tb testing.TB) *Telemetry {
		return wired(tb, tracers(tb, sdktrace.AlwaysSample()), Config{})
	}, 25},
}

var raceDetector bool

// Telemetry has its price in allocations: at most 5 for a request that isn't sampled.
func TestAllocations(t *testing.T) {
	var bare, slack float64
	if raceDetector {
		slack = 2 // it empties pools at random
	}
	for _, c := range costs {
		engine := staged(t, c.wire(t))
		run(t, engine) // what is made once
		got := fewestAllocs(func() { run(t, engine) })
		if c.name == "none" {
			bare = got
		}
		t.Logf("%s: %v allocations, %v more than without", c.name, got, got-bare)
		if most := c.most + slack; got-bare > most {
			t.Errorf("%s: %v allocations more than without, want at most %v", c.name, got-bare, most)
		}
	}
}

// fewestAllocs returns the fewest allocations of f, on average, in several series. More come of the
// collector, which empties pools, and of goroutines that an earlier test has left.
func fewestAllocs(f func()) float64 {
	fewest := testing.AllocsPerRun(200, f)
	for range 9 {
		fewest = min(fewest, testing.AllocsPerRun(200, f))
	}
	return fewest
}

// BenchmarkTelemetry is its own part of a first request: what the engine calls, in its order. What
// the processor takes is told apart from ns/op, which counts its other work, too, where it is busy.
func BenchmarkTelemetry(b *testing.B) {
	for _, c := range costs[1:] {
		b.Run(c.name, func(b *testing.B) {
			t := c.wire(b)
			of, leases := t.Replay(), t.Lock()
			started, working, worked, origin := of.Started, of.Working, of.Worked, of.Origin
			e := replay.Event{Key: "reprise:0123", Route: "/orders", Dialect: "problem", Attempt: 1,
				Acquire: time.Millisecond, Work: time.Millisecond, Commit: time.Millisecond}
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				ctx := context.Background()
				if started != nil {
					ctx = started(ctx, e)
				}
				leases.Granted(nil)
				if working != nil {
					worked(working(ctx, e), e)
				}
				if origin != nil {
					_ = origin(ctx)
				}
				leases.Ended(nil, lock.Live, lock.Ended)
				e.Outcome = replay.Stored
				of.Finished(ctx, e)
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// processorTime is what this process has taken of processors, in ns.
func processorTime(tb testing.TB) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkRequest is all of a first request but the network and Redis.
func BenchmarkRequest(b *testing.B) {
	for _, c := range costs {
		b.Run(c.name, func(b *testing.B) {
			engine := staged(b, c.wire(b))
			b.ReportAllocs()
			for b.Loop() {
				run(b, engine)
			}
		})
	}
}
