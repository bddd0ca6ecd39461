// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

func queryIDs[T any](
	ctx context.Context, c *session, step, statement string, scan func(*sql.Rows) (T, error), ids []string,
) ([]T, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return query(ctx, c, step, statement+"(?"+strings.Repeat(",?", len(ids)-1)+")", scan, args...)
}

func query[T any](
	ctx context.Context, c *session, step, statement string, scan func(*sql.Rows) (T, error), args ...any,
) ([]T, error) {
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

func scanMessage(rows *sql.Rows) (source.Message, error) {
	var m source.Message
	var created sql.NullFloat64 // as in scanWholeAppLog
	err := rows.Scan(
		&m.ID, &m.CreatedAt, &m.AppID, &m.Provider, &m.Model, &m.InputTokens, &m.Output, &m.Price, &m.Currency, &m.Latency,
		&m.Status, &m.InvokeFrom, &m.WorkflowRunID, &created, &m.ConversationID, &m.EndUserID, &m.AccountID, &m.Error,
	)
	if created.Valid {
		m.CreatedUTC = time.Unix(int64(created.Float64), 0).UTC()
	}
	return m, err
}

func scanAppLog(rows *sql.Rows) (source.AppLog, error) {
	var l source.AppLog
	err := rows.Scan(&l.ID, &l.CreatedAt, &l.RunID, &l.CreatedFrom)
	return l, err
}

func scanWholeAppLog(rows *sql.Rows) (source.AppLog, error) {
	var l source.AppLog
	var created sql.NullFloat64 // MariaDB and MySQL differ in its type; NULL is a time that the server cannot convert
	err := rows.Scan(
		&l.ID, &created, &l.RunID, &l.CreatedFrom, &l.TenantID, &l.AppID, &l.WorkflowID, &l.CreatedByRole, &l.CreatedBy,
	)
	if created.Valid {
		l.CreatedAt = time.Unix(int64(created.Float64), 0).UTC()
	}
	return l, err
}

func scanNode(rows *sql.Rows) (source.Node, error) {
	var n source.Node
	err := rows.Scan(&n.RunID, &n.Type, &n.AppID, &n.TriggeredFrom, &n.Metadata)
	return n, err
}

func scanFailedNode(rows *sql.Rows) (source.FailedNode, error) {
	var n source.FailedNode
	err := rows.Scan(
		&n.RunID, &n.ExecutionID, &n.ID, &n.Type, &n.Title, &n.AppID, &n.TriggeredFrom, &n.Error, &n.Index,
	)
	return n, err
}

// datetime formats a time as the server compares it. MySQL's calendar begins in the year 1000.
func datetime(t time.Time) string {
	if t.Year() < 1000 {
		return "1000-01-01 00:00:00"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000000")
}
