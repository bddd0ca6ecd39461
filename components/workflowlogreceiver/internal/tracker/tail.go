// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package tracker decides which rows of Dify's tables have to be reported, and remembers which have been. It does no
// I/O: it is given rows and the time, and returns what to do.
package tracker

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// Settings of a Tail.
type Settings struct {
	LookBack  time.Duration // how late a row may become visible and still be found at the next poll
	MaxRunAge time.Duration // how late it may become visible and still be found, and the age of a stuck run
}

// Tail decides which rows of one table are due.
//
// The table is read in the order of (created_at, id), and Position is the last row read in that order. A row may
// become visible behind Position: it was committed late, or another row has the same time. Therefore Processed has the
// IDs of all rows since Floor that have been processed, and the rows between Floor and Position are read again: see
// Rescan.
//
// These invariants hold between two calls:
//   - Every row at or after Floor and up to Position that was visible when it was last read is in Processed.
//   - Every run that has been seen and has not ended is in Open, whatever its age.
//   - A row before Floor is processed once, when Position passes it, and never again.
//   - Nothing changes but by Apply, which the caller calls after the pipeline has accepted the batch. Deciding
//     (SortPage, SortLate, SortVisited) changes only when an open run was last read.
//
// What was decided and not applied is decided again: a crash between delivery and the next save of the checkpoint
// repeats records with the same UID, and loses none.
type Tail struct {
	Position  source.Position
	Floor     time.Time // Processed is complete from this time on
	Processed *ProcessedIDs
	Open      *OpenRuns
	Rescan    *Rescan

	start     time.Time // runs that ended before it are not reported
	lookBack  time.Duration
	maxRunAge time.Duration
}

// TailSnapshot is the part of a Tail that changes with each batch. Its JSON names are names on disk.
type TailSnapshot struct {
	Floor    time.Time       `json:"floor"`
	Position source.Position `json:"position"`
}

// Batch is what has to be done for some rows, once they are delivered.
type Batch struct {
	Ended       []*outcome.Outcome // to report as ended
	Stuck       []*outcome.Outcome // to report as stuck
	Waiting     []*outcome.Outcome // to report as waiting for a long time
	Resumed     []string           // that were reported as waiting and no longer are
	Opened      []*outcome.Outcome // to follow until they end, including the stuck ones
	BeforeStart int                // ended before the start position: not reported
	Deleted     []string           // open runs whose rows were deleted
	Late        int                // found behind the position
	Processed   []source.Key

	Position *source.Position // the position after this batch
}

// NewTail begins at a start position. It reads from MaxRunAge before that position, for the runs that are in progress
// at it.
func NewTail(set Settings, start, now time.Time) *Tail {
	t := &Tail{
		Processed: NewProcessedIDs(),
		Open:      NewOpenRuns(),
		Rescan:    NewRescan(set),
		start:     start,
		lookBack:  set.LookBack,
		maxRunAge: set.MaxRunAge,
	}
	if !start.IsZero() {
		t.Position = source.Position{CreatedAt: start.Add(-set.MaxRunAge)}
	}
	t.Floor = now.Add(-set.MaxRunAge)
	if t.Position.CreatedAt.After(t.Floor) {
		t.Floor = t.Position.CreatedAt
	}
	t.Floor = MinuteOf(t.Floor).Time()
	return t
}

// LowerStart moves the start position back, after the clock of the table was set back. Rows that are older than they
// then seem have been processed: the table is read from MaxRunAge before the start.
func (t *Tail) LowerStart(to time.Time) {
	if to.Before(t.start) {
		t.start = to
	}
}

// Snapshot returns the position and the floor.
func (t *Tail) Snapshot() TailSnapshot { return TailSnapshot{Floor: t.Floor, Position: t.Position} }

// Restore sets the position and the floor.
func (t *Tail) Restore(s TailSnapshot) { t.Floor, t.Position = s.Floor, s.Position }

// SortPage sorts a page that was read after the position, or after the page before it.
func (t *Tail) SortPage(page []outcome.Outcome, now time.Time) Batch {
	b := t.sort(page, now)
	for i := range page {
		if page[i].CreatedAt.After(now) {
			break // written with a clock ahead of the database's: reported, but the position does not advance to it
		}
		position := page[i].Position()
		b.Position = &position
	}
	return b
}

// SortLate sorts runs that were found behind the position.
func (t *Tail) SortLate(runs []outcome.Outcome, now time.Time) Batch {
	b := t.sort(runs, now)
	b.Late = len(runs)
	return b
}

