// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Node is a row of workflow_node_executions as Dify inserts it when the node starts.
type Node struct {
	ID            string // also node_execution_id
	TenantID      string
	AppID         string
	WorkflowID    string
	RunID         string // empty: NULL, as for single-step debugging
	TriggeredFrom string // default: workflow-run
	Index         int
	NodeID        string
	NodeType      string
	Title         string
	CreatedByRole string // default: end_user
	CreatedBy     string
	CreatedAt     time.Time
}

// StartNode inserts a node execution with status running.
func (w *Writer) StartNode(ctx context.Context, n Node) error {
	return w.exec(ctx, "start node",
		`INSERT INTO workflow_node_executions (id, tenant_id, app_id, workflow_id, triggered_from, workflow_run_id, index,
		   node_id, node_type, title, status, created_at, created_by_role, created_by, node_execution_id)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'running', $11, $12, $13, $14)`,
		n.ID, n.TenantID, n.AppID, n.WorkflowID, cmp.Or(n.TriggeredFrom, "workflow-run"), null(n.RunID), n.Index,
		n.NodeID, n.NodeType, n.Title, utc(n.CreatedAt), cmp.Or(n.CreatedByRole, "end_user"), n.CreatedBy, n.ID)
}

// NodeOutcome is what Dify writes into a node execution's row when the node ends.
type NodeOutcome struct {
	Status            string // succeeded, failed, exception, stopped
	Error             string
	Inputs            string // default: {}
	ProcessData       string // default: {}; LLM nodes: model_provider, model_name, usage and the prompts
	Outputs           string // default: {}
	ExecutionMetadata string // JSON: total_tokens, total_price, currency; empty: NULL
	Elapsed           time.Duration
	FinishedAt        time.Time
}

// EndNode updates a node execution that StartNode inserted.
func (w *Writer) EndNode(ctx context.Context, nodeID string, o NodeOutcome) error {
	tag, err := w.db.Exec(ctx,
		`UPDATE workflow_node_executions SET status = $2, error = $3, inputs = $4, process_data = $5, outputs = $6,
		   execution_metadata = $7, elapsed_time = $8, finished_at = $9 WHERE id = $1`,
		nodeID, o.Status, null(o.Error), cmp.Or(o.Inputs, "{}"), cmp.Or(o.ProcessData, "{}"), cmp.Or(o.Outputs, "{}"),
		null(o.ExecutionMetadata), o.Elapsed.Seconds(), utc(o.FinishedAt))
	if err != nil {
		return fmt.Errorf("end node: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return fmt.Errorf("end node: no node execution %s", nodeID)
	}
	return nil
}
