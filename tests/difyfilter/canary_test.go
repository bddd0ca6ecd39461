// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// canaries are marked texts, each with the name of its field.
type canaries struct {
	fields []string
}

// mark is the prefix of every canary. The test searches for it, so partial redaction is noticed, too.
const mark = "canary0birds0sing0"

// next registers a field and returns its mark.
func (c *canaries) next(field string) string {
	c.fields = append(c.fields, field)
	return fmt.Sprintf("%s%04d0", mark, len(c.fields))
}

// content is what a user or a model wrote.
func (c *canaries) content(field string) string {
	return "dear model, " + c.next("content in "+field)
}

// secrets returns the known forms of secrets, alternating between fields.
var secretForms = []string{
	"sk-%s", "app-%s", "dataset-%s", "Authorization: Bearer %s", "redis://:%s@redis:6379/1", `{"api_key": "%s"}`,
	"password=%s",
	"postgresql://postgres:%s@db_postgres:5432/dify", `{\"access_token\": \"%s\"}`, "token: %s",
}

func (c *canaries) secret(field string) string {
	form := secretForms[len(c.fields)%len(secretForms)]
	return "failed with " + fmt.Sprintf(form, c.next("secret in "+field+" as "+form)) + " at last"
}

// leaks returns the fields whose canaries are in a text.
func (c *canaries) leaks(text string) []string {
	var found []string
	for i, field := range c.fields {
		if strings.Contains(text, fmt.Sprintf("%s%04d0", mark, i+1)) {
			found = append(found, field)
		}
	}
	return found
}

func TestNoCanaryLeaves(t *testing.T) {
	s := newStack(t, "yaml:exporters::sentry::run_window: 1s")
	var c canaries
	end := time.Now()
	run := s.writeRun(t, &c)
	s.export(t, "traces", canaryTraces(t, &c, end))
	s.export(t, "metrics", canaryMetrics(t, &c, end))
	d := s.newDriver(t)
	lines := canaryLines(&c, end)
	for _, line := range lines {
		d.write(t, end, line.container, "stderr", line.text)
	}
	require.Greater(t, len(c.fields), 90)

	// Everything has arrived when the last item of each kind has.
	documents := map[string][]servers.Hit{
		"workflow-logs-*": s.documents(t, 1, "workflow-logs-*", servers.All()),
		"dify-traces-*":   s.documents(t, canarySpans, "dify-traces-*", servers.All()),
		"dify-logs-*":     s.documents(t, countEntries(lines), "dify-logs-*", servers.All()),
	}
	for pattern, hits := range documents {
		text, err := json.Marshal(hits)
		require.NoError(t, err)
		assert.Empty(t, c.leaks(string(text)), "in OpenSearch, %s", pattern)
	}
	s.documents(t, 0, "otelcol-dify-dead-letter*", servers.All())
	assert.True(
		t,
		slices.ContainsFunc(
			documents["dify-traces-*"], func(hit servers.Hit) bool { return attribute(hit, "custom.score") == "NaN" },
		),
	)

	wait.For(t, "Sentry has the trace, its errors, those of the lines, and the run", func(context.Context) error {
		reported := slices.ContainsFunc(
			s.sentry.Events(), func(e sink.SentryEvent) bool { return strings.Contains(string(e.Payload), run) },
		)
		if !reported || len(s.sentry.Transactions()) < 1 || len(s.sentry.Events()) < 5 || len(s.sentry.Logs()) < 4 {
			return fmt.Errorf("run: %v, %+v", reported, s.sentry.Counts())
		}
		return nil
	})
	for _, item := range slices.Concat(s.sentry.Transactions(), s.sentry.Events()) {
		assert.Empty(t, c.leaks(string(item.Payload)), "in Sentry")
	}
	for _, item := range s.sentry.Logs() {
		assert.Empty(t, c.leaks(fmt.Sprint(item)), "in Sentry's logs")
	}

	var exposition string
	wait.For(t, "Prometheus has Dify's and our own series", func(ctx context.Context) (err error) {
		exposition, err = s.exposition(ctx)
		if err == nil &&
			(!strings.Contains(exposition, "canary_seconds_count") || !strings.Contains(exposition, "app_workflow_run_failure_total{")) {
			err = errors.New("not all are there")
		}
		return err
	})
	assert.Empty(t, c.leaks(exposition), "in Prometheus")
	own, err := collector.Fetch(t.Context(), "http://"+s.Telemetry+"/metrics")
	require.NoError(t, err)
	assert.Empty(t, c.leaks(own), "in the collector's own metrics")
	assert.Empty(t, c.leaks(s.Log()), "in the collector's own log")

	s.checkSamples(t, d, canarySpans, countEntries(lines)) // in the same stack, since starting it takes long
}

