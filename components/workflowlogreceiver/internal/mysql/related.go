// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// related reads the rows of other tables that belong to runs.
type related struct{ *session }

func (c related) Details(ctx context.Context, runs []*source.Run) (details source.Details, err error) {
	details.AppLogs, err = queryIDs(
		ctx, c.session, "read workflow_app_logs", sqlAppLogs, scanAppLog, runIDs(runs),
	)
	if err != nil {
		return source.Details{}, err
	}
	if details.Nodes, err = nodes(ctx, c, runs, nodeColumns, saysTokens, scanNode); err != nil {
		return source.Details{}, err
	}
	if c.schema.Reads(source.PartFailedNodes) {
		details.Failed, err = nodes(ctx, c, source.FailedRuns(runs), failedColumns, isFailed, scanFailedNode)
	}
	return details, err
}

func runIDs(runs []*source.Run) []string {
	ids := make([]string, len(runs))
	for i, run := range runs {
		ids[i] = run.ID
	}
	return ids
}

// nodes reads node executions of runs, by the index that the schema has.
func nodes[T any](
	ctx context.Context, c related, runs []*source.Run, columns, condition string, scan func(*sql.Rows) (T, error),
) ([]T, error) {
	const step = "read workflow_node_executions"
	statement := "SELECT " + columns + " FROM workflow_node_executions WHERE " + condition + " AND "
	if c.schema.NodesByRun != source.NodesByPath {
		return queryIDs(ctx, c.session, step, statement+"workflow_run_id IN ", scan, runIDs(runs))
	}
	if len(runs) == 0 {
		return nil, nil
	}
	args := make([]any, 0, 4*len(runs))
	for _, run := range runs {
		args = append(args, run.TenantID, run.AppID, run.WorkflowID, run.ID)
	}
	statement += "(" + onePath + strings.Repeat(" OR "+onePath, len(runs)-1) + ")"
	return query(ctx, c.session, step, statement, scan, args...)
}

// Pauses reads by the unique index of workflow_pauses, and by the indexes that lead from it to the other two tables.
func (c related) Pauses(ctx context.Context, runIDs []string) ([]source.Pause, error) {
	scan := func(rows *sql.Rows) (p source.Pause, err error) {
		var since, resumed, expires sql.NullTime
		var reason, node sql.NullString
		err = rows.Scan(&p.RunID, &since, &resumed, &reason, &node, &expires)
		p.Since, p.ResumedAt, p.ExpiresAt = since.Time, resumed.Time, expires.Time
		p.Reason, p.NodeID = reason.String, node.String
		return p, err
	}
	return queryIDs(ctx, c.session, "read workflow_pauses", c.schema.PausesSQL()+"p.workflow_run_id IN ", scan, runIDs)
}

func (c related) Apps(ctx context.Context, ids []string) ([]source.App, error) {
	return queryIDs(ctx, c.session, "read apps", sqlApps, func(rows *sql.Rows) (a source.App, err error) {
		err = rows.Scan(&a.ID, &a.TenantID, &a.Name, &a.Mode)
		return a, err
	}, ids)
}

func (c related) Tenants(ctx context.Context, ids []string) ([]source.Tenant, error) {
	return queryIDs(ctx, c.session, "read tenants", sqlTenants, func(rows *sql.Rows) (t source.Tenant, err error) {
		err = rows.Scan(&t.ID, &t.Name)
		return t, err
	}, ids)
}
