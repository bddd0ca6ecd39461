// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// TestATraceIsWholeOrAbsent has the error, the transaction and the logged exception of a trace decided alike.
func TestATraceIsWholeOrAbsent(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.SampleRate, c.TracesSampleRate = 0.3, 0.3 }, nil)
	const n = 200
	for i := range uint64(n) {
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), failing(time.Now(), i+1)))
		l := newRecords(time.Now())
		rec := l.record(plog.SeverityNumberError, "failed", "exception.type", "KeyError", "exception.message", "x")
		rec.SetTraceID(traceID(i + 1))
		require.NoError(t, h.logs.ConsumeLogs(t.Context(), l.Logs))
	}
	require.Eventually(t, func() bool {
		sent, left := h.sent(t), h.discarded(t)
		return sent["error"]+left["sample_rate error"] == 2*n && sent["transaction"]+left["sample_rate transaction"] == n &&
			sent["log_item"] == n
	}, time.Minute, 10*time.Millisecond)
	h.stop(t)
	r.requireNoFaults(t)
	events, transactions := map[any]int{}, map[any]int{}
	for _, ev := range r.payloads(t, "event") {
		events[at(t, ev, "contexts", "trace", "trace_id")]++
	}
	for _, tx := range r.payloads(t, "transaction") {
		transactions[at(t, tx, "contexts", "trace", "trace_id")] += 2 // so many errors has each
	}
	assert.Equal(t, transactions, events)
	kept := int64(len(transactions))
	assert.InDelta(t, 0.3*n, kept, 0.15*n)
	want := map[string]int64{
		"sample_rate error": 2 * (n - kept), "sample_rate transaction": n - kept, "sample_rate span": n - kept,
	}
	assert.Equal(t, want, h.discarded(t))
	for what, count := range want {
		assert.InDelta(t, count, r.discards(t)[what], 0, what)
	}
}

// A failed run is not reported in place of its exception that was sampled out.
func TestUnsampledExceptionSupersedesItsRun(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.SampleRate = 0 }, nil)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), exceptionOfRun(newPush(time.Now()), "run-1").Traces))
	h.traces.shared.converter.SampleRate = 1
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), runRecord("run-1")))
	l := newRecords(time.Now())
	l.record(plog.SeverityNumberError, "failed", "exception.type", "KeyError", difysemconv.AttrWorkflowRunID, "run-2")
	h.traces.shared.converter.SampleRate = 0
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), l.Logs))
	h.traces.shared.converter.SampleRate = 1
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), runRecord("run-2")))
	h.stop(t)
	assert.Empty(t, r.raw("event"))
	assert.Equal(t, map[string]int64{"sample_rate error": 2, "run_superseded error": 2}, h.discarded(t))
}
