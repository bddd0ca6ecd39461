// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"strconv"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/lineartest"
)

// different makes a text that the caches have not seen.
func different() func(text string) string {
	n := 0
	return func(text string) string {
		n++
		return strconv.Itoa(n) + text
	}
}

// Every place of the data has its own scanners. All passes together are linear, too, wherever the text is.
func TestSpansAreFilteredInLinearTime(t *testing.T) {
	for _, key := range []string{"db.statement", "url.full", "gen_ai.prompt", "exception.stacktrace", "unknown"} {
		t.Run(key, func(t *testing.T) {
			h, next := newHarness(t), different()
			lineartest.CheckText(t, func(text string) {
				td := ptrace.NewTraces()
				span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
				span.Attributes().PutStr(key, next(text))
				span.Status().SetMessage(next(text))
				event := span.Events().AppendEmpty()
				event.SetName("exception")
				event.Attributes().PutStr(key, next(text))
				h.traces(t, td)
			}, `{"messages":[{"content":"`, "[SQL: [parameters: ")
		})
	}
}

func TestLinesAreFilteredInLinearTime(t *testing.T) {
	h, next := newHarness(t), different()
	lineartest.CheckText(t, func(text string) {
		ld := plog.NewLogs()
		records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
		const head = "2026-11-23 08:37:53,893.893 INFO [a] [x.py:6] x - "
		for _, line := range []string{head + next(text), head + "the next entry, so that the first one is complete"} {
			record := records.AppendEmpty()
			record.Body().SetStr(line)
			record.Attributes().PutStr("container_id", "c")
			record.Attributes().PutStr("container_name", "/docker-api-1")
		}
		h.logs(t, ld)
	})
}

func TestMetricsAreFilteredInLinearTime(t *testing.T) {
	h, next := newHarness(t), different()
	lineartest.CheckText(t, func(text string) {
		md := pmetric.NewMetrics()
		metric := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		metric.SetName("m" + next(text))
		metric.SetDescription(next(text))
		point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
		point.SetIntValue(1)
		point.Attributes().PutStr("url", next(text))
		point.Attributes().PutStr("k"+next(text), "v")
		_, _ = h.processMetrics(t.Context(), md)
	})
}
