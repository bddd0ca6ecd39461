// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// stuckVisit is how often a run that was told as stuck is looked at.
const stuckVisit = time.Minute

// tail decides which rows of a table are due. It does no I/O, and what it counts as taken changes only by apply, after
// what was due has been delivered.
//
// The table is walked in the order of (created_at, id). A row may become visible behind the place where the walk
// stands. So the ledger remembers all rows that were taken since floor, and what lies between is read again: see rescan.
type tail struct {
	lookBack  time.Duration
	maxRunAge time.Duration

	start    time.Time // runs that were over before are not told
	floor    time.Time // the ledger is whole from here on
	position source.Position
	ledger   *ledger
	open     map[string]*openRun
	rescan   rescan

	openChanged, stuckChanged bool // since they were saved
}

// openRun is a run that has been seen and has not ended.
type openRun struct {
	createdAt time.Time
	stuck     bool // told as stuck

	visited      time.Time
	missingSince time.Time
}

// batch is what some rows ask for.
type batch struct {
	ended  []*outcome // to be told as ended
	stuck  []*outcome // to be told as stuck
	opened []*outcome // to be remembered, the stuck among them too
	muted  int        // over before the start position
	gone   []string   // open runs whose rows were deleted
	late   int        // found behind the position
	seen   []source.Key

	position *source.Position // where the walk stands after this batch
}

// newTail begins at a start position. The walk begins a run's greatest age before, for runs that are under way there.
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
		ledger:    newLedger(name),
		open:      map[string]*openRun{},
		rescan:    rescan{limits: usualLimits},
	}
}

// walked sorts a page that was read after the position, or after the page before it.
func (t *tail) walked(page []outcome, now time.Time) batch {
	b := t.sort(page, now)
	for i := range page {
		if page[i].CreatedAt.After(now) {
			break // of a clock ahead of the database's: told, but the walk does not follow it
		}
		position := page[i].Position()
		b.position = &position
	}
	return b
}

// late sorts runs that were found behind the position.
func (t *tail) late(runs []outcome, now time.Time) batch {
	b := t.sort(runs, now)
	b.late = len(runs)
	return b
}

// sort gives each run that is new to the tail its place in the batch.
func (t *tail) sort(runs []outcome, now time.Time) batch {
	b := batch{ended: make([]*outcome, 0, len(runs))}
	for i := range runs {
		run := &runs[i]
		if t.knows(run.Key) {
			continue
		}
		if t.remembers(run.CreatedAt) {
			b.seen = append(b.seen, run.Key)
		}
		switch {
		case !hasEnded(&run.Run):
			b.opened = append(b.opened, run)
			if t.isStuck(&run.Run, now) {
				b.stuck = append(b.stuck, run)
			}
		case run.CreatedAt.Before(t.start) && run.FinishedAt.Before(t.start):
			b.muted++
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
	return t.remembers(key.CreatedAt) && t.ledger.has(key)
}

// remembers says whether the ledger has a place for a row of that time. What is older is taken once, by the walk.
func (t *tail) remembers(createdAt time.Time) bool { return !createdAt.Before(t.floor) }

func (t *tail) isStuck(run *source.Run, now time.Time) bool {
	return now.Sub(run.CreatedAt) > t.maxRunAge
}

// wants says whether a run is to be told, and so whether to look up the rest of it.
func (t *tail) wants(run *source.Run, now time.Time) bool {
	known := t.open[run.ID]
	return hasEnded(run) || t.isStuck(run, now) && (known == nil || !known.stuck)
}

// due lists the open runs to visit at this poll.
func (t *tail) due(now time.Time) []string {
	var ids []string
	for id, run := range t.open {
		if !run.stuck || now.Sub(run.visited) >= stuckVisit {
			ids = append(ids, id)
		}
	}
	return ids
}

// visited sorts the answer about open runs. A row that is missing may only be late on a replica: a run counts as
// deleted when it has been missing for as long as a row may come late.
func (t *tail) visited(asked []string, found []outcome, now time.Time) batch {
	var b batch
	present := make(map[string]bool, len(found))
	for i := range found {
		run := &found[i]
		known, ok := t.open[run.ID]
		if !ok {
			continue // MySQL compares ids without regard to case
		}
		present[run.ID] = true
		known.missingSince, known.visited = time.Time{}, now
		switch {
		case hasEnded(&run.Run):
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
			b.gone = append(b.gone, id)
		}
	}
	return b
}

// unseen are the keys that are new to the tail.
func (t *tail) unseen(keys []source.Key) []string {
	var ids []string
	for _, key := range keys {
		if !t.knows(key) {
			ids = append(ids, key.ID)
		}
	}
	return ids
}

// apply takes over what the batch, which is delivered now, says.
func (t *tail) apply(b batch) {
	for _, key := range b.seen {
		t.ledger.add(key)
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
	for _, id := range b.gone {
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
