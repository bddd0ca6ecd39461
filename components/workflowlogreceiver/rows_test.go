// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	testTenant = "11111111-1111-4111-8111-111111111111"
	testApp    = "22222222-2222-4222-8222-222222222222"
	testUser   = "33333333-3333-4333-8333-333333333333"
	testFlow   = "44444444-4444-4444-8444-444444444444"
)

// runRow is a row of workflow_runs in a test.
type runRow struct {
	id, app, status, trigger string
	createdAt                time.Time
	finishedAt               time.Time // zero: NULL
	tokens                   int
	elapsed                  float64
	failure                  string
}

// newRun returns a run that began and succeeded just now by the database's clock.
func newRun() runRow {
	now := time.Now().UTC()
	return runRow{
		id: uuid.NewString(), app: testApp, status: difysemconv.StatusSucceeded, trigger: "app-run",
		createdAt: now.Add(-time.Second), finishedAt: now, elapsed: 1,
	}
}

func (r runRow) at(createdAt time.Time) runRow {
	r.createdAt, r.finishedAt = createdAt.UTC(), createdAt.UTC().Add(time.Second)
	return r
}

func (r runRow) as(status string) runRow {
	r.status = status
	if status == difysemconv.StatusRunning || status == difysemconv.StatusPaused {
		r.finishedAt = time.Time{}
	}
	return r
}

func (r runRow) insertSQL() string {
	return fmt.Sprintf(
		"INSERT INTO workflow_runs (id, tenant_id, app_id, workflow_id, type, triggered_from, version, graph, inputs, "+
			"status, outputs, "+
			"error, elapsed_time, total_tokens, total_steps, created_by_role, created_by, created_at, finished_at, "+
			"exceptions_count) "+
			"VALUES ('%s', '%s', '%s', '%s', 'workflow', '%s', '1', 'secret graph', 'secret inputs', '%s', 'secret outputs', "+
			"%s, %g, %d, 3, 'end_user', '%s', %s, %s, 0)",
		r.id,
		testTenant,
		r.app,
		testFlow,
		r.trigger,
		r.status,
		quoteOrNull(r.failure),
		r.elapsed,
		r.tokens,
		testUser,
		sqlTime(r.createdAt),
		sqlTime(r.finishedAt),
	)
}

func sqlTime(t time.Time) string {
	if t.IsZero() {
		return "NULL"
	}
	return t.UTC().Format("'2006-01-02 15:04:05.000000'")
}

func quoteOrNull(s string) string {
	if s == "" {
		return "NULL"
	}
	return "'" + s + "'"
}

func (d *database) insert(t *testing.T, runs ...runRow) {
	t.Helper()
	for _, run := range runs {
		d.exec(t, "%s", run.insertSQL())
	}
}

func (d *database) end(tb testing.TB, run runRow, status string) {
	tb.Helper()
	d.exec(
		tb, "UPDATE workflow_runs SET status = '%s', finished_at = %s, elapsed_time = 2 WHERE id = '%s'", status,
		sqlTime(time.Now()), run.id,
	)
}

func (d *database) insertAppLog(t *testing.T, run runRow) (id string) {
	t.Helper()
	id = uuid.NewString()
	d.exec(
		t,
		"INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id, created_from, "+
			"created_by_role, created_by) "+
			"VALUES ('%s', '%s', '%s', '%s', '%s', 'service-api', 'end_user', '%s')",
		id,
		testTenant,
		run.app,
		testFlow,
		run.id,
		testUser,
	)
	return id
}

func (d *database) insertNode(t *testing.T, run runRow, kind, metadata string) string {
	t.Helper()
	id := uuid.NewString()
	index := "\"index\""
	if d.driver == driverMySQL {
		index = "`index`"
	}
	d.exec(
		t,
		"INSERT INTO workflow_node_executions (id, tenant_id, app_id, workflow_id, triggered_from, workflow_run_id, %s, "+
			"node_id, node_type, title, "+
			"process_data, status, execution_metadata, created_by_role, created_by) VALUES ('%s', '%s', '%s', '%s', "+
			"'workflow-run', '%s', 1, 'n', '%s', 'N', "+
			"'secret', 'succeeded', %s, 'end_user', '%s')",
		index,
		id,
		testTenant,
		run.app,
		testFlow,
		run.id,
		kind,
		quoteOrNull(metadata),
		testUser,
	)
	return id
}

// failNode inserts a node that failed and returns the ID of its execution.
func (d *database) failNode(t *testing.T, run runRow, failure string) string {
	t.Helper()
	id := d.insertNode(t, run, "llm", "")
	d.exec(t, "UPDATE workflow_node_executions SET status = 'failed', error = '%s' WHERE id = '%s'", failure, id)
	return id
}

func (d *database) insertNames(t *testing.T) {
	t.Helper()
	d.exec(t, "INSERT INTO tenants (id, name) VALUES ('%s', 'Acme')", testTenant)
	d.exec(
		t,
		"INSERT INTO apps (id, tenant_id, name, mode, enable_site, enable_api) VALUES ('%s', '%s', 'Translate', "+
			"'workflow', %s, %s)",
		testApp,
		testTenant,
		d.yes(),
		d.yes(),
	)
}

func (d *database) yes() string {
	if d.driver == driverMySQL {
		return "1"
	}
	return "true"
}

func idsOf(runs []runRow) []string {
	ids := make([]string, len(runs))
	for i, run := range runs {
		ids[i] = run.id
	}
	return ids
}

// createRole creates a role that may connect but read nothing.
func (d *database) createRole(t *testing.T, role string) {
	t.Helper()
	if d.driver == driverMySQL {
		d.exec(t, "CREATE USER %s IDENTIFIED BY 'hunter2'", role)
		d.exec(t, "GRANT SELECT ON %s.tenants TO %s", d.name, role)
		return
	}
	d.exec(t, "CREATE ROLE %s LOGIN PASSWORD 'hunter2'", role)
}

// grant gives a role the privileges that the README lists.
func (d *database) grant(t *testing.T, role string) {
	t.Helper()
	tables := slices.Clone(source.Required)
	for _, optional := range source.OptionalParts {
		tables = append(tables, optional.Tables...)
	}
	for _, table := range tables {
		columns := " (" + table.Columns + ")"
		if d.driver == driverMySQL {
			columns = " (`" + strings.ReplaceAll(table.Columns, ", ", "`, `") + "`)"
		}
		if table.Table == "workflow_app_logs" { // ctid cannot be granted as a column
			columns = ""
		}
		d.exec(t, "GRANT SELECT%s ON %s TO %s", columns, table.Table, role)
	}
}

func (d *database) dropRole(t *testing.T, role string) {
	t.Helper()
	if d.driver == driverMySQL {
		d.exec(t, "DROP USER %s", role)
		return
	}
	d.exec(t, "DROP OWNED BY %s", role)
	d.exec(t, "DROP ROLE %s", role)
}
