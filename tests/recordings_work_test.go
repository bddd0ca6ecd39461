// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// execution is a row of workflow_node_executions: what is true of a node, whatever its span says.
type execution struct {
	kind, status, tenant, app, run string
}

// haveOutputs are the types of nodes whose failure their spans show: they have an output whenever they succeed.
var haveOutputs = map[string]bool{
	"llm": true, "code": true, "http-request": true, "tool": true, "knowledge-retrieval": true,
}

// What a real Dify emitted at its work (models, tools, retrieval, agents, loops, human input) is replayed whole: each
// span arrives once, less what rules name, and each node's span and each run's record say what Dify's rows say.
func TestRecordedWorkArrives(t *testing.T) {
	recorded := map[string]recordedSpan{}
	lines := recordings.Lines(t, recordings.WorkTraces)
	for _, line := range lines {
		readSpans(t, line, recorded)
	}
	require.Len(t, recorded, 4103)
	callers := callersOf(recorded)

	s := newStack(t, stackOptions{
		overlays: append(collector.KeepDays(), "yaml:receivers::workflow_log::start_at: beginning"),
		env:      map[string]string{"OTELCOL_SENTRY_DSN": ""},
		fill: func(ctx context.Context, database string) error {
			return servers.SharedPostgres(t).Restore(ctx, database, recordings.Unzipped(t, recordings.WorkRows))
		},
	})
	executions := readExecutions(t, s)
	checkRecordedRuns(t, s)
	for _, line := range lines {
		require.Equal(t, http.StatusOK, exportHTTP(t, s.Collector, "traces", "", line))
	}
	dropped, err := s.OwnMetric(t.Context(), droppedItems, `kind="span"`)
	require.NoError(t, err)
	nodes, repaired := 0, 0
	linked := map[[2]string]bool{} // traces of a streaming request and of its run
	for _, hit := range s.documents(t, len(recorded)-int(dropped), "dify-traces-*", servers.All()) {
		span, known := recorded[hit.ID]
		require.Truef(t, known, "document %s was never recorded, or came twice", hit.ID)
		delete(recorded, hit.ID)
		trace, _, _ := strings.Cut(hit.ID, "-")
		if other := attribute(hit, "dify.request.trace_id"); other != "" {
			linked[[2]string{other, trace}] = true
		}
		if other := attribute(hit, "dify.workflow_run.trace_id"); other != "" {
			linked[[2]string{trace, other}] = true
		}
		if id, ok := span.attributes.Get("node.execution_id"); ok {
			nodes++
			if checkNode(t, hit, span, executions[id.Str()]) {
				repaired++
			}
		}
	}
	for id, span := range recorded {
		assert.Truef(t, span.noise(), "span %s (%s) is missing", id, span.name)
	}
	assert.Equal(t, 625, nodes)
	checkLinked(t, linked, callers)
	assert.NotZero(t, repaired)
	t.Logf("%d nodes, %d of them failed", nodes, repaired)
	s.documents(t, 0, "otelcol-dify-dead-letter*", servers.All())
}

// callersOf returns the apps and users of each trace, as the spans of requests and of runs have them. A run that calls
// a workflow as a tool has two.
func callersOf(recorded map[string]recordedSpan) map[string][][2]string {
	callers := map[string][][2]string{}
	for id, span := range recorded {
		if strings.HasSuffix(span.name, "AppGenerateService.generate") || strings.HasSuffix(span.name, "AppRunner.run") {
			trace, _, _ := strings.Cut(id, "-")
			app, _ := span.attributes.Get("dify.app_id")
			user, _ := span.attributes.Get("gen_ai.user.id")
			callers[trace] = append(callers[trace], [2]string{app.Str(), user.Str()})
		}
	}
	return callers
}

// checkLinked expects that every streaming run is linked with one request, of its app and user, and no request twice.
func checkLinked(t *testing.T, linked map[[2]string]bool, callers map[string][][2]string) {
	t.Helper()
	assert.Len(t, linked, 80, "streaming runs")
	requests, runs := map[string]bool{}, map[string]bool{}
	for pair := range linked {
		requests[pair[0]], runs[pair[1]] = true, true
		if assert.Len(t, callers[pair[0]], 1, "%s is a request", pair[0]) {
			assert.Contains(t, callers[pair[1]], callers[pair[0]][0], "%v", pair)
		}
	}
	assert.Len(t, requests, 80)
	assert.Len(t, runs, 80)
}

