// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracker

import (
	"maps"
	"slices"
	"time"
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
	stuck     bool // reported as stuck

	visited      time.Time
	missingSince time.Time
}

// OpenRun is an open run as the checkpoint stores it. Its JSON names are names on disk.
type OpenRun struct {
	ID        string `json:"id"`
	CreatedAt int64  `json:"created_at"` // Unix time in microseconds
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

func (o *OpenRuns) isStuck(id string) bool {
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

func (o *OpenRuns) open(id string, createdAt time.Time) {
	o.runs[id] = &openRun{createdAt: createdAt}
	o.openChanged = true
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
			entries = append(entries, OpenRun{ID: id, CreatedAt: run.createdAt.UnixMicro()})
		}
	}
	return entries
}

// Restore adds stored runs.
func (o *OpenRuns) Restore(stuck bool, entries []OpenRun) {
	for _, entry := range entries {
		o.runs[entry.ID] = &openRun{createdAt: time.UnixMicro(entry.CreatedAt).UTC(), stuck: stuck}
	}
}
