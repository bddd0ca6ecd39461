// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

var (
	maxError    = strconv.Itoa(source.MaxErrorLength)
	maxMetadata = strconv.Itoa(source.MaxMetadataLength)

	runColumns = `id, created_at, tenant_id, app_id, workflow_id, type, triggered_from, status, created_by_role,
	created_by, left(error, ` + maxError + `), elapsed_time, total_tokens, total_steps, exceptions_count, finished_at`
	messageColumns = `m.id, m.created_at, m.app_id, m.model_provider, m.model_id, m.message_tokens, m.answer_tokens,
	m.total_price::float8, m.currency, m.provider_response_latency, m.status, m.invoke_from, m.workflow_run_id`
	messageErrorColumns = `, m.conversation_id, m.from_end_user_id, m.from_account_id, left(m.error, ` + maxError + `)`
	nodeColumns         = `n.workflow_run_id, n.node_type, n.app_id, n.triggered_from,
	CASE WHEN octet_length(n.execution_metadata) <= ` + maxMetadata + ` THEN n.execution_metadata ELSE '' END`
	failedColumns = `n.workflow_run_id, n.id, n.node_id, n.node_type, n.title, n.app_id, n.triggered_from,
	left(n.error, ` + maxError + `), n.index::int8`
	saysTokens = `(octet_length(n.execution_metadata) > ` + maxMetadata + `
	OR n.execution_metadata LIKE '%"total_tokens"%')`
)

// The statements. $1 and $2 are a position, or $1 is an array of IDs.
var (
	sqlRunsAfter = `SELECT ` + runColumns + ` FROM workflow_runs
	WHERE (created_at, id) > ($1::timestamp, $2::uuid) ORDER BY created_at, id LIMIT $3::int8`
	sqlRunKeys = `SELECT id, created_at FROM workflow_runs
	WHERE (created_at, id) > ($1::timestamp, $2::uuid) AND (created_at, id) <= ($3::timestamp, $4::uuid)
	ORDER BY created_at, id LIMIT $5::int8`
	sqlRuns     = `SELECT ` + runColumns + ` FROM workflow_runs WHERE id = ANY($1::uuid[])`
	sqlExisting = `SELECT id FROM workflow_runs WHERE id = ANY($1::uuid[])`

	// The columns of messages stand before these.
	sqlMessagesAfter = ` FROM messages m
	WHERE (m.created_at, m.id) > ($1::timestamp, $2::uuid) ORDER BY m.created_at, m.id LIMIT $3::int8`
	sqlMessageKeys = `SELECT m.id, m.created_at FROM messages m
	WHERE (m.created_at, m.id) > ($1::timestamp, $2::uuid) AND (m.created_at, m.id) <= ($3::timestamp, $4::uuid)
	ORDER BY m.created_at, m.id LIMIT $5::int8`
	sqlMessages = ` FROM messages m WHERE m.id = ANY($1::uuid[])`

	// Before Dify 1.12.0 messages are indexed by time only within an app.
	byApp = `FROM apps a CROSS JOIN LATERAL (SELECT ` + source.ColumnsOf(source.PartMessages) + `%s
	FROM messages WHERE app_id = a.id AND created_at >= $1::timestamp) m`
	sqlMessagesAfterByApp = ` ` + byApp + `
	WHERE (m.created_at, m.id) > ($1::timestamp, $2::uuid) ORDER BY m.created_at, m.id LIMIT $3::int8`
	sqlMessageKeysByApp = `SELECT m.id, m.created_at ` + fmt.Sprintf(byApp, "") + `
	WHERE (m.created_at, m.id) > ($1::timestamp, $2::uuid) AND (m.created_at, m.id) <= ($3::timestamp, $4::uuid)
	ORDER BY m.created_at, m.id LIMIT $5::int8`

	sqlAppLogs = `SELECT id, created_at, workflow_run_id, created_from FROM workflow_app_logs
	WHERE workflow_run_id = ANY($1::uuid[])`
	sqlNodes = `SELECT ` + nodeColumns + ` FROM workflow_node_executions n
	WHERE n.workflow_run_id = ANY($1::uuid[]) AND ` + saysTokens
	nodesByPath = `
	FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) AS k (run, tenant, app, flow)
	JOIN workflow_node_executions n ON n.tenant_id = k.tenant AND n.app_id = k.app AND n.workflow_id = k.flow
	AND n.triggered_from IN ('workflow-run', 'rag-pipeline-run') AND n.workflow_run_id = k.run WHERE `
	sqlNodesByPath = `SELECT ` + nodeColumns + nodesByPath + saysTokens
	sqlFailedNodes = `SELECT ` + failedColumns + ` FROM workflow_node_executions n
	WHERE n.workflow_run_id = ANY($1::uuid[]) AND n.status = 'failed'`
	sqlFailedByPath = `SELECT ` + failedColumns + nodesByPath + `n.status = 'failed'`
	sqlApps         = `SELECT id, tenant_id, name, mode FROM apps WHERE id = ANY($1::uuid[])`
	sqlTenants      = `SELECT id, name FROM tenants WHERE id = ANY($1::uuid[])`
)

