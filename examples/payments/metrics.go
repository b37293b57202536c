package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/reprise-go/reprise/telemetry"
)

// metrics are what Prometheus reads at -metrics, at /metrics.
type metrics struct {
	*telemetry.Telemetry
	listener net.Listener
	server   *http.Server
}

// newMetrics returns nil if addr is empty.
func newMetrics(addr string, log *slog.Logger) (*metrics, error) {
	if addr == "" {
		return nil, nil
	}
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return nil, fmt.Errorf("-metrics: %w", err)
	}
	told, err := telemetry.New(sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)), nil, telemetry.Config{})
	if err != nil {
		return nil, fmt.Errorf("-metrics: %w", err)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("-metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	m := &metrics{told, listener, &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelError),
	}}
	go func() {
		if err := m.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are served no more", "err", err)
		}
	}()
	return m, nil
}

func (m *metrics) close() {
	if m != nil {
		_ = m.server.Shutdown(context.Background())
	}
}
