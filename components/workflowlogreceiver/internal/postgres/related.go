// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// related reads the rows of other tables that belong to runs.
type related struct{ *session }

func (c related) Details(
	ctx context.Context, runs []*source.Run,
) (appLogs []source.AppLog, nodes []source.Node, err error) {
	if len(runs) == 0 {
		return nil, nil, nil
	}
	err = c.query(ctx, c.details(runs, &appLogs, &nodes)...)
	return appLogs, nodes, err
}

func (c related) details(runs []*source.Run, appLogs *[]source.AppLog, nodes *[]source.Node) []statement {
	ids := make([]string, len(runs))
	for i, run := range runs {
		ids[i] = run.ID
	}
	list := array(ids)
	return []statement{
		collect(len(ids), "read workflow_app_logs", sqlAppLogs, c.interner.readAppLog, appLogs, list),
		c.nodes(runs, list, nodes),
	}
}

func (c related) nodes(runs []*source.Run, ids string, into *[]source.Node) statement {
	const step = "read workflow_node_executions"
	if c.schema.NodesByRun != source.NodesByPath {
		return collect(len(runs), step, sqlNodes, c.interner.readNode, into, ids)
	}
	tenants, apps, flows := make([]string, len(runs)), make([]string, len(runs)), make([]string, len(runs))
	for i, run := range runs {
		tenants[i], apps[i], flows[i] = orNil(run.TenantID), orNil(run.AppID), orNil(run.WorkflowID)
	}
	return collect(
		len(runs), step, sqlNodesByPath, c.interner.readNode, into, ids, array(tenants), array(apps), array(flows),
	)
}

func (c related) Apps(ctx context.Context, ids []string) ([]source.App, error) {
	return all(ctx, c.session, "read apps", sqlApps, func(values [][]byte) source.App {
		return source.App{
			ID:       uuidText(values[0]),
			TenantID: uuidText(values[1]),
			Name:     string(values[2]),
			Mode:     string(values[3]),
		}
	}, array(ids))
}

func (c related) Tenants(ctx context.Context, ids []string) ([]source.Tenant, error) {
	return all(ctx, c.session, "read tenants", sqlTenants, func(values [][]byte) source.Tenant {
		return source.Tenant{ID: uuidText(values[0]), Name: string(values[1])}
	}, array(ids))
}
