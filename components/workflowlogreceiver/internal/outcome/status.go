// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package outcome

import (
	"slices"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// Other replaces, in metric labels, a value that Dify did not have when this was written, so that cardinality stays
// bounded.
const Other = "_OTHER"

// EndedStatuses have a metric series from the start.
var EndedStatuses = []string{
	difysemconv.StatusSucceeded, difysemconv.StatusFailed, difysemconv.StatusPartialSucceeded, difysemconv.StatusStopped,
}

var openStatuses = []string{difysemconv.StatusRunning, difysemconv.StatusPaused, "scheduled"}

var Triggers = []string{
	"debugging", "app-run", "rag-pipeline-run", "rag-pipeline-debugging", "webhook", "schedule", "plugin",
}

// HasEnded reports whether a run has ended. A status that a later Dify may add counts as ended if the run has a
// finishing time.
func HasEnded(run *source.Run) bool {
	switch {
	case slices.Contains(EndedStatuses, run.Status):
		return true
	case slices.Contains(openStatuses, run.Status):
		return false
	default:
		return !run.FinishedAt.IsZero()
	}
}

// StatusLabel returns the metric label of a status.
func StatusLabel(status string) string {
	if slices.Contains(EndedStatuses, status) {
		return status
	}
	return Other
}

// TriggerLabel returns the metric label of a value of triggered_from.
func TriggerLabel(trigger string) string {
	if slices.Contains(Triggers, trigger) {
		return trigger
	}
	return Other
}
