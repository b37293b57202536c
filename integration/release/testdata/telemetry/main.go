// A program of somebody who imports telemetry: two requests under one key, counted.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/reprise-go/reprise/replay"
	"github.com/reprise-go/reprise/telemetry"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	redisServer, err := miniredis.Run()
	if err != nil {
		return err
	}
	defer redisServer.Close()
	redisClient := redis.NewClient(&redis.Options{
		Addr: redisServer.Addr(), ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer redisClient.Close()

	reader := sdkmetric.NewManualReader()
	t, err := telemetry.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), nil, telemetry.Config{})
	if err != nil {
		return err
	}
	var cfg replay.Config
	cfg.Trace, cfg.Lock.Trace = t.Replay(), t.Lock()
	engine, err := replay.New(redisClient, cfg)
	if err != nil {
		return err
	}
	for range 2 {
		_, _, err := replay.Do(ctx, engine, replay.Request{Key: "order", Route: "orders"}, func(context.Context) (string, error) {
			return "done", nil
		})
		if err != nil {
			return err
		}
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		return err
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if m.Name != "reprise.requests" {
			continue
		}
		for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
			outcome, _ := p.Attributes.Value("reprise.outcome")
			fmt.Println("telemetry counted", p.Value, outcome.AsString())
		}
	}
	return nil
}
