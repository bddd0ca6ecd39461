// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"context"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
)

// Modes of apps.
const (
	modeWorkflow = "workflow"
	modeChatflow = "advanced-chat"
)

// Tenant is a workspace with its apps.
type Tenant struct {
	schema.Tenant
	Workflow *App
	Chatflow *App
}

// App is an app, its tenant and the user who calls it.
type App struct {
	schema.App
	Workspace string // its tenant's name
	User      schema.EndUser
}

// World is what exists before the first request: workspaces, apps, and the processes of one Dify.
type World struct {
	Tenants []*Tenant
	API     []*Process // gunicorn's workers: one host name, one service name, a process.pid each
	Worker  *Process
	Beat    *Process
}

func newWorld(r random) *World {
	w := &World{
		API: []*Process{
			newProcess(r, "dify-api", 41), newProcess(r, "dify-api", 42), newProcess(r, "dify-api", 43),
		},
		Worker: newProcess(r, "dify-worker", 17),
		Beat:   newProcess(r, "dify-worker-beat", 11),
	}
	for _, name := range []string{"Acme Robotics", "Blue Harbor Bank", "山田製作所"} {
		t := &Tenant{Tenant: schema.Tenant{ID: r.uuid(), Name: name}}
		t.Workflow = newApp(r, t, "Invoice triage", modeWorkflow)
		t.Chatflow = newApp(r, t, "Help desk", modeChatflow)
		w.Tenants = append(w.Tenants, t)
	}
	return w
}

func newApp(r random, t *Tenant, name, mode string) *App {
	a := &App{
		App:       schema.App{ID: r.uuid(), TenantID: t.ID, Name: name, Mode: mode, WorkflowID: r.uuid()},
		Workspace: t.Name,
	}
	a.User = schema.EndUser{ID: r.uuid(), TenantID: t.ID, AppID: a.ID, SessionID: "customer-" + r.uuid()[:8]}
	return a
}

// Processes returns all processes.
func (w *World) Processes() []*Process {
	return append(append([]*Process{}, w.API...), w.Worker, w.Beat)
}

// Write inserts the workspaces, apps and users.
func (w *World) Write(ctx context.Context, db *schema.Writer) error {
	for _, t := range w.Tenants {
		if err := db.CreateTenant(ctx, t.Tenant); err != nil {
			return err
		}
		for _, app := range []*App{t.Workflow, t.Chatflow} {
			if err := db.CreateApp(ctx, app.App); err != nil {
				return err
			}
			if err := db.CreateEndUser(ctx, app.User); err != nil {
				return err
			}
		}
	}
	return nil
}