// sort assigns each run that has not been processed to a list of the batch.
func (t *Tail) sort(runs []outcome.Outcome, now time.Time) Batch {
	b := Batch{Ended: make([]*outcome.Outcome, 0, len(runs))}
	for i := range runs {
		run := &runs[i]
		if t.known(run.Key) {
			continue
		}
		if t.Covers(run.CreatedAt) {
			b.Processed = append(b.Processed, run.Key)
		}
		switch {
		case !outcome.HasEnded(&run.Run):
			b.Opened = append(b.Opened, run)
			b.addOverdue(run, t.IsOverdue(run, now))
		case run.CreatedAt.Before(t.start) && run.FinishedAt.Before(t.start):
			b.BeforeStart++
		default:
			b.Ended = append(b.Ended, run)
		}
	}
	return b
}

func (t *Tail) known(key source.Key) bool {
	return t.Open.has(key.ID) || t.Covers(key.CreatedAt) && t.Processed.Has(key)
}

// Covers reports whether Processed has a place for a row of that time.
func (t *Tail) Covers(createdAt time.Time) bool { return !createdAt.Before(t.Floor) }

// addOverdue adds a run that has not ended to one of the lists if it has to be reported.
func (b *Batch) addOverdue(run *outcome.Outcome, overdue bool) {
	switch {
	case !overdue:
	case run.IsPaused():
		b.Waiting = append(b.Waiting, run)
	default:
		b.Stuck = append(b.Stuck, run)
	}
}

// IsOverdue reports whether an open run has waited for too long or, if it does not wait, has been active for too long.
func (t *Tail) IsOverdue(run *outcome.Outcome, now time.Time) bool {
	if run.IsPaused() {
		return now.Sub(run.WaitingSince()) > t.maxRunAge
	}
	return now.Sub(run.ActiveSince()) > t.maxRunAge
}

// MayBeOverdue reports whether an open run is overdue unless it has waited.
func (t *Tail) MayBeOverdue(run *outcome.Outcome, now time.Time) bool {
	return !outcome.HasEnded(&run.Run) && now.Sub(run.CreatedAt) > t.maxRunAge
}

// NeedsDetails reports whether a run is about to be reported, and so whether its related rows have to be read.
func (t *Tail) NeedsDetails(run *outcome.Outcome, now time.Time) bool {
	return outcome.HasEnded(&run.Run) || t.IsOverdue(run, now) && !t.Open.isReported(run.ID)
}

// SortVisited sorts the rows of open runs. A missing row may only be late on a replica: a run counts as deleted once
// it has been missing for as long as a row may be late.
func (t *Tail) SortVisited(asked []string, found []outcome.Outcome, now time.Time) Batch {
	var b Batch
	present := make(map[string]bool, len(found))
	for i := range found {
		run := &found[i]
		known, ok := t.Open.runs[run.ID]
		if !ok {
			continue // MySQL compares IDs case-insensitively
		}
		present[run.ID] = true
		known.missingSince, known.visited = time.Time{}, now
		known.observe(run, now)
		switch {
		case outcome.HasEnded(&run.Run):
			b.Ended = append(b.Ended, run)
		case known.waiting && !run.IsPaused():
			b.Resumed = append(b.Resumed, run.ID)
		case !known.stuck && now.Sub(known.resumed) > t.maxRunAge:
			b.addOverdue(run, t.IsOverdue(run, now))
		}
	}
	for _, id := range asked {
		if !present[id] && t.Open.missing(id, now) > t.lookBack {
			b.Deleted = append(b.Deleted, id)
		}
	}
	return b
}

// Unprocessed returns the IDs of the rows that have not been processed.
func (t *Tail) Unprocessed(keys []source.Key) []string {
	var ids []string
	for _, key := range keys {
		if !t.known(key) {
			ids = append(ids, key.ID)
		}
	}
	return ids
}

// Apply records the effects of a batch. The pipeline has accepted it.
func (t *Tail) Apply(b Batch) {
	for _, key := range b.Processed {
		t.Processed.add(key)
	}
	for _, run := range b.Opened {
		t.Open.open(run)
	}
	for _, run := range b.Waiting {
		t.Open.setWaiting(run.ID)
	}
	for _, id := range b.Resumed {
		t.Open.resume(id)
	}
	for _, run := range b.Stuck {
		t.Open.setStuck(run.ID)
	}
	for _, run := range b.Ended {
		t.Open.close(run.ID)
	}
	for _, id := range b.Deleted {
		t.Open.close(id)
	}
	if b.Position != nil {
		t.Position = *b.Position
	}
}
