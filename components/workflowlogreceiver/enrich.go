// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// outcome is a run, or a message, with what other tables know of it.
type outcome struct {
	source.Run
	appLog    source.AppLog
	app       source.App
	workspace string
	usage     usage
}

func (o *outcome) labels() appLabels {
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

// name finds the names of the apps and their workspaces. A message does not say its tenant: its app does.
func (e *enricher) name(ctx context.Context, conn source.Conn, outcomes []outcome, now time.Time) error {
	ids := make([]string, len(outcomes))
	for i := range outcomes {
		ids[i] = outcomes[i].AppID
	}
	if err := e.apps.load(ctx, ids, now, conn.Apps); err != nil {
		return err
	}
	for i := range outcomes {
		o := &outcomes[i]
		o.app = e.apps.get(o.AppID)
		if o.TenantID == "" {
			o.TenantID = o.app.TenantID
		}
		ids[i] = o.TenantID
	}
	if err := e.tenants.load(ctx, ids, now, conn.Tenants); err != nil {
		return err
	}
	for i := range outcomes {
		outcomes[i].workspace = e.tenants.get(outcomes[i].TenantID).Name
	}
	return nil
}

// complete adds the app log, the tokens and the price of those runs that are wanted. It answers the number of node
// executions it could not read.
func complete(ctx context.Context, conn source.Conn, outcomes []outcome, wanted func(source.Run) bool) (unreadable int, err error) {
	runs := make([]source.Run, 0, len(outcomes))
	for i := range outcomes {
		if wanted(outcomes[i].Run) {
			runs = append(runs, outcomes[i].Run)
		}
	}
	if len(runs) == 0 {
		return 0, nil
	}
	appLogs, nodes, err := conn.Details(ctx, runs)
	if err != nil {
		return 0, err
	}
	return fill(outcomes, appLogs, nodes), nil
}

func fill(outcomes []outcome, appLogs []source.AppLog, nodes []source.Node) (unreadable int) {
	byRun := make(map[string]int, len(outcomes))
	for i := range outcomes {
		byRun[outcomes[i].ID] = i
	}
	for _, l := range appLogs {
		// A run has one. Should there be more, the choice is the same at each telling.
		if i, ok := byRun[l.RunID]; ok && (outcomes[i].appLog.ID == "" || l.ID < outcomes[i].appLog.ID) {
			outcomes[i].appLog = l
		}
	}
	for _, node := range nodes {
		if i, ok := byRun[node.RunID]; ok && !outcomes[i].usage.add(node) {
			unreadable++
		}
	}
	for i := range outcomes {
		if o := &outcomes[i]; !o.usage.said {
			o.usage.total = max(o.TotalTokens, 0)
		}
	}
	return unreadable
}
