// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
)

// A second reader waits. The successor of a killed reader continues with its storage from its position: every run is
// recorded once.
func TestOneReader(t *testing.T) {
	r := newRigWith(t, rigOptions{writers: 1, reader: true})
	second := r.start(t, "", "gateway.yaml", "reader.yaml")
	second.expectLog(t, "Another workflow_log receiver reads this database")
	second.expectMetric(t, 0, "otelcol_workflow_log_reading")

	rows, app := schema.NewWriter(r.dify.Pool), uuid.NewString()
	tenant := uuid.NewString()
	require.NoError(t, rows.CreateTenant(t.Context(), schema.Tenant{ID: tenant, Name: "Acme"}))
	require.NoError(
		t, rows.CreateApp(t.Context(), schema.App{ID: app, TenantID: tenant, Name: "Translate", Mode: "workflow"}),
	)
	end := func() {
		now := time.Now()
		run := schema.Run{
			ID: uuid.NewString(), TenantID: tenant, AppID: app, WorkflowID: app, CreatedBy: tenant, CreatedAt: now,
			Inputs: "{}",
		}
		require.NoError(t, rows.StartRun(t.Context(), run))
		require.NoError(
			t, rows.EndRun(t.Context(), run.ID, schema.Outcome{Status: "succeeded", FinishedAt: now, Elapsed: time.Second}),
		)
	}
	for range 5 {
		end()
	}
	r.expectDocuments(t, 5, runIndices)
	second.Terminate(t)
	r.reader.Kill(t)
	for range 5 {
		end()
	}
	r.reader.Restart(t)
	seen := map[any]bool{}
	for _, hit := range r.expectDocuments(t, 10, runIndices) {
		attributes, _ := hit.Source["attributes"].(map[string]any)
		seen[attributes["dify.workflow_run_id"]] = true
	}
	assert.Len(t, seen, 10)
}
