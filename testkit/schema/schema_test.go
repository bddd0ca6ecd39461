// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-dify/otelcol-dify/testkit/postgres"
	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
)

func TestMain(m *testing.M) {
	postgres.Keep()
	goleak.VerifyTestMain(m)
}

func open(t *testing.T) *pgxpool.Pool {
	t.Helper()
	server, err := postgres.Start(t.Context(), "secret")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	pool, err := schema.Open(t.Context(), server.URL())
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, schema.Create(t.Context(), pool))
	require.NoError(t, schema.Create(t.Context(), pool), "what is there stays")
	return pool
}

func TestWriter(t *testing.T) {
	pool := open(t)
	w := schema.NewWriter(pool)
	ctx := t.Context()
	id := uuid.NewString
	tenant, app, workflow, user, run, node, message := id(), id(), id(), id(), id(), id(), id()
	start := time.Date(2026, 11, 23, 9, 35, 34, 533075999, time.FixedZone("", 3600))

	require.NoError(t, w.CreateTenant(ctx, schema.Tenant{ID: tenant, Name: "Acme"}))
	require.NoError(
		t, w.CreateApp(ctx, schema.App{ID: app, TenantID: tenant, Name: "flow", Mode: "workflow", WorkflowID: workflow}),
	)
	require.NoError(t, w.CreateEndUser(ctx, schema.EndUser{ID: user, TenantID: tenant, AppID: app, SessionID: "u1"}))
	require.NoError(t, w.StartRun(ctx, schema.Run{
		ID: run, TenantID: tenant, AppID: app, WorkflowID: workflow, CreatedBy: user, CreatedAt: start,
	}))
	require.NoError(t, w.AppendLog(ctx, schema.AppLog{
		ID: id(), TenantID: tenant, AppID: app, WorkflowID: workflow, RunID: run, CreatedBy: user,
	}))
	require.NoError(t, w.StartNode(ctx, schema.Node{
		ID: node, TenantID: tenant, AppID: app, WorkflowID: workflow, RunID: run, Index: 1, NodeID: "llm", NodeType: "llm",
		Title: "Ask", CreatedBy: user, CreatedAt: start,
	}))
	require.NoError(t, w.StartMessage(ctx, schema.Message{
		ID: message, AppID: app, ConversationID: id(), Query: "hi", EndUserID: user, RunID: run, AppMode: "advanced-chat",
		CreatedAt: start,
	}))

	var status string
	var createdAt time.Time
	var finishedAt *time.Time
	const selectRun = "SELECT status, created_at, finished_at FROM workflow_runs WHERE id = $1"
	require.NoError(t, pool.QueryRow(ctx, selectRun, run).Scan(&status, &createdAt, &finishedAt))
	assert.Equal(t, "running", status)
	assert.Equal(t, "2026-11-23 08:35:34.533075", createdAt.Format("2006-01-02 15:04:05.999999999"), "UTC, microseconds")
	assert.Nil(t, finishedAt)

	end := start.Add(1500 * time.Millisecond)
	require.NoError(t, w.EndNode(ctx, node, schema.NodeOutcome{
		Status: "succeeded", ExecutionMetadata: `{"total_tokens": 12, "total_price": "0.0012", "currency": "USD"}`,
		Elapsed: time.Second, FinishedAt: end,
	}))
	require.NoError(
		t,
		w.EndMessage(
			ctx, message,
			schema.Reply{Answer: "hello", MessageTokens: 5, AnswerTokens: 7, TotalPrice: "0.0012", UpdatedAt: end},
		),
	)
	require.NoError(t, w.EndRun(ctx, run, schema.Outcome{
		Status: "partial-succeeded", TotalTokens: 12, TotalSteps: 3, ExceptionsCount: 1, Elapsed: end.Sub(start),
		FinishedAt: end,
	}))
	require.NoError(t, pool.QueryRow(ctx, selectRun, run).Scan(&status, &createdAt, &finishedAt))
	assert.Equal(t, "partial-succeeded", status)
	require.NotNil(t, finishedAt)

	var elapsed float64
	var price string
	var tokens int64
	require.NoError(t, pool.QueryRow(ctx, `
		SELECT r.elapsed_time, n.execution_metadata::json->>'total_price', m.message_tokens + m.answer_tokens
		FROM workflow_runs r JOIN workflow_app_logs l ON l.workflow_run_id = r.id
		JOIN workflow_node_executions n ON n.workflow_run_id = r.id JOIN messages m ON m.workflow_run_id = r.id
		JOIN apps a ON a.id = r.app_id JOIN tenants t ON t.id = a.tenant_id WHERE r.id = $1`, run).Scan(&elapsed, &price, &tokens))
	assert.InDelta(t, 1.5, elapsed, 0)
	assert.Equal(t, "0.0012", price)
	assert.Equal(t, int64(12), tokens)

	require.NoError(t, w.SetRunStatus(ctx, run, "paused"))
	require.ErrorContains(t, w.EndRun(ctx, id(), schema.Outcome{Status: "failed"}), "no run")
	require.ErrorContains(t, w.EndNode(ctx, id(), schema.NodeOutcome{Status: "failed"}), "no node execution")
	require.ErrorContains(t, w.EndMessage(ctx, id(), schema.Reply{}), "no message")
}

// TestUncommittedRowsStayHidden shows how a test delays a row: with a Writer on a transaction.
func TestUncommittedRowsStayHidden(t *testing.T) {
	pool := open(t)
	ctx := t.Context()
	tx, err := pool.Begin(ctx)
	require.NoError(t, err)
	require.NoError(t, schema.NewWriter(tx).CreateTenant(ctx, schema.Tenant{ID: uuid.NewString(), Name: "late"}))
	count := func() (n int) {
		require.NoError(t, pool.QueryRow(ctx, "SELECT count(*) FROM tenants").Scan(&n))
		return n
	}
	assert.Zero(t, count())
	require.NoError(t, tx.Commit(ctx))
	assert.Equal(t, 1, count())
}

// TestIndexes checks the indexes that a reader relies on.
func TestIndexes(t *testing.T) {
	pool := open(t)
	for _, name := range []string{
		"workflow_run_created_at_id_idx", "workflow_app_log_workflow_run_id_idx", "workflow_run_pkey",
		"workflow_node_execution_workflow_run_id_idx", "message_created_at_id_idx",
	} {
		var found bool
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT to_regclass($1) IS NOT NULL", name).Scan(&found))
		assert.True(t, found, name)
	}
}
