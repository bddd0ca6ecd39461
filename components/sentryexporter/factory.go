// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"

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
