// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/tests/internal/collector"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/recordings"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
)

// Everything that a real Dify emitted at its work (testdata/recordings-work/README.md) arrives: each span once, each
// node with its run, tenant and outcome, each streaming request linked with its run, each run with its status as the
// database has it, and no content.
func TestRecordedWorkArrives(t *testing.T) {
	recorded := map[string]recordedSpan{}
	lines := recordings.Lines(t, recordings.WorkTraces)
	for _, line := range lines {
		readSpans(t, line, recorded)
	}
	require.Len(t, recorded, 2433)
	callers := callersOf(recorded)

	s := newStack(t, stackOptions{
		overlays: append(collector.KeepDays(), "yaml:receivers::workflow_log::start_at: beginning"),
		env:      map[string]string{"OTELCOL_SENTRY_DSN": ""},
		fill: func(ctx context.Context, database string) error {
			return servers.SharedPostgres(t).Restore(ctx, database, recordings.Unzipped(t, recordings.WorkRows))
		},
	})
	ended := s.recordedRuns(t)
	s.expectRecordedRuns(t, ended)
	s.expectFailedMessages(t)

	for _, line := range lines {
		require.Equal(t, http.StatusOK, exportHTTP(t, s.Collector, "traces", "", line))
	}
	dropped, err := s.OwnMetric(t.Context(), droppedItems, `kind="span"`)
	require.NoError(t, err)
	hits := s.documents(t, len(recorded)-int(dropped), "dify-traces-*", servers.All())
	nodes := s.recordedNodes(t)
	wrong := map[string]int{}
	links := traceLinks{}
	for _, hit := range hits {
		links.add(hit)
		_, known := recorded[hit.ID]
		require.Truef(t, known, "document %s was never recorded, or came twice", hit.ID)
		delete(recorded, hit.ID)
		if fault := nodes.fault(hit); fault != "" {
			wrong[fault]++
		}
		for _, place := range markedPlaces(t, hit) {
			wrong["content in "+place]++
		}
	}
	for id, span := range recorded {
		assert.Truef(t, span.noise(), "span %s (%s) is missing", id, span.name)
	}
	assert.Empty(t, wrong)
	links.check(t, callers)
	s.documents(t, 0, "otelcol-dify-dead-letter*", servers.All())
}

// recordedRuns returns the status of each run that has ended, by its ID.
func (s *stack) recordedRuns(t *testing.T) map[string]string {
	t.Helper()
	rows, err := s.db.Query(t.Context(), "SELECT id::text, status FROM workflow_runs WHERE finished_at IS NOT NULL")
	require.NoError(t, err)
	runs := map[string]string{}
	for rows.Next() {
		var id, status string
		require.NoError(t, rows.Scan(&id, &status))
		runs[id] = status
	}
	require.NoError(t, rows.Err())
	return runs
}

// expectRecordedRuns waits until each ended run is one document with its status, and counted.
func (s *stack) expectRecordedRuns(t *testing.T, ended map[string]string) {
	t.Helper()
	byStatus := map[string]float64{}
	for _, status := range ended {
		byStatus[status]++
	}
	for status, count := range byStatus {
		s.expectValue(t, count, fmt.Sprintf(`sum(app_workflow_run_total{dify_workflow_run_status=%q})`, status))
	}
	s.expectRunDocuments(t, ended)
}

// expectRunDocuments waits until each ended run is one document with its status.
func (s *stack) expectRunDocuments(t *testing.T, ended map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, hit := range s.documents(t, len(ended), "workflow-logs-*", ofEvent("dify.workflow.run")) {
		got[attribute(hit, "dify.workflow_run_id")] = attribute(hit, "dify.workflow_run.status")
	}
	assert.Equal(t, ended, got)
}

// expectFailedMessages waits until each message that ended with an error, and no other, is a document.
func (s *stack) expectFailedMessages(t *testing.T) {
	t.Helper()
	rows, err := s.db.Query(t.Context(), "SELECT id::text FROM messages WHERE status = 'error'")
	require.NoError(t, err)
	failed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.NotEmpty(t, failed)
	var got []string
	for _, hit := range s.documents(t, len(failed), "workflow-logs-*", ofEvent("dify.message.run")) {
		got = append(got, attribute(hit, "dify.message_id"))
	}
	assert.ElementsMatch(t, failed, got)
}

// ofEvent is a query for the records of an event.
func ofEvent(name string) map[string]any {
	return map[string]any{"term": map[string]any{"attributes.event.name": name}}
}

// recordedNode is a node execution as the database has it.
type recordedNode struct{ kind, status, tenant, app, run string }

type recordedNodes map[string]recordedNode

func (s *stack) recordedNodes(t *testing.T) recordedNodes {
	t.Helper()
	rows, err := s.db.Query(t.Context(), "SELECT id::text, node_type, status, tenant_id::text, app_id::text, "+
		"workflow_run_id::text FROM workflow_node_executions")
	require.NoError(t, err)
	nodes := recordedNodes{}
	for rows.Next() {
		var id string
		var n recordedNode
		require.NoError(t, rows.Scan(&id, &n.kind, &n.status, &n.tenant, &n.app, &n.run))
		nodes[id] = n
	}
	require.NoError(t, rows.Err())
	return nodes
}

// decidable are the types of nodes whose span shows whether it failed: Dify sets OK on all.
var decidable = []string{"code", "http-request", "knowledge-retrieval", "llm", "tool"}

// fault returns what is wrong with the document of a node's span, or "".
func (n recordedNodes) fault(hit servers.Hit) string {
	node, ok := n[attribute(hit, "node.execution_id")]
	if !ok {
		return ""
	}
	status, _ := hit.Source["status"].(map[string]any)
	failed := status["code"] == "Error"
	switch {
	case attribute(hit, "dify.tenant_id") != node.tenant:
		return node.kind + " without its tenant"
	case attribute(hit, "dify.app_id") != node.app:
		return node.kind + " without its app"
	case attribute(hit, "dify.workflow_run_id") != node.run:
		return node.kind + " without its run"
	case slices.Contains(decidable, node.kind) && failed != (node.status != "succeeded"):
		return fmt.Sprintf("%s that %s, with status %v", node.kind, node.status, status["code"])
	default:
		return ""
	}
}

var (
	marks = regexp.MustCompile(`CONTENT-\d+-\w+|SECRET-|user-PII-`)

	// stays is what an error text may quote: a server's answer, a key that the provider has masked, and a document that
	// could not be embedded, which no span has.
	stays = regexp.MustCompile(`-(PROVERR|TARGETERR|KEY|DOC)$`)
)

// markedPlaces returns the fields of a document that have marked content.
func markedPlaces(t *testing.T, hit servers.Hit) []string {
	t.Helper()
	var places []string
	for key, field := range hit.Source {
		values, ok := field.(map[string]any)
		if !ok {
			values = map[string]any{"": field}
		}
		for name, value := range values {
			text, err := json.Marshal(value)
			require.NoError(t, err)
			for _, mark := range marks.FindAllString(string(text), -1) {
				if !stays.MatchString(mark) {
					places = append(places, key+"."+name+": "+mark)
				}
			}
		}
	}
	return places
}