// tables reads the tables that are followed in the order of time.
type tables struct{ *session }

func (c tables) RunsAfter(ctx context.Context, after source.Position, limit int) (runs []source.Run, err error) {
	err = c.query(ctx, c.runsAfter(after, limit, &runs))
	return runs, err
}

func (c tables) runsAfter(after source.Position, limit int, into *[]source.Run) statement {
	createdAt, id := place(after)
	return collect(
		limit, "read workflow_runs", sqlRunsAfter, c.interner.readRun, into, createdAt, id, strconv.Itoa(limit),
	)
}

func (c tables) Runs(ctx context.Context, ids []string) ([]source.Run, error) {
	return atMost(ctx, c.session, len(ids), "read workflow_runs by id", sqlRuns, c.interner.readRun, array(ids))
}

func (c tables) MessagesAfter(ctx context.Context, after source.Position, limit int) ([]source.Message, error) {
	createdAt, id := place(after)
	columns, more := c.messageColumns()
	sql := columns + sqlMessagesAfter
	if !c.schema.MessagesByTime && c.schema.MessagesByApp {
		sql = columns + fmt.Sprintf(sqlMessagesAfterByApp, more)
	}
	return atMost(ctx, c.session, limit, "read messages", sql, c.interner.readMessage, createdAt, id, strconv.Itoa(limit))
}

func (c tables) Messages(ctx context.Context, ids []string) ([]source.Message, error) {
	columns, _ := c.messageColumns()
	return atMost(ctx, c.session, len(ids), "read messages by id", columns+sqlMessages, c.interner.readMessage, array(ids))
}

// messageColumns returns the beginning of a statement that reads messages, and the names of the columns that the role
// may read beyond those of PartMessages.
func (c tables) messageColumns() (columns, more string) {
	columns = "SELECT " + messageColumns + ", m.created_at"
	if c.schema.Zone.Used {
		columns += "::timestamptz AT TIME ZONE 'UTC'"
	}
	if !c.schema.Reads(source.PartMessageErrors) {
		return columns, ""
	}
	return columns + messageErrorColumns, ", " + source.ColumnsOf(source.PartMessageErrors)
}

func (c tables) Keys(
	ctx context.Context, table source.Table, after, upTo source.Position, limit int,
) ([]source.Key, error) {
	sql := sqlRunKeys
	if table == source.Messages {
		sql = sqlMessageKeys
		if !c.schema.MessagesByTime && c.schema.MessagesByApp {
			sql = sqlMessageKeysByApp
		}
	}
	fromTime, fromID := place(after)
	toTime, toID := place(upTo)
	return all(ctx, c.session, "read "+string(table)+" again", sql, readKey,
		fromTime, fromID, toTime, toID, strconv.Itoa(limit))
}

func (c tables) Existing(ctx context.Context, runIDs []string) ([]string, error) {
	return all(
		ctx, c.session, "look for runs", sqlExisting, func(values [][]byte) string { return uuidText(values[0]) },
		array(runIDs),
	)
}

func orNil(id string) string {
	if id == "" {
		return nilUUID
	}
	return id
}

// all returns the rows of one statement.
func all[T any](
	ctx context.Context, c *session, step, sql string, read func([][]byte) T, args ...string,
) ([]T, error) {
	return atMost(ctx, c, manyRows, step, sql, read, args...)
}

// atMost does the same for a statement whose number of rows is limited.
func atMost[T any](
	ctx context.Context, c *session, limit int, step, sql string, read func([][]byte) T, args ...string,
) ([]T, error) {
	var rows []T
	if err := c.query(ctx, collect(limit, step, sql, read, &rows, args...)); err != nil {
		return nil, err
	}
	return rows, nil
}

func collect[T any](limit int, step, sql string, read func([][]byte) T, into *[]T, args ...string) statement {
	return statement{step, sql, args, func(values [][]byte) {
		if n := len(*into); n == manyRows && limit > n {
			*into = slices.Grow(*into, limit-n)
		}
		*into = append(*into, read(values))
	}}
}

// manyRows is the number of rows at which a result is grown to its limit at once: a page that grows gradually is
// copied ten times.
const manyRows = 64
