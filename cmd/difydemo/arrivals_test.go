// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/testkit/traffic"
)

func document(t *testing.T, index string, attributes map[string]any) sink.Document {
	t.Helper()
	source, err := json.Marshal(map[string]any{"attributes": attributes})
	require.NoError(t, err)
	return sink.Document{Index: index, ID: "x", Source: source}
}

func TestArrivals(t *testing.T) {
	a := newArrivals()
	a.expect(&traffic.Run{
		Run: schema.Run{ID: "r1", TenantID: "t1", AppID: "a1", WorkflowID: "w1"},
		Log: &schema.AppLog{ID: "l1"}, Outcome: schema.Outcome{Status: "failed"}, App: "Flow", Workspace: "Acme",
	})
	right := map[string]any{
		"dify.workflow_run_id": "r1", "dify.tenant_id": "t1", "dify.app_id": "a1", "dify.workflow_id": "w1",
		"dify.workflow_app_log.id": "l1", "dify.workspace.name": "Acme", "dify.app.name": "Flow",
		"dify.workflow_run.status": "failed",
	}
	wrongTenant := maps.Clone(right)
	wrongTenant["dify.tenant_id"] = "t2"

	a.document(document(t, "workflow-logs-2026.11.23", wrongTenant))
	assert.Equal(t, arrived{strays: 1}, a.counts(), "a run under another tenant")
	a.document(document(t, "workflow-logs-2026.11.23", right))
	assert.Equal(t, arrived{strays: 1, recorded: 1}, a.counts())
	a.document(document(t, "workflow-logs-2026.11.24", right))
	assert.Equal(t, arrived{strays: 2, recorded: 1}, a.counts(), "the same run twice")

	a.document(document(t, "dify-traces-2026.11.23", map[string]any{"dify.workflow_run_id": "r1"}))
	a.document(document(t, "dify-traces-2026.11.23", map[string]any{"dify.workflow_run_id": "unknown"}))
	assert.Equal(t, arrived{strays: 2, recorded: 1, traced: 1, spans: 2}, a.counts())
	a.document(document(t, "otelcol-dify-dead-letter", nil))
	a.document(document(t, "dify-traces-2026.11.23", map[string]any{"input.value": "about " + traffic.Confidential}))
	a.sentryItem([]byte(`{"message":"` + traffic.Confidential + `"}`))
	assert.Equal(t, arrived{strays: 3, recorded: 1, traced: 1, spans: 3, leaks: 2}, a.counts())
}
