// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package exporter tests the opensearch_bulk extension in the HTTP client of the stock OpenSearch exporter, which is
// adapted to the collector's version at build time.
package exporter

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/opensearchexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension"
)

const (
	timeout = 30 * time.Second
	tick    = time.Millisecond
)

var (
	storageID = component.MustNewID("test_storage")
	bulkID    = component.MustNewID("opensearch_bulk")
)

type host struct {
	extensions map[component.ID]component.Component
}

func (h *host) GetExtensions() map[component.ID]component.Component { return h.extensions }

// newHost has a real file storage of its own.
func newHost(t *testing.T) *host {
	t.Helper()
	factory := filestorage.NewFactory()
	cfg := factory.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory = t.TempDir()
	ext, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	return &host{map[component.ID]component.Component{storageID: ext}}
}

// bulk is the extension with what it reports about itself.
type bulk struct {
	extension.Extension
	host *host
	tel  *componenttest.Telemetry
	logs *observer.ObservedLogs
}

// startBulk starts an extension with short pauses.
func startBulk(t *testing.T, h *host, more map[string]any) *bulk {
	t.Helper()
	factory := opensearchbulkextension.NewFactory()
	cfg := factory.CreateDefaultConfig()
	conf := confmap.NewFromStringMap(map[string]any{
		"storage":         storageID.String(),
		"attempt_timeout": "10s",
		"retry":           map[string]any{"initial_interval": "10ms", "max_interval": "20ms"},
		"setup":           map[string]any{"retention_days": 18250}, // the documents have fixed days
	})
	require.NoError(t, conf.Merge(confmap.NewFromStringMap(more)))
	require.NoError(t, conf.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))

	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	core, logs := observer.New(zap.DebugLevel)
	set := extension.Settings{ID: bulkID, TelemetrySettings: tel.NewTelemetrySettings()}
	set.Logger = zap.New(core)
	ext, err := factory.Create(t.Context(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), h))
	t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	h.extensions[bulkID] = ext
	return &bulk{ext, h, tel, logs}
}

// release is what the collector does before it stops its pipelines.
func (b *bulk) release(t *testing.T) {
	t.Helper()
	require.NoError(t, b.Extension.(extensioncapabilities.PipelineWatcher).NotReady())
}

// stored returns how many documents are in the extension's storage.
func (b *bulk) stored(t *testing.T) int64 {
	t.Helper()
	metric, err := b.tel.GetMetric("otelcol_opensearch_bulk_stored_items")
	require.NoError(t, err)
	return metric.Data.(metricdata.Sum[int64]).DataPoints[0].Value
}

// assertNothingFailed checks the exporter's own counters.
func (b *bulk) assertNothingFailed(t *testing.T) {
	t.Helper()
	for _, name := range []string{"otelcol_exporter_send_failed_log_records", "otelcol_exporter_send_failed_spans"} {
		metric, err := b.tel.GetMetric(name)
		if err != nil {
			continue // never counted
		}
		for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
			assert.Zero(t, point.Value, name)
		}
	}
}

// exporterConfig is the exporter's part of the shipped configuration, for a test's own server and storage.
func exporterConfig(t *testing.T, endpoint string, more map[string]any) component.Config {
	t.Helper()
	conf := confmap.NewFromStringMap(map[string]any{
		"http": map[string]any{
			"endpoint":    endpoint,
			"timeout":     0,
			"middlewares": []any{map[string]any{"id": bulkID.String()}},
		},
		"timeout":          0,
		"logs_index":       "workflow-logs-{dify.tenant_id}",
		"traces_index":     "dify-traces",
		"retry_on_failure": map[string]any{"max_elapsed_time": 0},
		"sending_queue": map[string]any{
			"enabled": true, "storage": storageID.String(), "num_consumers": 4, "queue_size": 1000,
		},
	})
	require.NoError(t, conf.Merge(confmap.NewFromStringMap(more)))
	return load(t, conf)
}

func load(t *testing.T, conf *confmap.Conf) component.Config {
	t.Helper()
	cfg := opensearchexporter.NewFactory().CreateDefaultConfig()
	require.NoError(t, conf.Unmarshal(cfg))
	return cfg
}

func (b *bulk) exporterSettings() exporter.Settings {
	set := exportertest.NewNopSettings(opensearchexporter.NewFactory().Type())
	set.ID = component.NewID(set.ID.Type()) // the same after a restart, so that the queue finds its file
	set.TelemetrySettings = b.tel.NewTelemetrySettings()
	return set
}

func (b *bulk) startExporters(t *testing.T, cfg component.Config) (exporter.Logs, exporter.Traces) {
	t.Helper()
	factory := opensearchexporter.NewFactory()
	logs, err := factory.CreateLogs(t.Context(), b.exporterSettings(), cfg)
	require.NoError(t, err)
	require.NoError(t, logs.Start(t.Context(), b.host))
	traces, err := factory.CreateTraces(t.Context(), b.exporterSettings(), cfg)
	require.NoError(t, err)
	require.NoError(t, traces.Start(t.Context(), b.host))
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return logs, traces
}
