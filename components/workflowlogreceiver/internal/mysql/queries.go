// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// NULL is answered for no column: a row that breaks the schema's promise must not stop those behind it.
var runColumns = "id, created_at, COALESCE(tenant_id, ''), COALESCE(app_id, ''), COALESCE(workflow_id, ''), " +
	"COALESCE(`type`, ''), COALESCE(triggered_from, ''), COALESCE(status, ''), COALESCE(created_by_role, ''), " +
	"COALESCE(created_by, ''), COALESCE(LEFT(`error`, " + strconv.Itoa(source.MaxErrorLength) + "), ''), COALESCE(elapsed_time, 0), " +
	"COALESCE(total_tokens, 0), COALESCE(total_steps, 0), COALESCE(exceptions_count, 0), finished_at"

// A comparison of rows, as in the PostgreSQL package, reads the whole index here: MySQL finds a range only in the
// first column's own condition.
const afterPosition = "created_at >= ? AND (created_at > ? OR id > ?)"

var (
	sqlNow  = "SELECT UTC_TIMESTAMP(6)"
	sqlPage = "SELECT " + runColumns + " FROM workflow_runs WHERE " + afterPosition + " ORDER BY created_at, id LIMIT ?"
	sqlKeys = "SELECT id, created_at FROM workflow_runs WHERE " + afterPosition +
		" AND created_at <= ? AND (created_at < ? OR id <= ?) ORDER BY created_at, id LIMIT ?"
	sqlRuns    = "SELECT " + runColumns + " FROM workflow_runs WHERE id IN "
	sqlAppLogs = "SELECT id, workflow_run_id, COALESCE(created_from, '') FROM workflow_app_logs WHERE workflow_run_id IN "
	sqlNodes   = "SELECT workflow_run_id, COALESCE(node_type, ''), IF(LENGTH(execution_metadata) <= " + maxMetadata +
		", execution_metadata, '') FROM workflow_node_executions WHERE (LENGTH(execution_metadata) > " + maxMetadata +
		" OR execution_metadata LIKE '%\"total_tokens\"%') AND workflow_run_id IN "
	sqlApps    = "SELECT id, COALESCE(name, ''), COALESCE(mode, '') FROM apps WHERE id IN "
	sqlTenants = "SELECT id, COALESCE(name, '') FROM tenants WHERE id IN "

	maxMetadata = strconv.Itoa(source.MaxMetadataLength)
)

func (c *conn) Now(ctx context.Context) (time.Time, error) {
	found, err := query(ctx, c, "read the clock", sqlNow, func(rows *sql.Rows) (now time.Time, err error) {
		err = rows.Scan(&now)
		return now, err
	})
	if err != nil {
		return time.Time{}, err
	}
	return found[0], nil
}

func (c *conn) Page(ctx context.Context, after source.Position, limit int) ([]source.Run, error) {
	at := datetime(after.CreatedAt)
	return query(ctx, c, "read workflow_runs", sqlPage, scanRun, at, at, after.ID, limit)
}

func (c *conn) Keys(ctx context.Context, after, upTo source.Position, limit int) ([]source.Key, error) {
	from, to := datetime(after.CreatedAt), datetime(upTo.CreatedAt)
	return query(ctx, c, "read workflow_runs again", sqlKeys, func(rows *sql.Rows) (key source.Key, err error) {
		err = rows.Scan(&key.ID, &key.CreatedAt)
		return key, err
	}, from, from, after.ID, to, to, upTo.ID, limit)
}

func (c *conn) Runs(ctx context.Context, ids []string) ([]source.Run, error) {
	return queryIDs(ctx, c, "read open runs", sqlRuns, scanRun, ids)
}

func (c *conn) AppLogs(ctx context.Context, runIDs []string) ([]source.AppLog, error) {
	return queryIDs(ctx, c, "read workflow_app_logs", sqlAppLogs, func(rows *sql.Rows) (l source.AppLog, err error) {
		err = rows.Scan(&l.ID, &l.RunID, &l.CreatedFrom)
		return l, err
	}, runIDs)
}

func (c *conn) Nodes(ctx context.Context, runIDs []string) ([]source.Node, error) {
	return queryIDs(ctx, c, "read workflow_node_executions", sqlNodes, func(rows *sql.Rows) (n source.Node, err error) {
		err = rows.Scan(&n.RunID, &n.Type, &n.Metadata)
		return n, err
	}, runIDs)
}

func (c *conn) Apps(ctx context.Context, ids []string) ([]source.App, error) {
	return queryIDs(ctx, c, "read apps", sqlApps, func(rows *sql.Rows) (a source.App, err error) {
		err = rows.Scan(&a.ID, &a.Name, &a.Mode)
		return a, err
	}, ids)
}

func (c *conn) Tenants(ctx context.Context, ids []string) ([]source.Tenant, error) {
	return queryIDs(ctx, c, "read tenants", sqlTenants, func(rows *sql.Rows) (t source.Tenant, err error) {
		err = rows.Scan(&t.ID, &t.Name)
		return t, err
	}, ids)
}

func queryIDs[T any](ctx context.Context, c *conn, step, statement string, scan func(*sql.Rows) (T, error), ids []string) ([]T, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return query(ctx, c, step, statement+"(?"+strings.Repeat(",?", len(ids)-1)+")", scan, args...)
}

func query[T any](ctx context.Context, c *conn, step, statement string, scan func(*sql.Rows) (T, error), args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+source.Grace)
	defer cancel()
	rows, err := c.sql.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, explain(step, err)
	}
	defer func() { _ = rows.Close() }()
	var found []T
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return nil, explain(step, err)
		}
		found = append(found, row)
	}
	if err := rows.Err(); err != nil {
		return nil, explain(step, err)
	}
	return found, nil
}

func scanRun(rows *sql.Rows) (source.Run, error) {
	var run source.Run
	var finishedAt sql.NullTime
	err := rows.Scan(&run.ID, &run.CreatedAt, &run.TenantID, &run.AppID, &run.WorkflowID,
		&run.Type, &run.TriggeredFrom, &run.Status, &run.CreatedByRole,
		&run.CreatedBy, &run.Error, &run.ElapsedTime,
		&run.TotalTokens, &run.TotalSteps, &run.ExceptionsCount, &finishedAt)
	run.FinishedAt = finishedAt.Time
	return run, err
}

// datetime writes a time as the server compares it. MySQL's calendar begins in the year 1000.
func datetime(t time.Time) string {
	if t.Year() < 1000 {
		return "1000-01-01 00:00:00"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000000")
}
