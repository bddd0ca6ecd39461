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

func (c related) Details(ctx context.Context, runs []*source.Run) ([]source.AppLog, []source.Node, error) {
	ids := make([]string, len(runs))
	for i, run := range runs {
		ids[i] = run.ID
	}
	appLogs, err := queryIDs(ctx, c.session, "read workflow_app_logs", sqlAppLogs, scanAppLog, ids)
	if err != nil {
		return nil, nil, err
	}
	nodes, err := c.nodes(ctx, runs, ids)
	return appLogs, nodes, err
}

func (c related) nodes(ctx context.Context, runs []*source.Run, ids []string) ([]source.Node, error) {
	const step = "read workflow_node_executions"
	if c.schema.NodesByRun != source.NodesByPath {
		return queryIDs(ctx, c.session, step, sqlNodes, scanNode, ids)
	}
	if len(runs) == 0 {
		return nil, nil
	}
	args := make([]any, 0, 4*len(runs))
	for _, run := range runs {
		args = append(args, run.TenantID, run.AppID, run.WorkflowID, run.ID)
	}
	statement := sqlNodesByPath + onePath + strings.Repeat(" OR "+onePath, len(runs)-1) + ")"
	return query(ctx, c.session, step, statement, scanNode, args...)
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
