// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// workspace is a tenant with a workflow app and a chatflow.
type workspace struct {
	*schema.Writer
	tenant, workflow, chatflow string
}

func newWorkspace(t *testing.T, s *stack) *workspace {
	t.Helper()
	w := &workspace{
		Writer: schema.NewWriter(s.db),
		tenant: uuid.NewString(), workflow: uuid.NewString(), chatflow: uuid.NewString(),
	}
	ctx := t.Context()
	require.NoError(t, w.CreateTenant(ctx, schema.Tenant{ID: w.tenant, Name: "Acme"}))
	require.NoError(
		t, w.CreateApp(ctx, schema.App{ID: w.workflow, TenantID: w.tenant, Name: "Translate", Mode: "workflow"}),
	)
	require.NoError(
		t, w.CreateApp(ctx, schema.App{ID: w.chatflow, TenantID: w.tenant, Name: "Helpdesk", Mode: "advanced-chat"}),
	)
	return w
}

// start writes the rows that Dify writes when a run starts, and returns the run's id.
func (w *workspace) start(t *testing.T, app string) string {
	t.Helper()
	run := w.newRun(app)
	require.NoError(t, w.StartRun(t.Context(), run))
	if app == w.workflow {
		require.NoError(t, w.AppendLog(t.Context(), appLog(run)))
	}
	return run.ID
}

func (w *workspace) newRun(app string) schema.Run {
	run := schema.Run{
		ID: uuid.NewString(), TenantID: w.tenant, AppID: app, WorkflowID: uuid.NewString(), CreatedBy: uuid.NewString(),
		CreatedAt: time.Now(), Inputs: `{"query":"` + userContent + `"}`,
	}
	if app == w.chatflow {
		run.Type = "chat"
	}
	return run
}

func appLog(run schema.Run) schema.AppLog {
	return schema.AppLog{
		ID: uuid.NewString(), TenantID: run.TenantID, AppID: run.AppID, WorkflowID: run.WorkflowID, RunID: run.ID,
		CreatedBy: run.CreatedBy,
	}
}

func (w *workspace) end(t *testing.T, run string, outcome schema.Outcome) time.Time {
	t.Helper()
	outcome.FinishedAt = time.Now()
	outcome.Elapsed = 1500 * time.Millisecond
	require.NoError(t, w.EndRun(t.Context(), run, outcome))
	return outcome.FinishedAt
}

func TestWorkflowRunsBecomeDocumentsAndCounters(t *testing.T) {
	s := newStack(t, stackOptions{})
	w := newWorkspace(t, s)

	succeeded, failed, chat := w.start(t, w.workflow), w.start(t, w.workflow), w.start(t, w.chatflow)
	unfinished := w.start(t, w.workflow)
	finishedAt := map[string]time.Time{
		succeeded: w.end(t, succeeded, schema.Outcome{Status: "succeeded", TotalTokens: 42, TotalSteps: 3}),
		failed:    w.end(t, failed, schema.Outcome{Status: "failed", Error: "model refused", TotalSteps: 1}),
		chat:      w.end(t, chat, schema.Outcome{Status: "succeeded", TotalTokens: 7, TotalSteps: 2}),
	}

	hits := s.documents(t, 3, "workflow-logs-*", servers.All())
	documents := map[string]servers.Hit{}
	for _, hit := range hits {
		documents[attribute(hit, "dify.workflow_run_id")] = hit
	}
	for run, end := range finishedAt {
		require.Contains(t, documents, run)
		checkRunDocument(t, documents[run], end)
	}
	assert.NotContains(t, documents, unfinished)

	for _, want := range []struct{ run, attribute, value string }{
		{succeeded, "dify.workflow_run.status", "succeeded"},
		{succeeded, "dify.workflow_run.total_tokens", "42"},
		{succeeded, "dify.app.name", "Translate"},
		{succeeded, "dify.app.mode", "workflow"},
		{succeeded, "dify.workspace.name", "Acme"},
		{succeeded, "dify.tenant_id", w.tenant},
		{failed, "dify.workflow_run.status", "failed"},
		{failed, "dify.workflow_run.error", "model refused"},
		{chat, "dify.workflow_run.type", "chat"},
		{chat, "dify.app.name", "Helpdesk"},
		{chat, "dify.workflow_app_log.id", ""},
	} {
		assert.Equal(t, want.value, attribute(documents[want.run], want.attribute), want.attribute)
	}
	assert.NotEmpty(t, attribute(documents[succeeded], "dify.workflow_app_log.id"))

	s.expectValue(t, 3, `sum(app_workflow_run_total{dify_workspace_name="Acme"})`)
	s.expectValue(t, 1, `sum(app_workflow_run_success_total{dify_app_name="Translate"})`)
	s.expectValue(t, 1, `sum(app_workflow_run_success_total{dify_app_name="Helpdesk"})`)
	s.expectValue(t, 1, `sum(app_workflow_run_failure_total{dify_app_name="Translate"})`)
	s.expectValue(t, 3, `sum(app_workflow_run_duration_seconds_count)`)
	s.expectValue(t, 4.5, `sum(app_workflow_run_duration_seconds_sum)`)

	// Runs that end later are recorded then, and earlier runs are not recorded again.
	w.end(t, unfinished, schema.Outcome{Status: "stopped"})
	s.documents(t, 4, "workflow-logs-*", servers.All())
	s.expectValue(t, 4, `sum(app_workflow_run_total)`)
	s.documents(t, 0, "otelcol-dify-dead-letter*", servers.All())
}

// checkRunDocument checks what is the same for every run.
func checkRunDocument(t *testing.T, hit servers.Hit, finishedAt time.Time) {
	t.Helper()
	assert.Equal(t, attribute(hit, "log.record.uid"), hit.ID, "the document's id")
	assert.Equal(t, "dify.workflow.run", attribute(hit, "event.name"))
	assert.Equal(t, "workflow-logs-"+finishedAt.UTC().Format("2006.01.02"), hit.Index)
	at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(hit.Source["@timestamp"]))
	require.NoError(t, err)
	assert.Equal(t, finishedAt.UTC().Truncate(time.Millisecond), at.UTC().Truncate(time.Millisecond))
	assert.NotContains(t, fmt.Sprint(hit.Source), userContent)
	assert.NotEmpty(t, hit.Source["body"])
}

// attribute returns a document's attribute as text, or an empty string.
func attribute(hit servers.Hit, key string) string {
	attributes, _ := hit.Source["attributes"].(map[string]any)
	if value, ok := attributes[key]; ok {
		return fmt.Sprint(value)
	}
	return ""
}
