// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/internal/sharedinstance"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/delivery"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
)

// NewFactory creates the factory of the sentry exporter.
func NewFactory() exporter.Factory {
	f := &factory{}
	return exporter.NewFactory(
		metadata.Type,
		createDefaultConfig,
		exporter.WithTraces(f.createTraces, metadata.TracesStability),
		exporter.WithLogs(f.createLogs, metadata.LogsStability),
	)
}

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 30 * time.Second
	client.Compression = configcompression.TypeGzip
	// More than the consumers of one queue, so that each keeps its connection.
	client.Keepalive.Get().MaxIdleConnsPerHost = 20
	return &Config{
		SampleRate:       1,
		TracesSampleRate: 1,
		RootWait:         time.Minute,
		RootWaitMiB:      64,
		IgnoreErrors:     difysemconv.ExpectedErrors(),
		MaxAge:           24 * time.Hour,
		RunWindow:        30 * time.Second,
		Logs:             LogsConfig{MinSeverity: "error"},
		ClientReports:    true,
		ClientConfig:     client,
		QueueConfig:      configoptional.Some(exporterhelper.NewDefaultQueueConfig()),
		RetryConfig:      configretry.NewDefaultBackOffConfig(),
	}
}

// factory shares state between the traces and the logs instance of one exporter, which have the same *Config.
type factory struct {
	shared sharedinstance.Map[*Config, *sharedState]
}

// acquire returns the shared state of a configuration, with one more reference to it.
func (f *factory) acquire(ctx context.Context, set exporter.Settings, cfg *Config) (*sharedState, error) {
	return f.shared.Acquire(cfg, func() (*sharedState, error) {
		telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
		if err != nil {
			return nil, err
		}
		s, err := newSharedState(ctx, set, cfg, telemetry)
		if err != nil {
			return nil, err
		}
		s.release = func() bool { return f.shared.Release(cfg) }
		return s, nil
	})
}

func (f *factory) createTraces(
	ctx context.Context,
	set exporter.Settings,
	cfg component.Config,
) (exporter.Traces, error) {
	return f.create(ctx, set, cfg.(*Config), delivery.KindTransactions, openTracesQueue)
}

func (f *factory) createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	return f.create(ctx, set, cfg.(*Config), delivery.KindLogs, openLogsQueue)
}

// instance serves either signal; the pipelines decide which.
type instance interface {
	exporter.Traces
	exporter.Logs
}

func (f *factory) create(
	ctx context.Context, set exporter.Settings, cfg *Config, kind string, open func(*Config) delivery.OpenFunc,
) (instance, error) {
	if cfg.disabled() {
		return &disabledExporter{logger: set.Logger}, nil
	}
	s, err := f.acquire(ctx, set, cfg)
	if err != nil {
		return nil, err
	}
	q, err := s.newQueues(ctx, set, kind, open)
	if err != nil {
		return nil, err
	}
	return newExporter(s, q), nil
}
