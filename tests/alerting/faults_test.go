// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package alerting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/pyenv"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/soak"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// fault is something that breaks at night.
type fault struct {
	name   string
	inject func(*testing.T, *faultRig)
	alert  string
	cause  string // the sign or the reason in the runbook
	steps  []step // of the runbook, which lead to the cause
}

// The first three are those that take the least time.
var faults = []fault{
	{
		name: "plugin daemon away", alert: "PluginDaemonDown", cause: "it crashed: its log has the reason",
		inject: func(_ *testing.T, f *faultRig) {
			f.plugins.server.Close()
			f.path.Store("/v1/failures/plugin_daemon")
			f.fails.Store("PluginDaemonInnerError: Request to Plugin Daemon Service failed")
		},
		steps: []step{
			{part: "up{job=", shows: sample(nil, zero)},
			{part: "attributes.dify.workflow_run.error", shows: mentions("Request to Plugin Daemon Service failed")},
		},
	},
	{
		name: "model failing", alert: "ModelErrors", cause: "the key is invalid or expired",
		inject: func(_ *testing.T, f *faultRig) {
			f.fails.Store("[openai] Error: PluginInvokeError: 401 Incorrect API key provided")
			f.plugins.fails.Store(true)
		},
		steps: []step{
			{part: "plugin_invocations_total", shows: sample(
				map[string]string{"plugin_id": "langgenius/openai", "operation": "invoke_llm", "status": "error"}, positive,
			)},
			{part: "attributes.dify.workflow_run.error", shows: mentions("401 Incorrect API key", "Help desk")},
		},
	},
	{
		name: "queue backlog", alert: "CeleryQueueBacklog", cause: "does not consume this queue",
		inject: func(t *testing.T, f *faultRig) { pyenv.Enqueue(t, f.difyEnv, "mail", 101) },
		steps: []step{
			{part: "celery_queue_length > 0", shows: only("celery_queue", "mail")},
			{part: "celery_queue_unacked", shows: none("celery_queue", "mail")},
			{part: "resets(celery_queue_length", shows: only("celery_queue", "mail")},
			{part: "sum by (task) (rate(flower_task_runtime_seconds_count", shows: none("task", "tasks.backlog")},
		},
	},
	{
		name: "worker down", alert: "DifyWorkerDown", cause: "the container is gone",
		inject: func(t *testing.T, f *faultRig) {
			f.paused.Store(true)
			for _, worker := range f.app.Workers {
				require.NoError(t, worker.Stop())
			}
		},
		steps: []step{
			{part: "dify:source:missing > 0", shows: only("source", "worker")},
			{part: "topk(5, celery_queue_length)", shows: sample(map[string]string{"celery_queue": "workflow_based_app_execution"}, positive)},
		},
	},
	{
		name: "API down", alert: "DifyAPIDown", cause: "the container is gone",
		inject: func(t *testing.T, f *faultRig) { require.NoError(t, f.app.API.Stop()) },
		steps:  []step{{part: "dify:source:missing > 0", shows: only("source", "api")}},
	},
	{
		name: "beat down", alert: "DifyBeatDown", cause: "it crashed, or was never started again",
		inject: func(t *testing.T, f *faultRig) { require.NoError(t, f.app.Beat.Stop()) },
		steps: []step{
			{part: "sum by (task)", shows: none("task", "schedule.workflow_schedule_task.poll_workflow_schedules")},
			{part: "sum by (task)", shows: sample(
				map[string]string{"task": "tasks.app_generate.workflow_execute_task.workflow_based_app_execution_task"}, positive,
			)},
			{part: "schedule_poller", shows: sample(map[string]string{"celery_queue": "schedule_poller"}, zero)},
		},
	},
	{
		name: "Redis away", alert: "RedisUnreachable", cause: "Redis is down",
		inject: func(t *testing.T, f *faultRig) { halt(t, f.redis) },
		steps: []step{
			{part: "otelcol_celery_queue_collections_total", shows: sample(map[string]string{"result": "failed"}, positive)},
			{part: "otelcol_celery_queue_collections_total", shows: none("result", "ok")},
			{part: "connection refused", log: true, shows: mentions("celery_queue", "connection refused")},
		},
	},
	{
		name: "database away", alert: "DatabaseUnreachable", cause: "the database is down",
		inject: func(t *testing.T, f *faultRig) { halt(t, f.postgres) },
		steps: []step{
			{part: "otelcol_workflow_log_polls_total", shows: sample(map[string]string{"result": "failed"}, positive)},
			{part: "otelcol_workflow_log_polls_total", shows: none("result", "ok")},
			{part: "connection refused", log: true, shows: mentions("workflow_log", "connection refused")},
		},
	},
	{
		name: "model slow", alert: "SlowRuns", cause: "the model provider",
		inject: func(_ *testing.T, f *faultRig) {
			f.modelSeconds.Store(5)
			f.elapsed.Store(6)
		},
		steps: []step{
			{part: "app_workflow_run_duration_seconds_sum", shows: sample(
				map[string]string{"dify_app_name": "Help desk"}, func(v float64) bool { return v > 3 },
			)},
			{part: "attributes.node.type", shows: slowest("llm", 4000)},
		},
	},
	{
		name: "document stuck", alert: "DocumentsWaiting", cause: "one large document occupies it",
		inject: stickDocument,
		steps: []step{
			{part: "celery_queue_length{celery_queue=~", shows: sample(map[string]string{"celery_queue": "dataset"}, positive)},
			{part: "document_indexing|rag_pipeline", shows: none("task", "tasks.document_indexing_task.document_indexing_task")},
			{part: "celery_queue_unacked", shows: sample(nil, positive)},
			{part: "FROM documents", shows: mentions("handbook.pdf", "splitting")},
		},
	},
	{
		name: "collector's disk full", alert: "DiskFilling", cause: "If it is the collector's volume",
		inject: func(t *testing.T, f *faultRig) {
			require.NoError(t, f.search.Pause())
			t.Cleanup(func() { assert.NoError(t, f.search.Unpause()) })
			f.disk.Fill(t)
			t.Cleanup(func() { f.disk.Free(t) })
		},
		steps: []step{
			{part: "system_disk_usage_ratio", shows: sample(nil, func(v float64) bool { return v > 0.9 })},
			{part: "no space left on device", log: true, shows: mentions("no space left on device")},
		},
	},
	{
		name: "OpenSearch read-only", alert: "OpenSearchRefuses",
		cause:  "the disk was too full, so the indices are read-only",
		inject: func(t *testing.T, f *faultRig) { f.fillDisk(t) },
		steps: []step{
			{part: "otelcol_opensearch_bulk_retries_total", shows: sample(nil, positive)},
			{part: "cluster_block_exception", log: true, shows: mentions("cluster_block_exception")},
		},
	},
}

