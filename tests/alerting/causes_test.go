// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/soak"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// cause is a row of a runbook's table that no fault covers.
type cause struct {
	alert  string
	row    string // a part of it
	inject func(*testing.T, *faultRig)
	steps  []step
}

const (
	runTask  = "tasks.app_generate.workflow_execute_task.workflow_based_app_execution_task"
	pollTask = "schedule.workflow_schedule_task.poll_workflow_schedules"
)

// In the order of frequency. Each leaves the stack as it was.
var causes = []cause{
	{
		alert: "WorkflowFailureRate", row: "errors name a model",
		inject: failingRuns("llm", "InvokeRateLimitError: quota exceeded"),
		steps: []step{
			{part: "topk(10, sum by (dify_workspace_name", shows: only("dify_app_name", "Help desk")},
			{part: `"attributes.event.name": "dify.workflow.run"`, shows: mentions("InvokeRateLimitError", "Help desk")},
		},
	},
	{
		alert: "HighAPIErrorRate", row: "502 with `Request to Plugin Daemon Service failed`",
		inject: asking(http.MethodPost, "/v1/failures/plugin_daemon"),
		steps: []step{
			{part: "topk(10, sum by (http_route", shows: sample(map[string]string{"http_response_status_code": "502"}, positive)},
			{part: `"aggs": {"route"`, shows: mentions("/v1/failures/<kind>", "502")},
			{part: `"exists": {"field": "events"}`, shows: mentions("Request to Plugin Daemon Service failed")},
		},
	},
	{
		alert: "TracingProviderFails", row: "the known errors as noise",
		inject: asking(http.MethodPost, "/v1/failures/langfuse"),
		steps:  []step{{part: "otelcol_dify_filter_dropped_items_total", shows: sample(nil, positive)}},
	},
	{
		alert: "WorkflowFailureRate", row: "code nodes fail",
		inject: failingRuns("code", "sandbox error: operation not permitted"),
		steps: []step{
			{part: `"attributes.event.name": "dify.workflow.run"`, shows: mentions("sandbox error", `"code"`)},
			{part: "FROM workflow_node_executions", shows: mentions("node_type:code", "sandbox error")},
		},
	},
	{
		alert: "WorkflowFailureRate", row: "HTTP nodes fail",
		inject: failingRuns("http-request", "Reached maximum retries for URL"),
		steps: []step{{
			part: `"attributes.event.name": "dify.workflow.run"`, shows: mentions("maximum retries", `"http-request"`),
		}},
	},
	{
		alert: "WorkflowFailureRate", row: "`stopped` grows",
		inject: func(t *testing.T, f *faultRig) {
			f.status.Store("stopped")
			t.Cleanup(func() { f.status.Store("succeeded") })
		},
		steps: []step{{
			part:  "sum by (dify_workflow_run_status)",
			shows: sample(map[string]string{"dify_workflow_run_status": "stopped"}, positive),
		}},
	},
	{
		alert: "HighResponseTime", row: "long `SELECT` spans",
		inject: asking(http.MethodGet, "/v1/slow?seconds=3&where=database"),
		steps: []step{
			{part: "api_response_time_p95_by_route", shows: sample(map[string]string{"http_route": "/v1/slow"}, above(2.4))},
			{part: `"term": {"kind": "Client"}`, shows: slowest("SELECT", 2900)},
		},
	},
	{
		alert: "HighResponseTime", row: "long `POST` spans",
		inject: asking(http.MethodGet, "/v1/slow?seconds=5&where=plugin"),
		steps:  []step{{part: `"term": {"kind": "Client"}`, shows: slowest("POST", 4900)}},
	},
	{
		alert: "CeleryQueueBacklog", row: "tasks run, but each takes long",
		inject: func(t *testing.T, f *faultRig) {
			f.modelSeconds.Store(4)
			t.Cleanup(func() { f.modelSeconds.Store(0) })
		},
		steps: []step{{part: "flower_task_runtime_seconds_sum", shows: sample(map[string]string{"task": runTask}, above(3))}},
	},
	{
		alert: "HighAPIErrorRate", row: "`psycopg2.OperationalError`",
		inject: func(t *testing.T, f *faultRig) {
			halt(t, f.postgres)
			asking(http.MethodPost, "/v1/workflows/run")(t, f)
		},
		steps: []step{{part: `"exists": {"field": "events"}`, shows: mentions("psycopg2.OperationalError")}},
	},
	{
		alert: "HighAPIErrorRate", row: "`redis.exceptions`",
		inject: func(t *testing.T, f *faultRig) {
			halt(t, f.redis)
			asking(http.MethodPost, "/v1/workflows/run")(t, f)
		},
		steps: []step{{part: `"exists": {"field": "events"}`, shows: mentions("redis.exceptions.ConnectionError")}},
	},
	{
		alert: "OpenSearchHolds", row: "`unreachable`, `timeout`",
		inject: func(t *testing.T, f *faultRig) { halt(t, f.node) },
		steps: []step{{
			part: "otelcol_opensearch_bulk_retries_total", shows: sample(map[string]string{"reason": "unreachable"}, positive),
		}},
	},
	{
		alert: "DatabaseUnreachable", row: "`password authentication failed`", inject: otherDatabasePassword,
		steps: []step{
			{part: "otelcol_workflow_log_polls_total", shows: sample(map[string]string{"result": "failed"}, positive)},
			{part: "password authentication failed", log: true, shows: mentions("password authentication failed")},
		},
	},
	{
		alert: "RedisUnreachable", row: "or its password has changed", inject: otherRedisPassword,
		steps: []step{
			{part: "otelcol_celery_queue_collections_total", shows: sample(map[string]string{"result": "failed"}, positive)},
			{part: "the collector's log has the error", log: true, shows: mentions("WRONGPASS")},
		},
	},
	{
		alert: "RunsWaiting", row: "no worker has the queue in its `CELERY_QUEUES`",
		inject: func(t *testing.T, f *faultRig) {
			f.app.StartWorker(t, "schedules", "schedule_poller", 1)
			require.NoError(t, f.app.Workers[0].Stop())
		},
		steps: []step{
			{part: `celery_queue_length{celery_queue="workflow_based_app_execution"}`, shows: sample(nil, positive)},
			{part: "sum by (task)", shows: sample(map[string]string{"task": pollTask}, positive)},
			{part: "sum by (task)", shows: none("task", runTask)},
		},
	},
	{
		alert: "RunsWaiting", row: "as many unacknowledged tasks as the worker has slots",
		inject: func(t *testing.T, f *faultRig) {
			require.NoError(t, f.app.Workers[0].Stop())
			f.modelSeconds.Store(3600)
			f.app.StartWorker(t, "streaming", "workflow_based_app_execution", 2)
			t.Cleanup(f.app.Workers[len(f.app.Workers)-1].Kill) // it would finish the runs first
		},
		steps: []step{
			{part: "sum(celery_queue_unacked)", shows: sample(nil, func(v float64) bool { return v >= 2 })},
			{part: `celery_queue_length{celery_queue="workflow_based_app_execution"}`, shows: sample(nil, positive)},
			{part: "sum by (task)", shows: none("task", runTask)},
		},
	},
}

