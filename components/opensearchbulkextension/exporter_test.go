// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/opensearchexporter"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// stockConfig is the exporter's part of the shipped configuration.
func stockConfig(t *testing.T, endpoint string, more map[string]any) component.Config {
	t.Helper()
	factory := opensearchexporter.NewFactory()
	cfg := factory.CreateDefaultConfig()
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
		"sending_queue":    map[string]any{"enabled": true, "storage": storageID.String(), "num_consumers": 4, "queue_size": 1000},
	})
	require.NoError(t, conf.Merge(confmap.NewFromStringMap(more)))
	require.NoError(t, conf.Unmarshal(cfg))
	return cfg
}

func stockLogs(tenant string, from, to int) plog.Logs {
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := from; i < to; i++ {
		record := records.AppendEmpty()
		record.Body().SetStr("a run has ended")
		record.SetTimestamp(pcommon.NewTimestampFromTime(time.Date(2026, 11, 23+i%2, 12, 0, 0, i, time.UTC)))
		record.Attributes().PutStr("dify.tenant_id", tenant)
		record.Attributes().PutStr("log.record.uid", strconv.Itoa(i))
	}
	return logs
}

func stockTraces(from, to int) ptrace.Traces {
	traces := ptrace.NewTraces()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := from; i < to; i++ {
		span := spans.AppendEmpty()
		span.SetName("GET /console/api/apps")
		span.SetTraceID(pcommon.TraceID{1, byte(i)})
		span.SetSpanID(pcommon.SpanID{2, byte(i)})
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Date(2026, 11, 23, 12, 0, 0, i, time.UTC)))
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Date(2026, 11, 23, 12, 0, 1, 0, time.UTC)))
	}
	return traces
}

func exporterSettings(r *rig) exporter.Settings {
	set := exportertest.NewNopSettings(opensearchexporter.NewFactory().Type())
	set.ID = component.NewID(set.ID.Type()) // the same after a restart, so that the queue finds its file
	set.TelemetrySettings = r.tel.NewTelemetrySettings()
	return set
}

// TestStockExporterLosesNothing drives the real exporter with its persistent queue through an outage and a stop in the
// middle of it.
func TestStockExporterLosesNothing(t *testing.T) {
	node := newFakeNode(t)
	for range 30 {
		node.faults = append(node.faults, reset(false), status(http.StatusServiceUnavailable, ""), status(http.StatusTooManyRequests, ""), reset(true),
			some(http.StatusTooManyRequests, "rejected_execution_exception", func(i int) bool { return i%4 == 1 }))
	}
	host := newTestHost(t)
	const batches, each = 12, 10
	var want []string

	// The first run stops while OpenSearch is away.
	r := start(t, testConfig(), host)
	logs, traces := startExporters(t, r, stockConfig(t, node.URL, nil))
	for i := range batches {
		tenant := fmt.Sprintf("tenant-%d", i%3)
		require.NoError(t, logs.ConsumeLogs(t.Context(), stockLogs(tenant, i*each, (i+1)*each)))
		require.NoError(t, traces.ConsumeTraces(t.Context(), stockTraces(i*each, (i+1)*each)))
		for n := i * each; n < (i+1)*each; n++ {
			want = append(want,
				fmt.Sprintf("workflow-logs-%s-2026.11.%d/%d", tenant, 23+n%2, n),
				fmt.Sprintf("dify-traces-2026.11.23/01%02x%028d-02%02x%012d", n, 0, n, 0))
		}
	}
	require.Eventually(t, func() bool { return node.requests() > 20 }, testTime, testTick)
	stopping := time.Now()
	require.NoError(t, r.NotReady())
	require.NoError(t, logs.Shutdown(t.Context()))
	require.NoError(t, traces.Shutdown(t.Context()))
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Less(t, time.Since(stopping), 5*time.Second)
	assertNothingFailed(t, r)

	// The second goes on where the first was.
	cfg := testConfig()
	cfg.HTTP.Endpoint = node.URL
	next := start(t, cfg, host)
	logs, traces = startExporters(t, next, stockConfig(t, node.URL, nil))
	require.Eventually(t, func() bool { return node.count() == len(want) && len(next.courier.store.entries()) == 0 }, 30*time.Second, testTick)
	require.NoError(t, next.NotReady())
	require.NoError(t, logs.Shutdown(t.Context()))
	require.NoError(t, traces.Shutdown(t.Context()))
	node.once(t, want...)
	assertNothingFailed(t, next)
	assert.Contains(t, node.doc(t, "dify-traces-2026.11.23", fmt.Sprintf("01%02x%028d-02%02x%012d", 7, 0, 7, 0)), `"@timestamp":"2026-11-23T12:00:00.000000007Z"`)
}

