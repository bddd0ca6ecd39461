// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// gauge returns the value of a gauge's point of a table in the latest emission.
func (s *sink) gauge(name, table, state string) (value float64, ok bool) {
	all := s.emissions()
	if len(all) == 0 {
		return 0, false
	}
	for _, metric := range all[len(all)-1].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if metric.Name() != name {
			continue
		}
		for _, point := range metric.Gauge().DataPoints().All() {
			of, _ := point.Attributes().Get("db.collection.name")
			is, _ := point.Attributes().Get("state")
			if of.Str() == table && (state == "" || is.Str() == state) {
				if point.ValueType() == pmetric.NumberDataPointValueTypeInt {
					return float64(point.IntValue()), point.Timestamp() != pcommon.Timestamp(0)
				}
				return point.DoubleValue(), point.Timestamp() != pcommon.Timestamp(0)
			}
		}
	}
	return 0, false
}

const (
	tableSize = "dify.database.table.size"
	tableRows = "dify.database.table.rows"
	tableAge  = "dify.database.table.oldest_row.age"
)

// Sizes and rows are the database's own numbers, and the oldest row is found whatever the time zone of the column is.
func testTables(t *testing.T, db *database) {
	const runs = 40
	db.insertNames(t)
	db.insert(t, newRun().at(time.Now().Add(-72*time.Hour)))
	for range runs - 1 {
		db.insert(t, newRun())
	}
	db.insertMessage(t, "gpt-4o", "service-api", nil)
	analyze := "ANALYZE %s"
	if db.driver == driverMySQL {
		analyze = "ANALYZE TABLE %s"
	}
	db.exec(t, analyze, "workflow_runs")

	cfg := db.config()
	cfg.TablesInterval = time.Second
	role := "tables_" + db.name
	db.createRole(t, role)
	defer db.dropRole(t, role)
	db.grant(t, role)
	cfg.Username, cfg.Password = role, "hunter2"
	r := startHarness(t, cfg, newMemory())
	require.Eventually(t, func() bool {
		live, ok := r.gauge(tableRows, "workflow_runs", "live")
		return ok && live == runs
	}, waitFor, tick, "the estimate after ANALYZE")
	age, ok := r.gauge(tableAge, "workflow_runs", "")
	require.True(t, ok)
	assert.InDelta(t, 72*3600, age, 600)
	age, ok = r.gauge(tableAge, "messages", "")
	require.True(t, ok)
	assert.InDelta(t, 0, age, 600, "in the time zone of the column")
	_, ok = r.gauge(tableAge, "workflow_node_executions", "")
	assert.False(t, ok, "no index leads to it")
	size, ok := r.gauge(tableSize, "workflow_runs", "")
	require.True(t, ok)
	assert.GreaterOrEqual(t, size, 8192.0)
	assert.Less(t, size, 16e6)
	_, ok = r.gauge(tableSize, "apps", "")
	assert.False(t, ok, "it does not grow with the use of Dify")

	if db.driver == driverPostgreSQL {
		db.exec(t, "DELETE FROM workflow_runs WHERE created_at < now() - interval '1 day'")
		require.Eventually(t, func() bool {
			dead, found := r.gauge(tableRows, "workflow_runs", "dead")
			return found && dead >= 1
		}, waitFor, tick, "a dead row")
	} else {
		_, ok = r.gauge(tableRows, "workflow_runs", "dead")
		assert.False(t, ok, "MySQL does not count them")
	}
	r.stop(t)
}

// Partitions are added up, and what the database refuses stops nothing else.
func testTablesPostgres(t *testing.T, db *database) {
	db.exec(t, "CREATE TABLE conversations (id int, created_at timestamp) PARTITION BY RANGE (id)")
	db.exec(t, "CREATE TABLE c1 PARTITION OF conversations FOR VALUES FROM (0) TO (10)")
	db.exec(t, "CREATE TABLE c2 PARTITION OF conversations FOR VALUES FROM (10) TO (100)")
	db.exec(t, "INSERT INTO conversations SELECT n FROM generate_series(1, 30) n")
	db.exec(t, "ANALYZE c1, c2")
	cfg := db.config()
	cfg.TablesInterval = time.Second
	r := startHarness(t, cfg, newMemory())
	require.Eventually(t, func() bool {
		live, ok := r.gauge(tableRows, "conversations", "live")
		return ok && live == 30
	}, waitFor, tick)

	db.exec(t, "REVOKE EXECUTE ON FUNCTION pg_total_relation_size(regclass) FROM PUBLIC")
	role := "refused_" + db.name
	db.createRole(t, role)
	defer db.dropRole(t, role)
	db.grant(t, role)
	r.stop(t)
	cfg.Username, cfg.Password = role, "hunter2"
	refused := startHarness(t, cfg, newMemory())
	require.Eventually(t, func() bool {
		return refused.logged("sizes of Dify's tables cannot be read") == 1
	}, waitFor, tick)
	run := newRun()
	db.insert(t, run)
	refused.waitDelivered(t, runEvent, run.id)
	assert.Zero(t, refused.logged("Reading Dify's database failed"))
	_, ok := refused.gauge(tableSize, "workflow_runs", "")
	assert.False(t, ok)
	refused.stop(t)
}

func testTablesOff(t *testing.T, db *database) {
	cfg := db.config()
	cfg.TablesInterval = 0
	run := newRun()
	db.insert(t, run)
	r := startHarness(t, cfg, newMemory())
	r.waitCounter(t, 1, "app.workflow.run.total", nil)
	_, ok := r.gauge(tableSize, "workflow_runs", "")
	assert.False(t, ok)
	r.stop(t)
}