// checkNode compares the document of a node's span with the recorded span and with Dify's row, which the start of an
// iteration or a loop does not have. It reports whether the node failed.
func checkNode(t *testing.T, hit servers.Hit, span recordedSpan, row execution) (failed bool) {
	t.Helper()
	for _, key := range []string{"node.id", "node.type", "node.execution_id"} {
		want, _ := span.attributes.Get(key)
		assert.Equalf(t, want.Str(), attribute(hit, key), "%s of %s", key, hit.ID)
	}
	assert.NotEmptyf(t, hit.Source["name"], "name of %s", hit.ID)
	assert.NotEmptyf(t, attribute(hit, "dify.workflow_run_id"), "run of %s", hit.ID)
	if row == (execution{}) {
		assert.Contains(t, []string{"iteration-start", "loop-start"}, attribute(hit, "node.type"))
		return false
	}
	assert.Equalf(t, row.run, attribute(hit, "dify.workflow_run_id"), "run of %s, %s", hit.ID, row.kind)
	assert.Equalf(t, row.app, attribute(hit, "dify.app_id"), "app of %s, %s", hit.ID, row.kind)
	assert.Equalf(t, row.tenant, attribute(hit, "dify.tenant_id"), "tenant of %s, %s", hit.ID, row.kind)
	status, _ := hit.Source["status"].(map[string]any)
	failed = haveOutputs[row.kind] && (row.status == "failed" || row.status == "exception")
	assert.Equalf(t, failed, status["code"] == "Error", "status of %s, %s %s", hit.ID, row.kind, row.status)
	assert.Equalf(t, failed, attribute(hit, "error.type") != "", "error.type of %s, %s", hit.ID, row.kind)
	return failed
}

func readExecutions(t *testing.T, s *stack) map[string]execution {
	t.Helper()
	rows, err := s.db.Query(t.Context(), "SELECT coalesce(node_execution_id, id::text), node_type, status, "+
		"tenant_id::text, app_id::text, coalesce(workflow_run_id::text, '') FROM workflow_node_executions")
	require.NoError(t, err)
	executions := map[string]execution{}
	for rows.Next() {
		var id string
		var e execution
		require.NoError(t, rows.Scan(&id, &e.kind, &e.status, &e.tenant, &e.app, &e.run))
		executions[id] = e
	}
	require.NoError(t, rows.Err())
	require.Len(t, executions, 579)
	return executions
}

// checkRecordedRuns compares each run's record with its rows: outcome, tokens, and the node that failed.
func checkRecordedRuns(t *testing.T, s *stack) {
	t.Helper()
	rows, err := s.db.Query(t.Context(), `SELECT r.id::text, r.status, r.total_tokens::text,
		coalesce(json_agg(n.node_id) FILTER (WHERE n.status = 'failed'), '[]')::text
		FROM workflow_runs r LEFT JOIN workflow_node_executions n ON n.workflow_run_id = r.id
		WHERE r.status IN ('succeeded', 'failed', 'partial-succeeded', 'stopped') GROUP BY r.id`)
	require.NoError(t, err)
	type outcome struct {
		status, tokens string
		failed         []string
	}
	runs, withNode := map[string]outcome{}, 0
	for rows.Next() {
		var id, nodes string
		var o outcome
		require.NoError(t, rows.Scan(&id, &o.status, &o.tokens, &nodes))
		require.NoError(t, json.Unmarshal([]byte(nodes), &o.failed))
		runs[id] = o
	}
	require.NoError(t, rows.Err())
	require.NotEmpty(t, runs)
	for _, hit := range s.documents(t, len(runs), "workflow-logs-*", servers.All()) {
		id := attribute(hit, "dify.workflow_run_id")
		want, known := runs[id]
		require.Truef(t, known, "run %s is not in the database, or came twice", id)
		delete(runs, id)
		assert.Equal(t, want.status, attribute(hit, "dify.workflow_run.status"), "status of %s", id)
		assert.Equal(t, want.tokens, attribute(hit, "dify.workflow_run.total_tokens"), "tokens of %s", id)
		if want.status == "failed" && len(want.failed) > 0 {
			withNode++
			assert.Contains(t, want.failed, attribute(hit, "node.id"), "the node that failed in %s", id)
		} else {
			assert.Empty(t, attribute(hit, "node.id"), "%s of %s", want.status, id)
		}
	}
	assert.NotZero(t, withNode)
}
