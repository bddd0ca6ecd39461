// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// A row comparison, as in package postgres, would read the whole index here: MySQL derives a range only from a
// condition on the first column. A NULL is read as the zero value in every column: a row that violates the schema must
// not block the rows after it.
const (
	afterPosition = "t.created_at >= ? AND (t.created_at > ? OR t.id > ?)"
	upToPosition  = "t.created_at <= ? AND (t.created_at < ? OR t.id <= ?)"
	inOrder       = " ORDER BY t.created_at, t.id LIMIT ?"
)

var (
	maxError    = strconv.Itoa(source.MaxErrorLength)
	maxMetadata = strconv.Itoa(source.MaxMetadataLength)

	runColumns = "t.id, t.created_at, COALESCE(t.tenant_id, ''), COALESCE(t.app_id, ''), COALESCE(t.workflow_id, ''), " +
		"COALESCE(t.`type`, ''), COALESCE(t.triggered_from, ''), COALESCE(t.status, ''), COALESCE(t.created_by_role, ''), " +
		"COALESCE(t.created_by, ''), COALESCE(LEFT(t.`error`, " + maxError + "), ''), COALESCE(t.elapsed_time, 0), " +
		"COALESCE(t.total_tokens, 0), COALESCE(t.total_steps, 0), COALESCE(t.exceptions_count, 0), t.finished_at"
	messageColumns = "t.id, t.created_at, COALESCE(t.app_id, ''), COALESCE(t.model_provider, ''), " +
		"COALESCE(t.model_id, ''), COALESCE(t.message_tokens, 0), COALESCE(t.answer_tokens, 0), " +
		"COALESCE(t.total_price, 0), COALESCE(t.currency, ''), COALESCE(t.provider_response_latency, 0), " +
		"COALESCE(t.status, ''), COALESCE(t.invoke_from, ''), COALESCE(t.workflow_run_id, ''), " +
		strings.ReplaceAll(createdUnix, "created_at", "t.created_at")
	messageErrorColumns = ", COALESCE(t.conversation_id, ''), COALESCE(t.from_end_user_id, ''), " +
		"COALESCE(t.from_account_id, ''), COALESCE(LEFT(t.`error`, " + maxError + "), '')"
	noMessageErrors = ", '', '', '', ''"
	nodeColumns     = "workflow_run_id, COALESCE(node_type, ''), COALESCE(app_id, ''), COALESCE(triggered_from, ''), " +
		"IF(LENGTH(execution_metadata) <= " + maxMetadata + ", execution_metadata, '')"
	failedColumns = "workflow_run_id, id, COALESCE(node_id, ''), COALESCE(node_type, ''), " +
		"COALESCE(title, ''), COALESCE(app_id, ''), COALESCE(triggered_from, ''), " +
		"COALESCE(LEFT(`error`, " + maxError + "), ''), COALESCE(`index`, 0)"
	isFailed   = "`status` = 'failed'"
	saysTokens = "(LENGTH(execution_metadata) > " + maxMetadata + " OR execution_metadata LIKE '%\"total_tokens\"%')"
)

// byApp reads messages app by app: before Dify 1.12.0 they are indexed by time only within an app. It takes the time
// as an additional first argument.
const byApp = " FROM apps a STRAIGHT_JOIN messages t FORCE INDEX (message_app_id_idx) " +
	"ON t.app_id = a.id AND t.created_at >= ? WHERE "