// The rows of the runbooks' tables that are no faults of TestFaults: the steps lead from each cause to its row. All of
// them with OTELCOL_TEST_SOAK=1.
func TestCauses(t *testing.T) {
	f := newFaultRig(t, startMachines(t))
	for _, one := range causes[:soak.Size(3, len(causes))] {
		t.Run(one.row, func(t *testing.T) {
			book := runbookOf(t, one.alert)
			require.Contains(t, string(book), one.row)
			one.inject(t, f)
			for _, s := range one.steps {
				require.NoError(t, wait.Until(t.Context(), faultTimeout, func(ctx context.Context) error {
					return book.follow(ctx, f, s)
				}))
			}
		})
	}
}

// failingRuns lets every other run fail in a node of a type.
func failingRuns(node, text string) func(*testing.T, *faultRig) {
	return func(t *testing.T, f *faultRig) {
		t.Helper()
		f.nodeType.Store(node)
		f.fails.Store(text)
		t.Cleanup(func() { f.fails.Store("") })
	}
}

// asking sends a request again and again.
func asking(method, path string) func(*testing.T, *faultRig) {
	return func(t *testing.T, f *faultRig) {
		t.Helper()
		f.keepOn(t, func(ctx context.Context) error {
			if method == http.MethodGet {
				_, _ = f.app.Get(ctx, path)
			} else {
				_, _ = f.app.Post(ctx, path, map[string]any{})
			}
			return nil
		})
	}
}

// otherDatabasePassword changes it, so that no new connection works.
func otherDatabasePassword(t *testing.T, f *faultRig) {
	t.Helper()
	conn, err := f.db.Acquire(t.Context())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `ALTER USER postgres PASSWORD 'another'`)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, undone := conn.Exec(context.WithoutCancel(t.Context()), "ALTER USER postgres PASSWORD '"+f.postgres.Password+"'")
		assert.NoError(t, undone)
		conn.Release()
	})
	_, err = conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE pid <> pg_backend_pid() AND datname = current_database()`)
	require.NoError(t, err)
}

// otherRedisPassword changes it and closes all connections.
func otherRedisPassword(t *testing.T, f *faultRig) {
	t.Helper()
	options, err := redis.ParseURL(f.redis.URL(1))
	require.NoError(t, err)
	change := func(ctx context.Context, to string) error {
		client := redis.NewClient(options)
		err := errors.Join(client.ConfigSet(ctx, "requirepass", to).Err(), client.Close())
		options.Password = to
		return err
	}
	old := options.Password
	require.NoError(t, change(t.Context(), "another"))
	t.Cleanup(func() { assert.NoError(t, change(context.WithoutCancel(t.Context()), old)) })
	client := redis.NewClient(options)
	require.NoError(t, client.ClientKillByFilter(t.Context(), "TYPE", "normal", "SKIPME", "yes").Err())
	require.NoError(t, client.Close())
}

func above(limit float64) func(float64) bool {
	return func(v float64) bool { return v > limit }
}