// writeRun writes the rows of a failed run with a canary in every text that Dify fills, and returns the run's id.
func (s *stack) writeRun(t *testing.T, c *canaries) string {
	t.Helper()
	ctx, w, now := t.Context(), schema.NewWriter(s.db), time.Now()
	tenant, app, run := uuid.NewString(), uuid.NewString(), uuid.NewString()
	user := uuid.NewString()
	require.NoError(t, w.CreateTenant(ctx, schema.Tenant{ID: tenant, Name: c.secret("tenants.name")}))
	require.NoError(
		t, w.CreateApp(ctx, schema.App{ID: app, TenantID: tenant, Name: c.secret("apps.name"), Mode: "workflow"}),
	)
	require.NoError(
		t,
		w.CreateEndUser(
			ctx, schema.EndUser{ID: user, TenantID: tenant, AppID: app, SessionID: c.content("end_users.session_id")},
		),
	)
	require.NoError(t, w.StartRun(ctx, schema.Run{
		ID: run, TenantID: tenant, AppID: app, WorkflowID: uuid.NewString(), CreatedBy: user, CreatedAt: now,
		Inputs: fmt.Sprintf(`{"q": %q}`, c.content("workflow_runs.inputs")),
	}))
	require.NoError(t, w.AppendLog(ctx, schema.AppLog{
		ID: uuid.NewString(), TenantID: tenant, AppID: app, WorkflowID: uuid.NewString(), RunID: run, CreatedBy: user,
	}))
	node := uuid.NewString()
	require.NoError(t, w.StartNode(ctx, schema.Node{
		ID: node, TenantID: tenant, AppID: app, WorkflowID: uuid.NewString(), RunID: run, NodeID: "1", NodeType: "llm",
		Title: c.secret("workflow_node_executions.title"), CreatedBy: user, CreatedAt: now,
	}))
	require.NoError(t, w.EndNode(ctx, node, schema.NodeOutcome{
		Status: "failed", Error: c.secret("workflow_node_executions.error"), FinishedAt: now,
		Inputs:  fmt.Sprintf(`{"q": %q}`, c.content("workflow_node_executions.inputs")),
		Outputs: fmt.Sprintf(`{"text": %q}`, c.content("workflow_node_executions.outputs")),
		ProcessData: fmt.Sprintf(
			`{"model_provider": "openai", "model_name": "gpt-4o-mini", "usage": {"prompt_tokens": 1, "completion_tokens": 2}, "prompts": [{"text": %q}]}`,
			c.content("workflow_node_executions.process_data"),
		),
		ExecutionMetadata: `{"total_tokens": 3, "total_price": "0.1", "currency": "USD"}`,
	}))
	message := uuid.NewString()
	require.NoError(t, w.StartMessage(ctx, schema.Message{
		ID: message, AppID: app, ConversationID: uuid.NewString(), Query: c.content("messages.query"), EndUserID: user,
		ModelProvider: "openai", ModelID: "gpt-4o-mini", AppMode: "chat", CreatedAt: now,
	}))
	require.NoError(t, w.EndMessage(ctx, message, schema.Reply{
		Answer: c.content(
			"messages.answer",
		), MessageTokens: 1, AnswerTokens: 2, Error: c.secret("messages.error"), UpdatedAt: now,
	}))
	require.NoError(t, w.EndRun(ctx, run, schema.Outcome{
		Status: "failed", FinishedAt: now, Elapsed: time.Second, TotalTokens: 3,
		Error: strings.Join([]string{
			c.secret("workflow_runs.error"), c.secret("workflow_runs.error, second"), c.secret("workflow_runs.error, third"),
			"[SQL: SELECT * FROM t WHERE a = '" + c.content(
				"SQL in workflow_runs.error",
			) + "']\n[parameters: {'q': '" + c.content(
				"parameters in workflow_runs.error",
			) + "'}]",
		}, "\n"),
		Outputs: fmt.Sprintf(`{"text": %q}`, c.content("workflow_runs.outputs")),
	}))
	return run
}
