// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const historyRuns = 200_000

// bigColumns must never be read. The first two belong to three tables, the third to one.
var bigColumns = regexp.MustCompile(`\b(graph|inputs|outputs|process_data|query|answer|message)\b`)

// steadyState makes the receiver do once everything that it does from day to day: new, late and very late runs, an
// open one, an app log without a run, a chat, and the rescan of what has been read.
func steadyState(t *testing.T, db *database, cfg *Config) {
	t.Helper()
	cfg.StartAt = startAtEnd
	cfg.LookBack, cfg.OutcomeWait = time.Second, time.Second
	r := startHarness(t, cfg, newMemory())
	require.Eventually(t, func() bool { return r.logged("There is no checkpoint") == 1 }, waitFor, tick)
	running, ended := newRun().at(time.Now()).as(difysemconv.StatusRunning), newRun().at(time.Now())
	late := newRun().at(time.Now().Add(-time.Hour))
	late.finishedAt = time.Now().UTC().Add(time.Minute)
	for _, run := range []runRow{running, ended, late} {
		db.insertAppLog(t, run)
		db.insertNode(t, run, "llm", `{"total_tokens": 1}`)
		db.insert(t, run)
	}
	db.answer(t, db.insertMessage(t, "gpt-4o", "service-api", nil), 1, 1, 0)
	begun := db.insertMessage(t, "gpt-4o", "service-api", nil)
	missing, paused := newRun(), newRun().at(time.Now()).as(difysemconv.StatusPaused)
	db.pause(t, paused, time.Now(), "human_input_required")
	db.insert(t, paused)
	db.fail(t, db.insertMessage(t, "gpt-4o", "service-api", nil), "x")
	db.insertOldAppLog(t, missing, -2*time.Second)
	r.waitMessages(t, 1)
	r.waitDelivered(t, runEvent, ended.id, late.id)
	require.Eventually(t, func() bool {
		return r.waitingGauge(difysemconv.MetricRunWaiting, "human_input_required") == 1
	}, waitFor, tick)
	db.end(t, running, difysemconv.StatusFailed)
	db.answer(t, begun, 1, 1, 0)
	r.waitDelivered(t, runEvent, ended.id, late.id, running.id)
	r.waitDelivered(t, unknownEvent, missing.id)
	r.waitCounter(t, 4, difysemconv.MetricTokenUsage, map[string]string{"gen_ai.request.model": "gpt-4o"})
	r.settled(t, db)
	r.stop(t)
}

// fillOthers fills the tables that only some statements read, with many rows of which few count.
func fillOthers(t *testing.T, db *database) {
	t.Helper()
	const rows = 20_000
	from, number := fmt.Sprintf("generate_series(1, %d) AS s (seq)", rows), "seq"
	id, since := "gen_random_uuid()", "timezone('UTC', now()) - interval '2 days'"
	if db.driver == driverMySQL {
		from, id, since = fmt.Sprintf("seq_1_to_%d", rows), "UUID()", "UTC_TIMESTAMP() - INTERVAL 2 DAY"
	}
	for _, insert := range []string{
		"workflow_pauses (id, workflow_id, workflow_run_id, state_object_key, created_at, resumed_at) SELECT " +
			id + ", '" + testFlow + "', " + id + ", 'x', " + since + ", " + since,
		"workflow_pause_reasons (id, pause_id, type, form_id, message, node_id) SELECT " +
			id + ", " + id + ", 'human_input_required', '', '', ''",
		"human_input_forms (id, tenant_id, app_id, workflow_run_id, node_id, form_definition, rendered_content, status, " +
			"expiration_time) SELECT " + id + ", '" + testTenant + "', '" + testApp + "', " + id + ", '', '', '', " +
			"'submitted', " + since,
		"workflow_trigger_logs (id, tenant_id, app_id, workflow_id, trigger_metadata, trigger_type, trigger_data, inputs, " +
			"status, queue_name, retry_count, created_by_role, created_by) SELECT " + id + ", '" + testTenant + "', '" +
			testApp + "', '" + testFlow + "', '', 'webhook', 'secret', 'secret', CASE WHEN " + number +
			" % 1000 = 0 THEN 'failed' ELSE 'succeeded' END, 'q', 0, 'end_user', 'x'",
		"message_feedbacks (id, app_id, conversation_id, message_id, rating, content, from_source) SELECT " + id + ", '" +
			testApp + "', " + id + ", " + id + ", 'like', 'secret', 'user'",
	} {
		db.exec(t, "INSERT INTO %s FROM %s", insert, from)
	}
	if db.driver == driverMySQL {
		db.exec(t, "ANALYZE TABLE workflow_pauses, workflow_pause_reasons, human_input_forms, workflow_trigger_logs, "+
			"message_feedbacks")
	}
}

