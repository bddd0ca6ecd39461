// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"bufio"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
)

// harness runs the exporter as the collector does, with both signals, against a server.
type harness struct {
	traces    *sentryExporter
	logs      *sentryExporter
	telemetry *componenttest.Telemetry
	messages  *observer.ObservedLogs
}

const testVersion = "1.2.3"

// testSettings have the id that the exporter has in a configuration: stored state belongs to it.
func testSettings() exporter.Settings {
	set := exportertest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	set.BuildInfo.Version = testVersion
	return set
}

func newObserver() (zapcore.Core, *observer.ObservedLogs) { return observer.New(zap.DebugLevel) }

type hostWith map[component.ID]component.Component

func (h hostWith) GetExtensions() map[component.ID]component.Component { return h }

func testConfig(dsn string) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.DSN = configopaque.String(dsn)
	cfg.RetryConfig.InitialInterval = 5 * time.Millisecond
	cfg.RetryConfig.MaxInterval = 20 * time.Millisecond
	return cfg
}

func startHarness(t *testing.T, cfg *Config, host component.Host, now func() time.Time) *harness {
	t.Helper()
	h := &harness{telemetry: componenttest.NewTelemetry()}
	core, messages := newObserver()
	h.messages = messages
	set := testSettings()
	set.TelemetrySettings = h.telemetry.NewTelemetrySettings()
	set.Logger = zap.New(core)
	factory := NewFactory()
	traces, err := factory.CreateTraces(t.Context(), set, cfg)
	require.NoError(t, err)
	logs, err := factory.CreateLogs(t.Context(), set, cfg)
	require.NoError(t, err)
	h.traces, h.logs = traces.(*sentryExporter), logs.(*sentryExporter)
	require.Same(t, h.traces.shared, h.logs.shared)
	if now != nil {
		h.traces.shared.now = now
	}
	require.NoError(t, h.traces.Start(t.Context(), host))
	require.NoError(t, h.logs.Start(t.Context(), host))
	t.Cleanup(func() { h.stop(t) })
	return h
}

// stop ends it; more than once does nothing.
func (h *harness) stop(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	if ctx.Err() != nil { // in a cleanup
		ctx = context.Background()
	}
	require.NoError(t, h.traces.Shutdown(ctx))
	require.NoError(t, h.logs.Shutdown(ctx))
}

// discarded and sent are the exporter's own metrics, without zeros.
func (h *harness) discarded(t *testing.T) map[string]int64 {
	t.Helper()
	return h.sums(t, "otelcol_exporter_sentry_discarded", "reason", "category")
}

func (h *harness) sent(t *testing.T) map[string]int64 {
	t.Helper()
	return h.sums(t, "otelcol_exporter_sentry_sent", "category")
}

func (h *harness) sums(t *testing.T, name string, keys ...attribute.Key) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	metric, err := h.telemetry.GetMetric(name)
	if err != nil { // nothing counted yet
		return out
	}
	for _, p := range metric.Data.(metricdata.Sum[int64]).DataPoints {
		if p.Value == 0 {
			continue // losses are counted from zero
		}
		var label []string
		for _, key := range keys {
			v, _ := p.Attributes.Value(key)
			label = append(label, v.AsString())
		}
		out[strings.Join(label, " ")] += p.Value
	}
	return out
}

// readTraces reads a file of OTLP requests as JSON, one a line.
func readTraces(tb testing.TB, path string) []ptrace.Traces {
	tb.Helper()
	f, err := os.Open(filepath.Clean(path))
	require.NoError(tb, err)
	defer f.Close()
	gz, err := gzip.NewReader(f)
	require.NoError(tb, err)
	var out []ptrace.Traces
	lines := bufio.NewScanner(gz)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(lines.Bytes())
		require.NoError(tb, err)
		out = append(out, td)
	}
	require.NoError(tb, lines.Err())
	return out
}
