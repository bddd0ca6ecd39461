// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const nilUUID = "00000000-0000-0000-0000-000000000000"

// NULL is answered for no column: a row that breaks the schema's promise must not stop those behind it.
var runColumns = `id::text, created_at, COALESCE(tenant_id::text, ''), COALESCE(app_id::text, ''), COALESCE(workflow_id::text, ''),
	COALESCE(type, ''), COALESCE(triggered_from, ''), COALESCE(status, ''), COALESCE(created_by_role, ''),
	COALESCE(created_by::text, ''), COALESCE(left(error, ` + strconv.Itoa(source.MaxErrorLength) + `), ''), COALESCE(elapsed_time, 0),
	COALESCE(total_tokens, 0)::int8, COALESCE(total_steps, 0)::int8, COALESCE(exceptions_count, 0)::int8, finished_at`

var (
	sqlNow  = `SELECT clock_timestamp() AT TIME ZONE 'UTC'`
	sqlPage = `SELECT ` + runColumns + ` FROM workflow_runs
	WHERE (created_at, id) > ($1::timestamp, $2::uuid) ORDER BY created_at, id LIMIT $3::int8`
	sqlKeys = `SELECT id::text, created_at FROM workflow_runs
	WHERE (created_at, id) > ($1::timestamp, $2::uuid) AND (created_at, id) <= ($3::timestamp, $4::uuid)
	ORDER BY created_at, id LIMIT $5::int8`
	sqlRuns    = `SELECT ` + runColumns + ` FROM workflow_runs WHERE id = ANY($1::uuid[])`
	sqlAppLogs = `SELECT id::text, workflow_run_id::text, COALESCE(created_from, '')
	FROM workflow_app_logs WHERE workflow_run_id = ANY($1::uuid[])`
	sqlNodes = `SELECT workflow_run_id::text, COALESCE(node_type, ''),
	CASE WHEN octet_length(execution_metadata) <= ` + strconv.Itoa(source.MaxMetadataLength) + ` THEN execution_metadata ELSE '' END
	FROM workflow_node_executions WHERE workflow_run_id = ANY($1::uuid[])
	AND (octet_length(execution_metadata) > ` + strconv.Itoa(source.MaxMetadataLength) + ` OR execution_metadata LIKE '%"total_tokens"%')`
	sqlApps    = `SELECT id::text, COALESCE(name, ''), COALESCE(mode, '') FROM apps WHERE id = ANY($1::uuid[])`
	sqlTenants = `SELECT id::text, COALESCE(name, '') FROM tenants WHERE id = ANY($1::uuid[])`
)

func (c *conn) Now(ctx context.Context) (time.Time, error) {
	rows, err := query(ctx, c, "read the clock", sqlNow, func(row pgx.CollectableRow) (time.Time, error) {
		var now pgtype.Timestamp
		err := row.Scan(&now)
		return utc(now), err
	})
	if err != nil {
		return time.Time{}, err
	}
	return rows[0], nil
}

func (c *conn) Page(ctx context.Context, after source.Position, limit int) ([]source.Run, error) {
	return query(ctx, c, "read workflow_runs", sqlPage, scanRun, timestamp(after.CreatedAt), uuidOf(after), limit)
}

func (c *conn) Keys(ctx context.Context, after, upTo source.Position, limit int) ([]source.Key, error) {
	return query(ctx, c, "read workflow_runs again", sqlKeys, func(row pgx.CollectableRow) (source.Key, error) {
		var key source.Key
		var createdAt pgtype.Timestamp
		err := row.Scan(&key.ID, &createdAt)
		key.CreatedAt = utc(createdAt)
		return key, err
	}, timestamp(after.CreatedAt), uuidOf(after), timestamp(upTo.CreatedAt), uuidOf(upTo), limit)
}

func (c *conn) Runs(ctx context.Context, ids []string) ([]source.Run, error) {
	return query(ctx, c, "read open runs", sqlRuns, scanRun, ids)
}

func (c *conn) AppLogs(ctx context.Context, runIDs []string) ([]source.AppLog, error) {
	return query(ctx, c, "read workflow_app_logs", sqlAppLogs, func(row pgx.CollectableRow) (source.AppLog, error) {
		var l source.AppLog
		err := row.Scan(&l.ID, &l.RunID, &l.CreatedFrom)
		return l, err
	}, runIDs)
}

func (c *conn) Nodes(ctx context.Context, runIDs []string) ([]source.Node, error) {
	return query(ctx, c, "read workflow_node_executions", sqlNodes, func(row pgx.CollectableRow) (source.Node, error) {
		var n source.Node
		err := row.Scan(&n.RunID, &n.Type, &n.Metadata)
		return n, err
	}, runIDs)
}

func (c *conn) Apps(ctx context.Context, ids []string) ([]source.App, error) {
	return query(ctx, c, "read apps", sqlApps, func(row pgx.CollectableRow) (source.App, error) {
		var a source.App
		err := row.Scan(&a.ID, &a.Name, &a.Mode)
		return a, err
	}, ids)
}

func (c *conn) Tenants(ctx context.Context, ids []string) ([]source.Tenant, error) {
	return query(ctx, c, "read tenants", sqlTenants, func(row pgx.CollectableRow) (source.Tenant, error) {
		var t source.Tenant
		err := row.Scan(&t.ID, &t.Name)
		return t, err
	}, ids)
}

// query runs one statement in a read-only transaction of its own, with the statement timeout set for that transaction
// alone. All of it goes to the server in one round trip.
func query[T any](ctx context.Context, c *conn, step, sql string, scan pgx.RowToFunc[T], args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+source.Grace)
	defer cancel()
	batch := &pgx.Batch{}
	batch.Queue("BEGIN READ ONLY")
	batch.Queue(fmt.Sprintf("SET LOCAL statement_timeout = %d", c.timeout.Milliseconds()))
	batch.Queue(sql, args...)
	batch.Queue("COMMIT")

	results := c.pg.SendBatch(ctx, batch)
	found, err := collect(results, scan)
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, explain(step, err)
	}
	return found, nil
}

func collect[T any](results pgx.BatchResults, scan pgx.RowToFunc[T]) ([]T, error) {
	for range 2 { // BEGIN and SET
		if _, err := results.Exec(); err != nil {
			return nil, err
		}
	}
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

func scanRun(row pgx.CollectableRow) (source.Run, error) {
	var run source.Run
	var createdAt, finishedAt pgtype.Timestamp
	err := row.Scan(&run.ID, &createdAt, &run.TenantID, &run.AppID, &run.WorkflowID,
		&run.Type, &run.TriggeredFrom, &run.Status, &run.CreatedByRole,
		&run.CreatedBy, &run.Error, &run.ElapsedTime,
		&run.TotalTokens, &run.TotalSteps, &run.ExceptionsCount, &finishedAt)
	run.CreatedAt, run.FinishedAt = utc(createdAt), utc(finishedAt)
	return run, err
}

// The ends of what PostgreSQL's infinite timestamps stand for here: further than any real one.
var (
	farPast   = time.Time{}
	farFuture = time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC)
)

func utc(t pgtype.Timestamp) time.Time {
	switch {
	case !t.Valid:
		return time.Time{}
	case t.InfinityModifier == pgtype.Infinity:
		return farFuture
	case t.InfinityModifier == pgtype.NegativeInfinity:
		return farPast
	default:
		return t.Time
	}
}

func timestamp(t time.Time) pgtype.Timestamp {
	return pgtype.Timestamp{Time: t.UTC(), Valid: true}
}

func uuidOf(p source.Position) string {
	if p.ID == "" {
		return nilUUID
	}
	return p.ID
}
