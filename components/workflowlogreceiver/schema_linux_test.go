// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
)

// olderSchemas are former schemas of Dify's tables, by the last version that had them.
var olderSchemas = map[string]struct {
	changes []string
	missing string // what is logged about it, if anything
}{
	"1.7, no index from a run to its app log": {
		[]string{
			"DROP INDEX workflow_app_log_workflow_run_id_idx",
		}, "workflow_app_logs (workflow_run_id), available since Dify 1.8.1",
	},
	"1.11.2, no index by time": {
		[]string{"DROP INDEX workflow_run_created_at_id_idx"}, "workflow_runs (created_at, id), available since Dify 1.11.3",
	},
	"1.11, node executions by path and messages by app": {
		[]string{
			"DROP INDEX workflow_node_execution_workflow_run_id_idx", "DROP INDEX message_created_at_id_idx",
			"CREATE INDEX workflow_node_execution_workflow_run_idx ON workflow_node_executions (tenant_id, app_id, " +
				"workflow_id, triggered_from, workflow_run_id)",
		}, "",
	},
	"no index from a run to its nodes": {
		[]string{
			"DROP INDEX workflow_node_execution_workflow_run_id_idx",
		}, "workflow_node_executions (workflow_run_id), available since Dify 1.12.0",
	},
	"no index of messages": {
		[]string{
			"DROP INDEX message_created_at_id_idx",
			"DROP INDEX message_app_id_idx",
		}, "messages (created_at, id), available since Dify 1.12.0",
	},
	"1.4, numbers are narrower and runs are counted": {
		[]string{
			"ALTER TABLE workflow_runs ADD COLUMN sequence_number INT NOT NULL DEFAULT 1",
			"ALTER TABLE workflow_runs ALTER COLUMN total_tokens TYPE INT",
		}, "",
	},
}

// indexTables maps the prefixes of index names to their tables.
var indexTables = map[string]string{
	"workflow_trigger_log": "workflow_trigger_logs", "workflow_app_log": "workflow_app_logs", "workflow_run": "workflow_runs",
	"workflow_node": "workflow_node_executions", "message": "messages",
}

func tableOf(index string) string {
	for prefix, table := range indexTables {
		if strings.HasPrefix(index, prefix) {
			return table
		}
	}
	return ""
}

// change executes a change of the schema in the database's dialect.
func (d *database) change(t *testing.T, statement string) {
	t.Helper()
	if index, dropped := strings.CutPrefix(statement, "DROP INDEX "); dropped && d.driver == driverMySQL {
		statement = "ALTER TABLE " + tableOf(index) + " " + statement
	}
	if d.driver == driverMySQL {
		statement = strings.Replace(
			statement, "ALTER COLUMN total_tokens TYPE INT", "MODIFY total_tokens INT NOT NULL DEFAULT 0", 1,
		)
	}
	d.exec(t, "%s", statement)
}

// testOlderSchemas reads each one completely, and logs once what is expensive.
func testOlderSchemas(t *testing.T, newDatabase func(t *testing.T) *database) {
	for name, schema := range olderSchemas {
		t.Run(name, func(t *testing.T) {
			db := newDatabase(t)
			for _, change := range schema.changes {
				db.change(t, change)
			}
			db.insertNames(t)
			run := newRun()
			appLog := db.insertAppLog(t, run)
			db.insertNode(t, run, "llm", `{"total_tokens": 100, "total_price": "0.25", "currency": "USD"}`)
			db.answer(t, db.insertMessage(t, "gpt-4o", "service-api", nil), 3, 4, 0)
			db.insert(t, run)
			r := startHarness(t, db.config(), newMemory())
			r.waitDelivered(t, runEvent, run.id)
			assert.Equal(t, appLog, pdatatest.Str(r.record(t, runEvent, run.id).Attributes(), difysemconv.AttrWorkflowAppLogID))
			r.waitCounter(t, 100, difysemconv.MetricTokenUsage, map[string]string{"gen_ai.token.type": "total"})
			r.waitCounter(t, 7, difysemconv.MetricTokenUsage, map[string]string{"gen_ai.request.model": "gpt-4o"})
			if schema.missing == "" {
				assert.Zero(t, r.logged("lacks an index"))
				return
			}
			require.Equal(t, 1, r.logged("lacks an index"))
			assert.Contains(t, entryText(r.log.FilterMessageSnippet("lacks an index").All()[0]), schema.missing)
		})
	}
}