// testPlansPostgres asks the server for the plan of each statement that the receiver sent, with the values it sent.
func testPlansPostgres(t *testing.T, s *postgresServer) {
	db := s.newDatabase(t)
	fillHistory(t, db, historyRuns)
	db.exec(
		t,
		"INSERT INTO messages (id, app_id, model_provider, model_id, conversation_id, inputs, query, message, "+
			"message_unit_price, answer, "+
			"answer_unit_price, currency, from_source, created_at, message_tokens) SELECT gen_random_uuid(), app_id, "+
			"'openai', 'gpt-4o', id, '{}', 'secret', '{}', "+
			"0, 'secret', 0, 'USD', 'api', created_at, 5 FROM workflow_runs",
	)
	fillOthers(t, db)
	// Values stored outside the row, as large ones are, so that reading them is detectable.
	db.exec(
		t,
		"UPDATE workflow_runs SET graph = g.big, inputs = g.big, outputs = g.big, created_at = timezone('UTC', now()) - "+
			"interval '1 minute' FROM "+
			"(SELECT string_agg(md5(i::text), '') AS big FROM generate_series(1, 1000) AS i) AS g WHERE id IN (SELECT id "+
			"FROM workflow_runs LIMIT 20)",
	)
	require.NoError(t, db.run("VACUUM ANALYZE"))
	conn, err := s.connect(db.name)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()

	db.exec(t, "SELECT pg_stat_force_next_flush()") // what the inserts read is counted now, and not later
	before := tableReads(t, conn)
	file := filepath.Join(t.TempDir(), "statements")
	cfg := db.config()
	cfg.Port = startRecorder(t, cfg.Host, cfg.Port, file)
	steadyState(t, db, cfg)

	for statement, bound := range recorded(t, file) {
		assert.NotRegexp(t, bigColumns, strings.ReplaceAll(statement, "messages", ""), statement)
		result := conn.PgConn().
			ExecParams(t.Context(), "EXPLAIN "+statement, bound.Parameters, nil, bound.ParameterFormatCodes, nil).
			Read()
		require.NoError(t, result.Err, statement)
		for _, row := range result.Rows {
			assert.NotRegexp(t, `Seq Scan on (workflow_|messages|human_)`, string(row[0]), statement)
		}
	}
	// The server's own counts. The test's statements find their rows by ID.
	require.Eventually(t, func() bool { return tableReads(t, conn).tuples > before.tuples }, waitFor, tick)
	after := tableReads(t, conn)
	assert.Equal(t, before.scans, after.scans, "a table was scanned")
	assert.Equal(t, before.toast, after.toast, "a large value was read")
}

// reads are the server's statistics of the large tables.
type reads struct{ scans, toast, tuples int64 }

func tableReads(t *testing.T, conn *pgx.Conn) (r reads) {
	t.Helper()
	require.NoError(
		t,
		conn.QueryRow(t.Context(), "SELECT sum(seq_scan)::int8, sum(toast_blks_read + toast_blks_hit)::int8, "+
			"sum(idx_tup_fetch)::int8 "+
			"FROM pg_stat_user_tables JOIN pg_statio_user_tables USING (relid) WHERE pg_stat_user_tables.relname IN "+
			"('workflow_runs', 'workflow_app_logs', 'workflow_node_executions')").
			Scan(&r.scans, &r.toast, &r.tuples),
	)
	return r
}

