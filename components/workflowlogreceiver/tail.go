// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// stuckVisit is how often a run that was reported as stuck is read again.
const stuckVisit = time.Minute

// tail decides which rows of a table are due. It does no I/O, and what it counts as taken changes only by apply, after
// what was due has been delivered.
//
// The table is walked in the order of (created_at, id). A row may become visible behind the place where the walk
// stands. So the ledger remembers all rows that were taken since floor, and what lies between is read again: see rescan.
type tail struct {
	lookBack  time.Duration
	maxRunAge time.Duration

	start     time.Time // runs that ended before it are not reported
	floor     time.Time // processed is complete from this time on
	position  source.Position
	processed *processedIDs
	open      map[string]*openRun
	rescan    rescan

	openChanged, stuckChanged bool // since they were saved
}

// openRun is a run that has been seen and has not ended.
type openRun struct {
	createdAt time.Time
	stuck     bool // reported as stuck

	visited      time.Time
	missingSince time.Time
}

// batch is what has to be done for some rows, once they are delivered.
type batch struct {
	ended       []*outcome.Outcome // to report as ended
	stuck       []*outcome.Outcome // to report as stuck
	opened      []*outcome.Outcome // to follow until they end, including the stuck ones
	beforeStart int                // ended before the start position: not reported
	deleted     []string           // open runs whose rows were deleted
	late        int                // found behind the position
	processed   []source.Key

	position *source.Position // the position after this batch
}

// newTail begins at a start position. It reads from maxRunAge before that position, for the runs that are in progress
// at it.
func newTail(name string, cfg *Config, start, now time.Time) *tail {
	t := emptyTail(name, cfg)
	t.start = start
	if !start.IsZero() {
		t.position = source.Position{CreatedAt: start.Add(-cfg.MaxRunAge)}
	}
	t.floor = now.Add(-cfg.MaxRunAge)
	if t.position.CreatedAt.After(t.floor) {
		t.floor = t.position.CreatedAt
	}
	t.floor = minuteOf(t.floor).time()
	return t
}

func emptyTail(name string, cfg *Config) *tail {
	return &tail{
		lookBack:  cfg.LookBack,
		maxRunAge: cfg.MaxRunAge,
		processed: newProcessedIDs(name),
		open:      map[string]*openRun{},
		rescan:    rescan{limits: usualLimits},
	}
}

// sortPage sorts a page that was read after the position, or after the page before it.
func (t *tail) sortPage(page []outcome.Outcome, now time.Time) batch {
	b := t.sort(page, now)
	for i := range page {
		if page[i].CreatedAt.After(now) {
			break // written with a clock ahead of the database's: reported, but the position does not advance to it
		}
		position := page[i].Position()
		b.position = &position
	}
	return b
}

// sortLate sorts runs that were found behind the position.
func (t *tail) sortLate(runs []outcome.Outcome, now time.Time) batch {
	b := t.sort(runs, now)
	b.late = len(runs)
	return b
}

// sort assigns each run that has not been processed to a list of the batch.
func (t *tail) sort(runs []outcome.Outcome, now time.Time) batch {
	b := batch{ended: make([]*outcome.Outcome, 0, len(runs))}
	for i := range runs {
		run := &runs[i]
		if t.knows(run.Key) {
			continue
		}
		if t.covers(run.CreatedAt) {
			b.processed = append(b.processed, run.Key)
		}
		switch {
		case !outcome.HasEnded(&run.Run):
			b.opened = append(b.opened, run)
			if t.isStuck(&run.Run, now) {
				b.stuck = append(b.stuck, run)
			}
		case run.CreatedAt.Before(t.start) && run.FinishedAt.Before(t.start):
			b.beforeStart++
		default:
			b.ended = append(b.ended, run)
		}
	}
	return b
}

func (t *tail) knows(key source.Key) bool {
	if _, ok := t.open[key.ID]; ok {
		return true
	}
	return t.covers(key.CreatedAt) && t.processed.has(key)
}

// covers reports whether processed has a place for a row of that time. An older row is processed once, when the
// position passes it.
func (t *tail) covers(createdAt time.Time) bool { return !createdAt.Before(t.floor) }

func (t *tail) isStuck(run *source.Run, now time.Time) bool {
	return now.Sub(run.CreatedAt) > t.maxRunAge
}

// needsDetails reports whether a run is about to be reported, and so whether its related rows have to be read.
func (t *tail) needsDetails(run *source.Run, now time.Time) bool {
	known := t.open[run.ID]
	return outcome.HasEnded(run) || t.isStuck(run, now) && (known == nil || !known.stuck)
}

// due returns the open runs to read at this poll.
func (t *tail) due(now time.Time) []string {
	var ids []string
	for id, run := range t.open {
		if !run.stuck || now.Sub(run.visited) >= stuckVisit {
			ids = append(ids, id)
		}
	}
	return ids
}

// sortVisited sorts the rows of open runs. A missing row may only be late on a replica: a run counts as deleted once
// it has been missing for as long as a row may be late.
func (t *tail) sortVisited(asked []string, found []outcome.Outcome, now time.Time) batch {
	var b batch
	present := make(map[string]bool, len(found))
	for i := range found {
		run := &found[i]
		known, ok := t.open[run.ID]
		if !ok {
			continue // MySQL compares IDs case-insensitively
		}
		present[run.ID] = true
		known.missingSince, known.visited = time.Time{}, now
		switch {
		case outcome.HasEnded(&run.Run):
			b.ended = append(b.ended, run)
		case !known.stuck && t.isStuck(&run.Run, now):
			b.stuck = append(b.stuck, run)
		}
	}
	for _, id := range asked {
		if present[id] {
			continue
		}
		known := t.open[id]
		known.visited = now
		if known.missingSince.IsZero() {
			known.missingSince = now
		}
		if now.Sub(known.missingSince) > t.lookBack {
			b.deleted = append(b.deleted, id)
		}
	}
	return b
}

// unprocessed returns the IDs of the rows that have not been processed.
func (t *tail) unprocessed(keys []source.Key) []string {
	var ids []string
	for _, key := range keys {
		if !t.knows(key) {
			ids = append(ids, key.ID)
		}
	}
	return ids
}

// apply records the effects of a batch. The caller has delivered it.
func (t *tail) apply(b batch) {
	for _, key := range b.processed {
		t.processed.add(key)
	}
	for _, run := range b.opened {
		t.open[run.ID] = &openRun{createdAt: run.CreatedAt}
		t.openChanged = true
	}
	for _, run := range b.stuck {
		t.open[run.ID].stuck = true
		t.openChanged, t.stuckChanged = true, true
	}
	for _, run := range b.ended {
		t.close(run.ID)
	}
	for _, id := range b.deleted {
		t.close(id)
	}
	if b.position != nil {
		t.position = *b.position
	}
}

func (t *tail) close(id string) {
	run, ok := t.open[id]
	if !ok {
		return
	}
	delete(t.open, id)
	t.openChanged = t.openChanged || !run.stuck
	t.stuckChanged = t.stuckChanged || run.stuck
}
