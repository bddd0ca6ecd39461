// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// lookUpSize is the number of runs whose app logs and node executions are read at once.
const lookUpSize = 200

// outcome is a run with what other tables know of it.
type outcome struct {
	source.Run
	appLog    source.AppLog
	app       source.App
	workspace string
	usage     usage
}

func (o outcome) labels() appLabels {
	return appLabels{AppID: o.AppID, AppName: o.app.Name, Workspace: o.workspace}
}

// enricher looks up what other tables know of runs.
type enricher struct {
	apps    *names[source.App]
	tenants *names[source.Tenant]
}

func newEnricher() *enricher {
	return &enricher{
		apps:    newNames(func(app source.App) string { return app.ID }),
		tenants: newNames(func(tenant source.Tenant) string { return tenant.ID }),
	}
}

// name finds the names of a run's app and workspace.
func (e *enricher) name(ctx context.Context, conn source.Conn, runs []source.Run, now time.Time) ([]outcome, error) {
	appIDs, tenantIDs := make([]string, len(runs)), make([]string, len(runs))
	for i, run := range runs {
		appIDs[i], tenantIDs[i] = run.AppID, run.TenantID
	}
	if err := e.apps.load(ctx, appIDs, now, conn.Apps); err != nil {
		return nil, err
	}
	if err := e.tenants.load(ctx, tenantIDs, now, conn.Tenants); err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(runs))
	for i, run := range runs {
		outcomes[i] = outcome{Run: run, app: e.apps.get(run.AppID), workspace: e.tenants.get(run.TenantID).Name}
	}
	return outcomes, nil
}

// complete adds the app log, the tokens and the price. It answers the number of node executions it could not read.
func (e *enricher) complete(ctx context.Context, conn source.Conn, outcomes []outcome) (unreadable int, err error) {
	for part := range slices.Chunk(outcomes, lookUpSize) {
		ids := make([]string, len(part))
		for i, o := range part {
			ids[i] = o.ID
		}
		appLogs, err := conn.AppLogs(ctx, ids)
		if err != nil {
			return 0, err
		}
		nodes, err := conn.Nodes(ctx, ids)
		if err != nil {
			return 0, err
		}
		unreadable += fill(part, appLogs, nodes)
	}
	return unreadable, nil
}

func fill(outcomes []outcome, appLogs []source.AppLog, nodes []source.Node) (unreadable int) {
	logs := make(map[string]source.AppLog, len(appLogs))
	for _, l := range appLogs {
		// A run has one. Should there be more, the choice is the same at each telling.
		if known, ok := logs[l.RunID]; !ok || l.ID < known.ID {
			logs[l.RunID] = l
		}
	}
	used, unreadable := addUp(nodes)
	for i := range outcomes {
		o := &outcomes[i]
		o.appLog = logs[o.ID]
		if u, ok := used[o.ID]; ok {
			o.usage = *u
		} else {
			o.usage.tokens = o.TotalTokens // no node said what it used
		}
	}
	return unreadable
}
