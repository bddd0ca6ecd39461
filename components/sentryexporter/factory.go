// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
)

// NewFactory creates the factory of the sentry exporter.
func NewFactory() exporter.Factory {
	f := &factory{shared: map[*Config]*sharedEntry{}}
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
	client.Keepalive.Get().MaxIdleConnsPerHost = 20 // more than the consumers of one queue, so that each keeps its connection
	return &Config{
		SampleRate:       1,
		TracesSampleRate: 1,
		RootWait:         time.Minute,
		RootWaitMiB:      64,
		IgnoreErrors:     defaultIgnoreErrors(),
		MaxAge:           24 * time.Hour,
		RunWindow:        30 * time.Second,
		Logs:             LogsConfig{MinSeverity: "error"},
		ClientReports:    true,
		ClientConfig:     client,
		QueueConfig:      configoptional.Some(exporterhelper.NewDefaultQueueConfig()),
		RetryConfig:      configretry.NewDefaultBackOffConfig(),
	}
}

// factory shares a hub between the traces and the logs instance of one exporter, which get the same *Config.
type factory struct {
	mu     sync.Mutex
	shared map[*Config]*sharedEntry // guarded by mu
}

type sharedEntry struct {
	*sharedState
	refs int
}

// hub of a configuration, with one more reference to it.
func (f *factory) acquire(ctx context.Context, set exporter.Settings, cfg *Config) (*sharedState, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if shared, ok := f.shared[cfg]; ok {
		shared.refs++
		return shared.sharedState, nil
	}
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	h, err := newSharedState(ctx, set, cfg, telemetry)
	if err != nil {
		return nil, err
	}
	h.release = func() bool { return f.unref(cfg) }
	f.shared[cfg] = &sharedEntry{sharedState: h, refs: 1}
	return h, nil
}

func (f *factory) unref(cfg *Config) (last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	shared := f.shared[cfg]
	shared.refs--
	if shared.refs > 0 {
		return false
	}
	delete(f.shared, cfg)
	return true
}

func (f *factory) createTraces(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
	return f.create(ctx, set, cfg, kindTransactions, newTracesQueue)
}

func (f *factory) createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	return f.create(ctx, set, cfg, kindLogs, newLogsQueue)
}

// instance serves either signal; the pipelines decide which.
type instance interface {
	exporter.Traces
	exporter.Logs
}

func (f *factory) create(ctx context.Context, set exporter.Settings, cfg component.Config, kind string, newQueue newQueueFunc) (instance, error) {
	c := cfg.(*Config)
	if c.off() {
		return &offExporter{logger: set.Logger}, nil
	}
	h, err := f.acquire(ctx, set, c)
	if err != nil {
		return nil, err
	}
	q, err := newQueues(ctx, set, h, kind, newQueue)
	if err != nil {
		return nil, err
	}
	return newExporter(h, q), nil
}
