// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

func recordsIn(ld plog.Logs) []plog.LogRecord {
	var out []plog.LogRecord
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				out = append(out, record)
			}
		}
	}
	return out
}

// The enterprise edition prints its events as JSON lines.
func TestEnterpriseEventsInLines(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "samples", "enterprise_stdout.log"))
	require.NoError(t, err)
	b := newHarness(t)
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for line := range strings.Lines(string(text)) {
		record := records.AppendEmpty()
		record.Body().SetStr(strings.TrimSpace(line))
		record.Attributes().PutStr("container_id", apiContainer)
		record.Attributes().PutStr("container_name", "/docker-worker-1")
		record.Attributes().PutStr("source", "stdout")
	}
	found := recordsIn(b.logs(t, ld))
	names := make([]string, 0, len(found))
	for _, record := range found {
		names = append(names, record.EventName())
		assert.Equal(t, record.EventName(), attrs.Text(record.Attributes(), difysemconv.AttrEventName))
		assert.NotEmpty(t, attrs.Text(record.Attributes(), difysemconv.AttrTenantID))
		assert.NotEmpty(t, attrs.Text(record.Attributes(), difysemconv.AttrAppID))
		assert.False(t, record.TraceID().IsEmpty())
	}
	assert.Equal(t, []string{
		"dify.workflow.run", "dify.node.execution", "dify.message.run", "dify.dataset.retrieval", "dify.feedback.created",
	}, names)
	run := found[0].Attributes()
	assert.Equal(t, "failed", attrs.Text(run, difysemconv.AttrRunStatus))
	assert.Equal(t, "9923df91-5c96-50e2-9956-f5faa7f6b6fb", attrs.Text(run, difysemconv.AttrWorkflowRunID))
	assert.NotEmpty(t, attrs.Text(run, difysemconv.AttrRunError))
	assert.Equal(t, "13262644-1c01-5060-b784-eede637f8604",
		attrs.Text(found[1].Attributes(), difysemconv.AttrNodeExecutionID))
	assert.Equal(t, "81734389-9110-5856-ad93-9eb546bcdd97", attrs.Text(found[2].Attributes(), difysemconv.AttrMessageID))
}

// An exporter of logs may send them as records.
func TestEnterpriseEventsAsRecords(t *testing.T) {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "dify")
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	record := records.AppendEmpty()
	record.Body().SetStr("telemetry.span_detail")
	require.NoError(t, record.Attributes().FromRaw(map[string]any{
		"dify.event.name": "dify.workflow.run", "dify.workflow.run_id": runA, "dify.workflow.status": "failed",
		"dify.workflow.error": "boom", "dify.trace_id": runA, "dify.workflow.inputs": "ref:workflow_run_id=" + runA,
	}))
	records.AppendEmpty().Body().SetStr("telemetry.span_detail") // its text format has no attributes
	out := newHarness(t).logs(t, ld)
	found := recordsIn(out)
	assert.Equal(t, "dify.workflow.run", found[0].EventName())
	assert.Equal(t, runA, attrs.Text(found[0].Attributes(), difysemconv.AttrWorkflowRunID))
	assert.Equal(t, strings.ReplaceAll(runA, "-", ""), found[0].TraceID().String())
	assert.Empty(t, found[1].EventName())
	assert.Equal(t, "dify", attrs.Text(out.ResourceLogs().At(0).Resource().Attributes(), attrs.ServiceNamespace))
}
