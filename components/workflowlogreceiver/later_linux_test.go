// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const calledApp = "55555555-5555-4555-8555-555555555555"

// insertCalled inserts a node of a workflow that a run called as a tool, as Dify 1.18 and later do.
func (d *database) insertCalled(t *testing.T, run runRow, kind, metadata string) string {
	t.Helper()
	id := d.insertNode(t, run, kind, metadata)
	d.exec(t, "UPDATE workflow_node_executions SET app_id = '%s', workflow_id = '%s', triggered_from = 'workflow-tool' "+
		"WHERE id = '%s'", calledApp, calledApp, id)
	return id
}

// testCalledWorkflows counts a workflow that was used as a tool once, and names its node that failed.
func testCalledWorkflows(t *testing.T, db *database) {
	db.insertNames(t)
	run := newRun().as(difysemconv.StatusFailed)
	run.tokens = 350
	db.insertNode(t, run, "llm", `{"total_tokens": 50, "total_price": "0.5", "currency": "USD"}`)
	tool := db.insertNode(t, run, "tool", `{"total_tokens": 300, "total_price": 3, "currency": "USD", `+
		`"tool_info": {"provider_type": "workflow"}}`)
	db.insertCalled(t, run, "llm", `{"total_tokens": 100, "total_price": 1, "currency": "USD"}`)
	db.insertCalled(t, run, "iteration", `{"total_tokens": 200, "total_price": 2, "currency": "USD"}`)
	cause := db.insertCalled(t, run, "llm", `{"total_tokens": 200, "total_price": 2, "currency": "USD"}`)
	db.exec(t, "UPDATE workflow_node_executions SET status = 'failed', error = 'inner' WHERE id IN ('%s', '%s')", tool, cause)
	db.insert(t, run)
	r := startHarness(t, db.config(), newMemory())
	r.waitDelivered(t, runEvent, run.id)
	r.waitCounter(t, 350, difysemconv.MetricTokenUsage, map[string]string{"dify.app_id": testApp})
	r.waitCounter(t, 350, difysemconv.MetricTokenUsage, nil)
	r.waitCounter(t, 3.5, difysemconv.MetricCost, nil)
	attrs := r.record(t, runEvent, run.id).Attributes().AsRaw()
	assert.InDelta(t, 3.5, attrs["dify.usage.total_price"], 1e-9)
	assert.Equal(t, int64(300), attrs["dify.usage.nested_tokens"])
	assert.Equal(t, cause, attrs["node.execution_id"])
	assert.Equal(t, calledApp, attrs["dify.node.app_id"])
	assert.Equal(t, "inner", attrs["dify.node.error"])
}
