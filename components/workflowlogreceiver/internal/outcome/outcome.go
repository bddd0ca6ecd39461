// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package outcome defines what the receiver knows of one run, or of one message, and what its values mean. It does no
// I/O.
package outcome

import (
	"math"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// Outcome is a run, or a message, with the related values of other tables.
type Outcome struct {
	source.Run
	AppLog    source.AppLog
	Failed    source.FailedNode // of a run that failed; empty if it is not known
	App       source.App
	Workspace string
	Usage     Usage
	Message   *source.Message // nil for a run
	Pause     source.Pause    // of a run that waits or has waited, if it is known
}

// FromRuns returns the outcomes of runs, without the values of other tables.
func FromRuns(runs []source.Run) []Outcome {
	outcomes := make([]Outcome, len(runs))
	for i, run := range runs {
		outcomes[i].Run = run
	}
	return outcomes
}

// FromAppLog returns the outcome of an app log without a run.
func FromAppLog(row source.AppLog) Outcome {
	return Outcome{
		Run: source.Run{
			Key:           source.Key{ID: row.RunID, CreatedAt: row.CreatedAt},
			TenantID:      row.TenantID,
			AppID:         row.AppID,
			WorkflowID:    row.WorkflowID,
			CreatedByRole: row.CreatedByRole,
			CreatedBy:     row.CreatedBy,
		},
		AppLog: row,
	}
}

// Pointers returns a pointer to each of the outcomes.
func Pointers(outcomes []Outcome) []*Outcome {
	to := make([]*Outcome, len(outcomes))
	for i := range outcomes {
		to[i] = &outcomes[i]
	}
	return to
}

// Elapsed returns a number of seconds as a duration, or 0 if the number is not a valid duration.
func Elapsed(seconds float64) time.Duration {
	if !(seconds >= 0 && seconds < math.MaxInt64/float64(time.Second)) {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}
