// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// readPauses sets the pauses of the runs that wait, and of those that have been open for so long that it matters
// whether they have waited. known returns a pause that has been read before; nil: none has.
func (t *tablePoll) readPauses(
	ctx context.Context, rows []outcome.Outcome, known func(id string) (source.Pause, bool),
) error {
	if !t.poller.schema.ReadsPauses() {
		return nil
	}
	var ids []string
	byRun := map[string]*outcome.Outcome{}
	for i := range rows {
		run := &rows[i]
		if !run.IsPaused() && !t.tail.MayBeOverdue(run, t.now) {
			continue
		}
		if known != nil && run.IsPaused() {
			if pause, ok := known(run.ID); ok {
				run.Pause = pause
				continue
			}
		}
		ids = append(ids, run.ID)
		byRun[run.ID] = run
	}
	if len(ids) == 0 {
		return nil
	}
	pauses, err := t.conn.Pauses(ctx, ids)
	if err != nil {
		return err
	}
	for _, pause := range pauses {
		if run := byRun[pause.RunID]; run != nil {
			run.Pause = pause
		}
	}
	return nil
}