// Each fault raises its alert on a live stack, the runbook's queries name the cause, and no alert fires that the
// runbook does not mention. All of them with OTELCOL_TEST_SOAK=1.
func TestFaults(t *testing.T) {
	m := startMachines(t)
	for _, broken := range faults[:soak.Size(3, len(faults))] {
		t.Run(broken.name, func(t *testing.T) { breaks(t, newFaultRig(t, m), broken) })
	}
}

func breaks(t *testing.T, f *faultRig, broken fault) {
	book := runbookOf(t, broken.alert)
	require.Contains(t, string(book), broken.cause)
	began := time.Now()
	broken.inject(t, f)
	require.NoError(t, wait.Until(t.Context(), faultTimeout, func(ctx context.Context) error {
		if firing := f.firing(ctx); !slices.Contains(firing, broken.alert) {
			return errors.New("does not fire")
		}
		return nil
	}), broken.alert)
	t.Logf("%s fires after %s", broken.alert, time.Since(began).Round(time.Second))
	for _, s := range broken.steps {
		require.NoError(t, wait.Until(t.Context(), wait.Deadline, func(ctx context.Context) error {
			return book.follow(ctx, f, s)
		}), s.part)
	}
	f.expectHeard(t, "mail of "+broken.alert, &f.mail.heard, "FIRING", broken.alert)
	explained := append(book.consequences(), broken.alert)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
		for _, alert := range f.firing(t.Context()) {
			require.Contains(t, explained, alert, "the runbook of %s does not mention it\n%s", broken.alert, f.details(t))
		}
	}
	firing := f.firing(t.Context())
	assert.Contains(t, firing, broken.alert, "it still fires")
	t.Logf("firing: %v", firing)
}

// halt stops a server until the end of the test.
func halt(t *testing.T, server interface {
	Halt(crash bool) error
	Resume(ctx context.Context) error
},
) {
	t.Helper()
	require.NoError(t, server.Halt(false))
	t.Cleanup(func() { assert.NoError(t, server.Resume(context.WithoutCancel(t.Context()))) })
}

// stickDocument gives the only worker for documents one that it does not finish.
func stickDocument(t *testing.T, f *faultRig) {
	t.Helper()
	// The part of Dify's table that the runbook reads.
	_, err := f.db.Exec(t.Context(), `CREATE TABLE documents (id uuid PRIMARY KEY, tenant_id uuid, dataset_id uuid, name text,
		indexing_status text, error text, created_at timestamp, processing_started_at timestamp)`)
	require.NoError(t, err)
	_, err = f.db.Exec(t.Context(), `INSERT INTO documents VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
		'handbook.pdf', 'splitting', NULL, now(), now())`)
	require.NoError(t, err)
	_, err = f.app.Post(t.Context(), "/v1/datasets/document", map[string]any{"seconds": 3600})
	require.NoError(t, err)
	t.Cleanup(f.app.Workers[1].Kill) // it would finish the document first
}

// slowest expects the first group of an aggregation, with at least so many milliseconds.
func slowest(name string, milliseconds float64) func(answer) error {
	return func(a answer) error {
		var got struct {
			Aggregations struct {
				What struct {
					Buckets []struct {
						Key     string
						Longest struct{ Value float64 }
					}
				}
			}
		}
		if err := json.Unmarshal([]byte(a.text), &got); err != nil {
			return err
		}
		groups := got.Aggregations.What.Buckets
		if len(groups) < 2 || !strings.HasPrefix(groups[0].Key, name) || groups[0].Longest.Value < milliseconds {
			return fmt.Errorf("%s is not the slowest", name)
		}
		return nil
	}
}
