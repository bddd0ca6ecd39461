// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/runmetrics"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

// Limits of a State.
type Limits struct {
	LookBack, OutcomeWait, MaxRunAge time.Duration
	MaxApps                          int
}

// State is everything that survives the process: what has been delivered, and what was counted of it.
type State struct {
	Start    source.Clock
	Runs     *tracker.Tail
	Messages *tracker.Tail
	AppLogs  *tracker.AppLogs
	Audit    *tracker.Audit
	Metrics  *runmetrics.Metrics
	Arrival  Arrival
}

// maxZoneChange is how far back a local clock may be set when daylight saving time ends.
const maxZoneChange = time.Hour

// NewState returns the state of a first start at a position.
func NewState(limits Limits, start, now source.Clock) *State {
	runs := tracker.Settings{LookBack: limits.LookBack, MaxRunAge: limits.MaxRunAge}
	// A message that has no answer after OutcomeWait never gets one.
	messages := tracker.Settings{
		LookBack: limits.LookBack, MaxRunAge: max(limits.OutcomeWait, 2*limits.LookBack) + maxZoneChange,
	}
	return &State{
		Start:    start,
		Runs:     tracker.NewTail(runs, start.UTC, now.UTC),
		Messages: tracker.NewTail(messages, start.Local, now.Local),
		AppLogs:  tracker.NewAppLogs(start.UTC, limits.OutcomeWait, limits.MaxRunAge),
		Audit:    &tracker.Audit{},
		Metrics:  runmetrics.New(limits.MaxApps),
	}
}

func (s *State) processed() map[Kind]*tracker.ProcessedIDs {
	return map[Kind]*tracker.ProcessedIDs{
		Runs: s.Runs.Processed, Messages: s.Messages.Processed, AppLogs: s.AppLogs.Processed,
	}
}

func (s *State) saved() {
	s.Runs.Open.Saved()
	s.Messages.Open.Saved()
	s.Metrics.Saved()
	s.Audit.Saved()
	s.Arrival.changed = false
	for _, ids := range s.processed() {
		ids.Saved()
	}
}
