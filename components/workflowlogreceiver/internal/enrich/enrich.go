// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package enrich adds the related values of other tables to runs and messages.
package enrich

import (
	"context"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/internal/appowner"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// Lookup is the part of a source.Conn that looks up names.
type Lookup interface {
	Apps(ctx context.Context, ids []string) ([]source.App, error)
	Tenants(ctx context.Context, ids []string) ([]source.Tenant, error)
}

// Enricher looks up the names of apps and workspaces.
type Enricher struct {
	apps    *names[source.App]
	tenants *names[source.Tenant]
}

// New returns an Enricher with empty caches.
func New() *Enricher {
	return &Enricher{
		apps:    newNames(func(app source.App) string { return app.ID }),
		tenants: newNames(func(tenant source.Tenant) string { return tenant.ID }),
	}
}

// Name sets the names of the apps and of their workspaces. A message row has no tenant; it is taken from the message's
// app.
func (e *Enricher) Name(ctx context.Context, conn Lookup, outcomes []outcome.Outcome, now time.Time) error {
	ids := make([]string, len(outcomes))
	for i := range outcomes {
		ids[i] = outcomes[i].AppID
	}
	if err := e.apps.load(ctx, ids, now, conn.Apps); err != nil {
		return err
	}
	for i := range outcomes {
		o := &outcomes[i]
		o.App = e.apps.get(o.AppID)
		appowner.Database.Set(o.App.ID, o.App.TenantID)
		if o.TenantID == "" {
			o.TenantID = o.App.TenantID
		}
		ids[i] = o.TenantID
	}
	if err := e.tenants.load(ctx, ids, now, conn.Tenants); err != nil {
		return err
	}
	for i := range outcomes {
		outcomes[i].Workspace = e.tenants.get(outcomes[i].TenantID).Name
	}
	return nil
}