var (
	sqlClock     = "SELECT UTC_TIMESTAMP(6), NOW(6), FROM_UNIXTIME(UNIX_TIMESTAMP() - ?)"
	sqlLocal     = "SELECT FROM_UNIXTIME(?) + INTERVAL ? MICROSECOND, TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW())"
	sqlRunsAfter = "SELECT " + runColumns + " FROM workflow_runs t WHERE " + afterPosition + inOrder
	sqlRuns      = "SELECT " + runColumns + " FROM workflow_runs t WHERE t.id IN "
	sqlRunKeys   = "SELECT t.id, t.created_at FROM workflow_runs t " +
		"WHERE " + afterPosition + " AND " + upToPosition + inOrder
	sqlExisting = "SELECT id FROM workflow_runs WHERE id IN "
	sqlMessages = " FROM messages t WHERE t.id IN "
	sqlAppLogs  = "SELECT id, created_at, workflow_run_id, COALESCE(created_from, '') " +
		"FROM workflow_app_logs WHERE workflow_run_id IN "
	onePath = "(tenant_id = ? AND app_id = ? AND workflow_id = ? " +
		"AND triggered_from IN ('workflow-run', 'rag-pipeline-run') AND workflow_run_id = ?)"
	// A local time that occurs twice is read as the later one, so that no row is taken for older than it is.
	createdUnix = "UNIX_TIMESTAMP(created_at) + IF(FROM_UNIXTIME(UNIX_TIMESTAMP(created_at) + 3600) = created_at, 3600, 0)"

	sqlScanAppLogs = "SELECT id, " + createdUnix + ", workflow_run_id, COALESCE(created_from, ''), " +
		"COALESCE(tenant_id, ''), COALESCE(app_id, ''), COALESCE(workflow_id, ''), " +
		"COALESCE(created_by_role, ''), COALESCE(created_by, '') " +
		"FROM workflow_app_logs WHERE id > ? ORDER BY id LIMIT ?"
	sqlApps    = "SELECT id, COALESCE(tenant_id, ''), COALESCE(name, ''), COALESCE(mode, '') FROM apps WHERE id IN "
	sqlTenants = "SELECT id, COALESCE(name, '') FROM tenants WHERE id IN "
)

// tables reads the tables that are followed in the order of time.
type tables struct{ *session }

func (c tables) RunsAfter(ctx context.Context, after source.Position, limit int) ([]source.Run, error) {
	at := datetime(after.CreatedAt)
	return query(ctx, c.session, "read workflow_runs", sqlRunsAfter, scanRun, at, at, after.ID, limit)
}

func (c tables) Runs(ctx context.Context, ids []string) ([]source.Run, error) {
	return queryIDs(ctx, c.session, "read workflow_runs by id", sqlRuns, scanRun, ids)
}

func (c tables) MessagesAfter(ctx context.Context, after source.Position, limit int) ([]source.Message, error) {
	at := datetime(after.CreatedAt)
	from, args := c.messages(at)
	return query(
		ctx,
		c.session,
		"read messages",
		c.messageColumns()+from+afterPosition+inOrder,
		scanMessage,
		append(args, at, at, after.ID, limit)...)
}

// messages returns the FROM clause for messages, and its arguments.
func (c tables) messages(createdAt string) (string, []any) {
	if !c.schema.MessagesByTime && c.schema.MessagesByApp {
		return byApp, []any{createdAt}
	}
	return " FROM messages t WHERE ", nil
}

// messageColumns returns the beginning of a statement that reads messages.
func (c tables) messageColumns() string {
	if !c.schema.Reads(source.PartMessageErrors) {
		return "SELECT " + messageColumns + noMessageErrors
	}
	return "SELECT " + messageColumns + messageErrorColumns
}

func (c tables) Messages(ctx context.Context, ids []string) ([]source.Message, error) {
	return queryIDs(ctx, c.session, "read messages by id", c.messageColumns()+sqlMessages, scanMessage, ids)
}

func (c tables) Keys(
	ctx context.Context, table source.Table, after, upTo source.Position, limit int,
) ([]source.Key, error) {
	from, to := datetime(after.CreatedAt), datetime(upTo.CreatedAt)
	statement, args := sqlRunKeys, []any(nil)
	if table == source.Messages {
		var source string
		source, args = c.messages(from)
		statement = "SELECT t.id, t.created_at" + source + afterPosition + " AND " + upToPosition + inOrder
	}
	scan := func(rows *sql.Rows) (key source.Key, err error) {
		err = rows.Scan(&key.ID, &key.CreatedAt)
		return key, err
	}
	return query(ctx, c.session, "read "+string(table)+" again", statement, scan,
		append(args, from, from, after.ID, to, to, upTo.ID, limit)...)
}

func (c tables) Existing(ctx context.Context, runIDs []string) ([]string, error) {
	return queryIDs(ctx, c.session, "look for runs", sqlExisting, func(rows *sql.Rows) (id string, err error) {
		err = rows.Scan(&id)
		return id, err
	}, runIDs)
}
