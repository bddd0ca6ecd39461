// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// outcome is a run, or a message, with the related values of other tables.
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

// enricher looks up the names of apps and workspaces.
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

// name sets the names of the apps and of their workspaces. A message row has no tenant; it is taken from the message's
// app.
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

// details are the rows of other tables that belong to some runs.
type details struct {
	appLogs []source.AppLog
	nodes   []source.Node
}

func runsOf(outcomes []outcome, wanted func(*source.Run) bool) []*source.Run {
	runs := make([]*source.Run, 0, len(outcomes))
	for i := range outcomes {
		if run := &outcomes[i].Run; wanted(run) {
			runs = append(runs, run)
		}
	}
	return runs
}

// fill sets the app log, the tokens and the price. It returns the number of node executions that cannot be read.
func (d details) fill(outcomes []outcome) (unreadable int) {
	byRun := make(map[string]int, len(outcomes))
	for i := range outcomes {
		byRun[outcomes[i].ID] = i
	}
	for i := range d.appLogs {
		l := &d.appLogs[i]
		// A run has one app log. If there are several, the choice is the same at each redelivery.
		if i, ok := byRun[l.RunID]; ok && (outcomes[i].appLog.ID == "" || l.ID < outcomes[i].appLog.ID) {
			outcomes[i].appLog = *l
		}
	}
	for _, node := range d.nodes {
		if i, ok := byRun[node.RunID]; ok && !outcomes[i].usage.add(node) {
			unreadable++
		}
	}
	for i := range outcomes {
		if o := &outcomes[i]; !o.usage.reported {
			o.usage.total = max(o.TotalTokens, 0)
		}
	}
	return unreadable
}
