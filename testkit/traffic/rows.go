// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"context"

	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
)

// WriteStart inserts the rows that Dify inserts when a run starts, each in a separate transaction: first the run,
// then its app log or message.
func (r *Run) WriteStart(ctx context.Context, db *schema.Writer) error {
	if err := db.StartRun(ctx, r.Run); err != nil {
		return err
	}
	if r.Log != nil {
		if err := db.AppendLog(ctx, *r.Log); err != nil {
			return err
		}
	}
	if r.Message != nil {
		return db.StartMessage(ctx, *r.Message)
	}
	return nil
}

// WriteEnd writes the node executions, updates the message and then the run, as Dify has done when a run has ended.
func (r *Run) WriteEnd(ctx context.Context, db *schema.Writer) error {
	for _, n := range r.Nodes {
		if err := db.StartNode(ctx, n.Start); err != nil {
			return err
		}
		if err := db.EndNode(ctx, n.Start.ID, n.End); err != nil {
			return err
		}
	}
	if r.Message != nil {
		if err := db.EndMessage(ctx, r.Message.ID, r.Reply); err != nil {
			return err
		}
	}
	return db.EndRun(ctx, r.Run.ID, r.Outcome)
}
