// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracker

import (
	"maps"
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// stuckInterval is how often a run that was reported as stuck is read again.
const stuckInterval = time.Minute

// OpenRuns are the runs that have been seen and have not ended. They are stored in two lists, of which the short one
// of runs in progress changes often, and the one of stuck runs rarely.
type OpenRuns struct {
	runs map[string]*openRun

	openChanged, stuckChanged bool // since Saved
}

type openRun struct {
	createdAt time.Time
	stuck     bool // reported as stuck or as waiting
	waiting   bool // reported as waiting

	pause        source.Pause // as it was last read
	paused       bool
	resumed      time.Time // when it was first seen to go on
	visited      time.Time
	missingSince time.Time
}

// OpenRun is an open run as the checkpoint stores it. Its JSON names are names on disk.
type OpenRun struct {
	ID        string `json:"id"`
	CreatedAt int64  `json:"created_at"`        // Unix time in microseconds
	Waiting   bool   `json:"waiting,omitempty"` // since format 3 of the checkpoint
}

// NewOpenRuns returns an empty OpenRuns.
func NewOpenRuns() *OpenRuns { return &OpenRuns{runs: map[string]*openRun{}} }

// Len returns the number of open runs.
func (o *OpenRuns) Len() int { return len(o.runs) }

// Due returns the open runs to read at this poll.
func (o *OpenRuns) Due(now time.Time) []string {
	var ids []string
	for id, run := range o.runs {
		if !run.stuck || now.Sub(run.visited) >= stuckInterval {
			ids = append(ids, id)
		}
	}
	return ids
}

func (o *OpenRuns) has(id string) bool { return o.runs[id] != nil }

// isReported reports whether a run was reported as stuck or as waiting.
func (o *OpenRuns) isReported(id string) bool {
	run := o.runs[id]
	return run != nil && run.stuck
}

// missing records that the row of an open run does not exist, and returns for how long it has not.
func (o *OpenRuns) missing(id string, now time.Time) time.Duration {
	run := o.runs[id]
	run.visited = now
	if run.missingSince.IsZero() {
		run.missingSince = now
	}
	return now.Sub(run.missingSince)
}

func (o *OpenRuns) open(run *outcome.Outcome) {
	o.runs[run.ID] = &openRun{createdAt: run.CreatedAt}
	o.runs[run.ID].observe(run, time.Time{})
	o.openChanged = true
}

// observe remembers whether a run waits.
func (r *openRun) observe(run *outcome.Outcome, now time.Time) {
	if r.paused && !run.IsPaused() {
		r.resumed = now
	}
	r.paused, r.pause = run.IsPaused(), run.Pause
}

// Pause returns the pause of an open run that waits, as it was last read.
func (o *OpenRuns) Pause(id string) (pause source.Pause, known bool) {
	run := o.runs[id]
	if run == nil || !run.paused || run.pause.Since.IsZero() {
		return source.Pause{}, false
	}
	return run.pause, true
}

// Waiting returns the runs that wait.
func Waiting(o *OpenRuns) []outcome.Waiting {
	var waiting []outcome.Waiting
	for _, run := range o.runs {
		if run.paused {
			since := run.createdAt
			if run.pause.Since.After(since) {
				since = run.pause.Since
			}
			waiting = append(waiting, outcome.Waiting{Reason: run.pause.Reason, Since: since})
		}
	}
	return waiting
}

// HasWaiting reports whether any run was reported as waiting.
func HasWaiting(o *OpenRuns) bool {
	for _, run := range o.runs {
		if run.waiting {
			return true
		}
	}
	return false
}

func (o *OpenRuns) setWaiting(id string) {
	o.setStuck(id)
	o.runs[id].waiting = true
}

// resume makes a run that was reported as waiting one in progress.
func (o *OpenRuns) resume(id string) {
	o.runs[id].stuck, o.runs[id].waiting = false, false
	o.openChanged, o.stuckChanged = true, true
}

func (o *OpenRuns) setStuck(id string) {
	o.runs[id].stuck = true
	o.openChanged, o.stuckChanged = true, true
}

func (o *OpenRuns) close(id string) {
	run, ok := o.runs[id]
	if !ok {
		return
	}
	delete(o.runs, id)
	o.openChanged = o.openChanged || !run.stuck
	o.stuckChanged = o.stuckChanged || run.stuck
}

// Changed reports whether the list of the stuck runs, or that of the others, has changed since Saved.
func (o *OpenRuns) Changed(stuck bool) bool {
	if stuck {
		return o.stuckChanged
	}
	return o.openChanged
}

// Saved records that the changes have been stored.
func (o *OpenRuns) Saved() { o.openChanged, o.stuckChanged = false, false }

// Snapshot returns the stuck runs, or the others, by ID.
func (o *OpenRuns) Snapshot(stuck bool) []OpenRun {
	entries := []OpenRun{}
	for _, id := range slices.Sorted(maps.Keys(o.runs)) {
		if run := o.runs[id]; run.stuck == stuck {
			entries = append(entries, OpenRun{ID: id, CreatedAt: run.createdAt.UnixMicro(), Waiting: run.waiting})
		}
	}
	return entries
}

// Restore adds stored runs.
func (o *OpenRuns) Restore(stuck bool, entries []OpenRun) {
	for _, entry := range entries {
		o.runs[entry.ID] = &openRun{
			createdAt: time.UnixMicro(entry.CreatedAt).UTC(), stuck: stuck, waiting: entry.Waiting, paused: entry.Waiting,
		}
	}
}
