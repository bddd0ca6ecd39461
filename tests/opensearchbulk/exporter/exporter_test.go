// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package exporter

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logsOf has records from a number up to another one, on two days.
func logsOf(tenant string, from, to int) plog.Logs {
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

func tracesOf(from, to int) ptrace.Traces {
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

// spanKey is the place of the span with a number.
func spanKey(i int) string {
	return fmt.Sprintf("dify-traces-2026.11.23/01%02x%028d-02%02x%012d", i, 0, i, 0)
}

// The exporter with its persistent queue goes through an outage and a stop in the middle of it.
func TestStockExporterLosesNothing(t *testing.T) {
	n := newNode(t)
	for range 30 {
		n.faults = append(n.faults, reset(false), status(http.StatusServiceUnavailable), status(http.StatusTooManyRequests),
			reset(true), some(func(i int) bool { return i%4 == 1 }))
	}
	h := newHost(t)
	const batches, each = 12, 10
	var want []string

	// The first run stops while OpenSearch is unavailable.
	b := startBulk(t, h, nil)
	logs, traces := b.startExporters(t, exporterConfig(t, n.URL, nil))
	for i := range batches {
		tenant := fmt.Sprintf("tenant-%d", i%3)
		require.NoError(t, logs.ConsumeLogs(t.Context(), logsOf(tenant, i*each, (i+1)*each)))
		require.NoError(t, traces.ConsumeTraces(t.Context(), tracesOf(i*each, (i+1)*each)))
		for n := i * each; n < (i+1)*each; n++ {
			want = append(want, fmt.Sprintf("workflow-logs-%s-2026.11.%d/%d", tenant, 23+n%2, n), spanKey(n))
		}
	}
	require.Eventually(t, func() bool { return n.requests() > 20 }, timeout, tick)
	stopping := time.Now()
	b.release(t)
	require.NoError(t, logs.Shutdown(t.Context()))
	require.NoError(t, traces.Shutdown(t.Context()))
	b.assertNothingFailed(t)
	require.NoError(t, b.Shutdown(t.Context()))
	assert.Less(t, time.Since(stopping), 5*time.Second)

	// The second continues where the first one stopped.
	next := startBulk(t, h, map[string]any{"http": map[string]any{"endpoint": n.URL}})
	logs, traces = next.startExporters(t, exporterConfig(t, n.URL, nil))
	require.Eventually(t, func() bool { return n.count() == len(want) && next.stored(t) == 0 }, timeout, tick)
	next.release(t)
	require.NoError(t, logs.Shutdown(t.Context()))
	require.NoError(t, traces.Shutdown(t.Context()))
	n.once(t, want...)
	next.assertNothingFailed(t)
	assert.Contains(t, n.doc(t, spanKey(7)), `"@timestamp":"2026-11-23T12:00:00.000000007Z"`)
}

// The exporter's client finds no failure in the extension's response, without a queue in between.
func TestStockExporterResponse(t *testing.T) {
	n := newNode(t, status(http.StatusServiceUnavailable), some(func(i int) bool { return i > 3 }))
	b := startBulk(t, newHost(t), nil)
	for _, mode := range []string{"ss4o", "ecs", "flatten_attributes"} {
		cfg := exporterConfig(t, n.URL, map[string]any{
			"sending_queue": map[string]any{"enabled": false},
			"mapping":       map[string]any{"mode": mode},
			"logs_index":    mode + "-{dify.tenant_id}",
		})
		logs, traces := b.startExporters(t, cfg)
		require.NoError(t, logs.ConsumeLogs(t.Context(), logsOf("t", 0, 10)))
		require.NoError(t, logs.Shutdown(t.Context()))
		require.NoError(t, traces.Shutdown(t.Context()))
		for i := range 10 {
			n.doc(t, fmt.Sprintf("%s-t-2026.11.%d/%d", mode, 23+i%2, i))
		}
	}
	assert.Equal(t, 30, n.count())
	b.assertNothingFailed(t)
}
