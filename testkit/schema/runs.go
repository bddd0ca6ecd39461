// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Run is a row of workflow_runs as Dify inserts it when the run starts.
type Run struct {
	ID            string
	TenantID      string
	AppID         string
	WorkflowID    string
	Type          string // default: workflow
	TriggeredFrom string // default: app-run
	CreatedByRole string // default: end_user
	CreatedBy     string
	CreatedAt     time.Time
	Inputs        string // default: {}
}

// StartRun inserts a run with status running.
func (w *Writer) StartRun(ctx context.Context, r Run) error {
	return w.exec(ctx, "start run",
		`INSERT INTO workflow_runs (id, tenant_id, app_id, workflow_id, type, triggered_from, version, graph, inputs, status,
		   created_by_role, created_by, created_at)
		 VALUES ($1, $2, $3, $4, $5, $6, '1', '{"nodes": [], "edges": []}', $7, 'running', $8, $9, $10)`,
		r.ID, r.TenantID, r.AppID, r.WorkflowID, cmp.Or(r.Type, "workflow"), cmp.Or(r.TriggeredFrom, "app-run"),
		cmp.Or(r.Inputs, "{}"), cmp.Or(r.CreatedByRole, "end_user"), r.CreatedBy, utc(r.CreatedAt))
}

// Outcome is what Dify writes into a run's row when the run ends.
type Outcome struct {
	Status          string // succeeded, failed, partial-succeeded, stopped
	Error           string
	Outputs         string // default: {}
	TotalTokens     int64
	TotalSteps      int
	ExceptionsCount int
	Elapsed         time.Duration
	FinishedAt      time.Time
}

// EndRun updates a run that StartRun inserted.
func (w *Writer) EndRun(ctx context.Context, runID string, o Outcome) error {
	tag, err := w.db.Exec(ctx,
		`UPDATE workflow_runs SET status = $2, error = $3, outputs = $4, total_tokens = $5, total_steps = $6,
		   exceptions_count = $7, elapsed_time = $8, finished_at = $9 WHERE id = $1`,
		runID, o.Status, null(o.Error), cmp.Or(o.Outputs, "{}"), o.TotalTokens, o.TotalSteps,
		o.ExceptionsCount, o.Elapsed.Seconds(), utc(o.FinishedAt))
	if err != nil {
		return fmt.Errorf("end run: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return fmt.Errorf("end run: no run %s", runID)
	}
	return nil
}

// SetRunStatus changes only a run's status, as Dify does when a run is paused and resumed.
func (w *Writer) SetRunStatus(ctx context.Context, runID, status string) error {
	return w.exec(ctx, "set run status", `UPDATE workflow_runs SET status = $2 WHERE id = $1`, runID, status)
}

// AppLog is a row of workflow_app_logs. Dify writes one for each run of a published workflow app (none for chatflows),
// since 1.11.0 when the run starts.
type AppLog struct {
	ID            string
	TenantID      string
	AppID         string
	WorkflowID    string
	RunID         string
	CreatedFrom   string    // default: service-api
	CreatedByRole string    // default: end_user
	CreatedBy     string    //
	CreatedAt     time.Time // zero: the server's default, as Dify does it
}

// AppendLog inserts an app log.
func (w *Writer) AppendLog(ctx context.Context, l AppLog) error {
	return w.exec(ctx, "append app log",
		`INSERT INTO workflow_app_logs (id, tenant_id, app_id, workflow_id, workflow_run_id, created_from, created_by_role,
		   created_by, created_at)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, COALESCE($9::timestamp, CURRENT_TIMESTAMP(0)))`,
		l.ID, l.TenantID, l.AppID, l.WorkflowID, l.RunID, cmp.Or(l.CreatedFrom, "service-api"),
		cmp.Or(l.CreatedByRole, "end_user"), l.CreatedBy, utc(l.CreatedAt))
}
