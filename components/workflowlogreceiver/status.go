// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"slices"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// other replaces, in metric labels, a value that Dify did not have when this was written, so that cardinality stays
// bounded.
const other = "_OTHER"

// endedStatuses have a metric series from the start.
var endedStatuses = []string{
	difysemconv.StatusSucceeded, difysemconv.StatusFailed, difysemconv.StatusPartialSucceeded, difysemconv.StatusStopped,
}

var openStatuses = []string{difysemconv.StatusRunning, difysemconv.StatusPaused, "scheduled"}

var triggers = []string{
	"debugging", "app-run", "rag-pipeline-run", "rag-pipeline-debugging", "webhook", "schedule", "plugin",
}

// hasEnded reports whether a run has ended. A status that a later Dify may add counts as ended if the run has a
// finishing time.
func hasEnded(run *source.Run) bool {
	switch {
	case slices.Contains(endedStatuses, run.Status):
		return true
	case slices.Contains(openStatuses, run.Status):
		return false
	default:
		return !run.FinishedAt.IsZero()
	}
}

func statusLabel(status string) string {
	if slices.Contains(endedStatuses, status) {
		return status
	}
	return other
}

func triggerLabel(trigger string) string {
	if slices.Contains(triggers, trigger) {
		return trigger
	}
	return other
}
