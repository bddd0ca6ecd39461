// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"context"
	"fmt"
	"time"
)

// Writer writes rows as Dify's repositories do. With a pool or a connection, each call is a separate transaction;
// with a pgx.Tx the caller decides when the rows become visible.
type Writer struct {
	db DB
}

// NewWriter returns a Writer on db.
func NewWriter(db DB) *Writer {
	return &Writer{db: db}
}

// Tenant is a row of tenants. Dify's user interface calls it a workspace.
type Tenant struct {
	ID   string
	Name string
}

// CreateTenant inserts a tenant.
func (w *Writer) CreateTenant(ctx context.Context, t Tenant) error {
	return w.exec(ctx, "create tenant", `INSERT INTO tenants (id, name) VALUES ($1, $2)`, t.ID, t.Name)
}

// App is a row of apps.
type App struct {
	ID         string
	TenantID   string
	Name       string
	Mode       string // workflow, advanced-chat, chat, agent-chat, completion
	WorkflowID string // empty: NULL
}

// CreateApp inserts an app.
func (w *Writer) CreateApp(ctx context.Context, a App) error {
	return w.exec(ctx, "create app",
		`INSERT INTO apps (id, tenant_id, name, mode, icon, icon_background, enable_site, enable_api, workflow_id)
		 VALUES ($1, $2, $3, $4, 'x', '#fff', true, true, $5)`,
		a.ID, a.TenantID, a.Name, a.Mode, null(a.WorkflowID))
}

// EndUser is a row of end_users: a user who calls an app over its API.
type EndUser struct {
	ID        string
	TenantID  string
	AppID     string
	SessionID string // the `user` of the API call
}

// CreateEndUser inserts an end user.
func (w *Writer) CreateEndUser(ctx context.Context, u EndUser) error {
	return w.exec(ctx, "create end user",
		`INSERT INTO end_users (id, tenant_id, app_id, type, external_user_id, is_anonymous, session_id)
		 VALUES ($1, $2, $3, 'service-api', $4, false, $4)`,
		u.ID, u.TenantID, u.AppID, u.SessionID)
}

func (w *Writer) exec(ctx context.Context, step, sql string, args ...any) error {
	if _, err := w.db.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	return nil
}

// null returns NULL for an empty text.
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// utc returns a time as Dify stores it: without a zone, in UTC, with microseconds. The zero time becomes NULL.
func utc(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Truncate(time.Microsecond)
}
