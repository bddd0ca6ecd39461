// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// related reads the rows of other tables that belong to runs.
type related struct{ *session }

func (c related) Details(ctx context.Context, runs []*source.Run) (details source.Details, err error) {
	if len(runs) == 0 {
		return details, nil
	}
	err = c.query(ctx, c.details(runs, &details)...)
	return details, err
}

func (c related) details(runs []*source.Run, into *source.Details) []statement {
	list := runIDs(runs)
	statements := []statement{
		collect(len(runs), "read workflow_app_logs", sqlAppLogs, c.interner.readAppLog, &into.AppLogs, list),
		nodes(c, runs, sqlNodes, sqlNodesByPath, c.interner.readNode, &into.Nodes),
	}
	if failed := source.FailedRuns(runs); len(failed) > 0 && c.schema.Reads(source.PartFailedNodes) {
		statements = append(
			statements, nodes(c, failed, sqlFailedNodes, sqlFailedByPath, c.interner.readFailedNode, &into.Failed),
		)
	}
	return statements
}

func runIDs(runs []*source.Run) string {
	ids := make([]string, len(runs))
	for i, run := range runs {
		ids[i] = run.ID
	}
	return array(ids)
}

// nodes reads node executions of runs, by the index that the schema has.
func nodes[T any](
	c related, runs []*source.Run, byRun, byPath string, read func([][]byte) T, into *[]T,
) statement {
	const step = "read workflow_node_executions"
	if c.schema.NodesByRun != source.NodesByPath {
		return collect(len(runs), step, byRun, read, into, runIDs(runs))
	}
	tenants, apps, flows := make([]string, len(runs)), make([]string, len(runs)), make([]string, len(runs))
	for i, run := range runs {
		tenants[i], apps[i], flows[i] = orNil(run.TenantID), orNil(run.AppID), orNil(run.WorkflowID)
	}
	return collect(len(runs), step, byPath, read, into, runIDs(runs), array(tenants), array(apps), array(flows))
}

// Pauses reads by the unique index of workflow_pauses, and by the indexes that lead from it to the other two tables.
func (c related) Pauses(ctx context.Context, runIDs []string) ([]source.Pause, error) {
	return all(ctx, c.session, "read workflow_pauses", c.schema.PausesSQL()+"p.workflow_run_id = ANY($1::uuid[])",
		func(values [][]byte) source.Pause {
			return source.Pause{
				RunID: uuidText(values[0]), Since: timestamp(values[1]), ResumedAt: timestamp(values[2]),
				Reason: c.interner.text(values[3]), NodeID: c.interner.text(values[4]), ExpiresAt: timestamp(values[5]),
			}
		}, array(runIDs))
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