// recorded returns the statements on the large tables, each with its latest values.
func recorded(t *testing.T, file string) map[string]pgproto3.Bind {
	t.Helper()
	recording, err := os.Open(file)
	require.NoError(t, err)
	defer func() { _ = recording.Close() }()
	statements, parsed := map[string]pgproto3.Bind{}, pgproto3.Parse{}
	for from := bufio.NewReader(recording); ; {
		message, err := readMessage(from, 1)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if message[0] == messageParse {
			require.NoError(t, parsed.Decode(message[5:]))
			continue
		}
		var bound pgproto3.Bind
		require.NoError(t, bound.Decode(message[5:]))
		if strings.HasPrefix(parsed.Query, "SELECT") && !strings.Contains(parsed.Query, "LIMIT 0") {
			statements[parsed.Query] = bound
		}
	}
	everyKindOfStatement(t, len(statements), func(part string) bool {
		for statement := range statements {
			if strings.Contains(strings.Join(strings.Fields(statement), " "), part) {
				return true
			}
		}
		return false
	})
	return statements
}

func everyKindOfStatement(t *testing.T, statements int, has func(part string) bool) {
	t.Helper()
	assert.GreaterOrEqual(t, statements, 10)
	for _, part := range []string{
		"FROM workflow_runs", "FROM workflow_app_logs WHERE " +
			"workflow_run_id", "FROM workflow_node_executions", "FROM messages", "FROM workflow_pauses",
		"FROM workflow_trigger_logs",
	} {
		assert.True(t, has(part), part)
	}
}

// testPlansMySQL does the same with the server's log of statements.
func testPlansMySQL(t *testing.T, s *mysqlServer) {
	db := s.newDatabase(t)
	script, err := os.ReadFile(filepath.Join("testdata", "history_mysql.sql"))
	require.NoError(t, err)
	require.NoError(t, db.run(string(script)))
	fillOthers(t, db)
	require.NoError(t, s.run("SET GLOBAL log_output = 'TABLE'"))
	require.NoError(t, s.run("SET GLOBAL general_log = ON"))
	steadyState(t, db, db.config())
	require.NoError(t, s.run("SET GLOBAL general_log = OFF"))

	admin, err := s.open(db.name)
	require.NoError(t, err)
	defer func() { _ = admin.Close() }()
	statements := logged(t, admin)
	for _, statement := range statements {
		assert.NotRegexp(t, bigColumns, strings.ReplaceAll(statement, "messages", ""), statement)
		plan, err := admin.QueryContext(t.Context(), "EXPLAIN "+statement)
		require.NoError(t, err, statement)
		for _, step := range rowsOf(t, plan) {
			if step["type"] == "ALL" || step["type"] == "index" {
				assert.Less(t, len(step["rows"]), 5, "%v of\n%s", step, statement) // fewer than 10,000 rows
			}
		}
	}
	everyKindOfStatement(t, len(statements), func(part string) bool {
		for _, statement := range statements {
			if strings.Contains(statement, strings.Split(part, " WHERE ")[0]) {
				return true
			}
		}
		return false
	})
}

// logged returns the receiver's statements, one of each kind.
func logged(t *testing.T, admin *sql.DB) map[string]string {
	t.Helper()
	rows, err := admin.QueryContext(
		t.Context(),
		"SELECT CONVERT(argument USING utf8mb4) AS statement FROM mysql.general_log "+
			"WHERE command_type IN ('Query', 'Execute') AND argument LIKE 'SELECT %' AND argument NOT LIKE '%LIMIT 0' AND "+
			"argument NOT LIKE '%information_schema%'",
	)
	require.NoError(t, err)
	values := regexp.MustCompile(`'[^']*'|\b\d+\b`)
	kinds := map[string]string{}
	for _, row := range rowsOf(t, rows) {
		if statement := row["statement"]; strings.Contains(statement, " FROM workflow_") ||
			strings.Contains(statement, " FROM messages") {
			kinds[regexp.MustCompile(`(\?,)+`).ReplaceAllString(values.ReplaceAllString(statement, "?"), "")] = statement
		}
	}
	return kinds
}

func rowsOf(t *testing.T, rows *sql.Rows) []map[string]string {
	t.Helper()
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var found []map[string]string
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(t, rows.Scan(into...))
		row := map[string]string{}
		for i, column := range columns {
			row[column] = values[i].String
		}
		found = append(found, row)
	}
	require.NoError(t, rows.Err())
	return found
}