func startExporters(t *testing.T, r *rig, cfg component.Config) (exporter.Logs, exporter.Traces) {
	t.Helper()
	factory := opensearchexporter.NewFactory()
	logs, err := factory.CreateLogs(t.Context(), exporterSettings(r), cfg)
	require.NoError(t, err)
	require.NoError(t, logs.Start(t.Context(), r.host))
	traces, err := factory.CreateTraces(t.Context(), exporterSettings(r), cfg)
	require.NoError(t, err)
	require.NoError(t, traces.Start(t.Context(), r.host))
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return logs, traces
}

// assertNothingFailed asks the exporter's own counters.
func assertNothingFailed(t *testing.T, r *rig) {
	t.Helper()
	for _, name := range []string{"otelcol_exporter_send_failed_log_records", "otelcol_exporter_send_failed_spans"} {
		metric, err := r.tel.GetMetric(name)
		if err != nil {
			continue // never counted
		}
		for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
			assert.Zero(t, point.Value, name)
		}
	}
}

// TestStockExporterAnswer shows that the exporter's client finds no failure in our answer, without a queue in between.
func TestStockExporterAnswer(t *testing.T) {
	node := newFakeNode(t, status(http.StatusServiceUnavailable, ""), some(http.StatusTooManyRequests, "x", func(i int) bool { return i > 3 }))
	r := start(t, testConfig(), newTestHost(t))
	for _, mode := range []string{"ss4o", "ecs", "flatten_attributes"} {
		cfg := stockConfig(t, node.URL, map[string]any{"sending_queue": map[string]any{"enabled": false}, "mapping": map[string]any{"mode": mode}, "logs_index": mode + "-{dify.tenant_id}"})
		logs, traces := startExporters(t, r, cfg)
		require.NoError(t, logs.ConsumeLogs(t.Context(), stockLogs("t", 0, 10)))
		require.NoError(t, logs.Shutdown(t.Context()))
		require.NoError(t, traces.Shutdown(t.Context()))
		for i := range 10 {
			node.doc(t, fmt.Sprintf("%s-t-2026.11.%d", mode, 23+i%2), strconv.Itoa(i))
		}
	}
	assert.Equal(t, 30, node.count())
	assertNothingFailed(t, r)
}

func TestNotifyConfigWithTheRealExporter(t *testing.T) {
	r := start(t, testConfig(), newTestHost(t))
	for name, tt := range map[string]struct {
		more map[string]any
		want []string
	}{
		"as shipped": {nil, nil},
		"gzip":       {map[string]any{"http": map[string]any{"compression": "gzip"}}, nil},
		"http timeout": {map[string]any{"http": map[string]any{"timeout": "30s"}}, []string{
			"exporter \"opensearch/x\" uses \"opensearch_bulk\": set `http::timeout: 0`, or it cuts off a request that is held",
		}},
		"several faults": {map[string]any{
			"timeout": "5s", "http": map[string]any{"compression": "snappy"},
			"logs_index": "a-%{dify.tenant_id}", "traces_index": "a-{user}", "logs_index_time_format": "yyyy.MM.dd",
		}, []string{
			"set `timeout: 0`",
			"`http::compression: snappy` is not understood: use `gzip`, `zstd` or `none`",
			"remove `logs_index_time_format`",
			"`logs_index` has `%{…}`",
			"`traces_index` has `{user}`, which is not in the extension's `index_keys`",
		}},
		"without the middleware": {map[string]any{"http": map[string]any{"timeout": "30s", "middlewares": []any{}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			conf := confmap.New()
			require.NoError(t, conf.Marshal(map[string]any{"exporters": map[component.ID]component.Config{
				component.MustNewIDWithName("opensearch", "x"): stockConfig(t, "http://127.0.0.1:1", tt.more),
				component.MustNewID("other"):                   map[string]any{"http": "text"},
			}}))
			err := r.NotifyConfig(t.Context(), conf)
			if len(tt.want) == 0 {
				require.NoError(t, err)
			}
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
	assert.Zero(t, r.logs.FilterMessageSnippet("no persistent queue").Len())
}
