// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package outcome

import (
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// PauseReasons are the known reasons of a pause; the last two are those of later versions.
var PauseReasons = []string{"human_input_required", "scheduled_pause", "hitl_required", "legacy_human_input"}

// scheduledPause is the only reason that is no wait for a person.
const scheduledPause = "scheduled_pause"

// Waiting is a run that waits.
type Waiting struct {
	Reason string // "" if it is not known
	Since  time.Time
}

// IsPaused reports whether a run waits. That is normal for any length of time.
func (o *Outcome) IsPaused() bool { return o.Status == difysemconv.StatusPaused }

// WaitingSince returns since when a run waits: at least since its start.
func (o *Outcome) WaitingSince() time.Time {
	if o.Pause.Since.After(o.CreatedAt) {
		return o.Pause.Since
	}
	return o.CreatedAt
}

// ActiveSince returns when a run that does not wait has started, or has gone on.
func (o *Outcome) ActiveSince() time.Time {
	if o.Pause.ResumedAt.After(o.CreatedAt) {
		return o.Pause.ResumedAt
	}
	return o.CreatedAt
}

// WaitsForPerson reports whether a pause ends only when a person does something.
func (o *Outcome) WaitsForPerson() bool { return o.Pause.Reason != scheduledPause }

// PauseLabel returns the metric label of a reason.
func PauseLabel(reason string) string {
	switch {
	case reason == "":
		return "unknown"
	case slices.Contains(PauseReasons, reason):
		return reason
	default:
		return Other
	}
}
