// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"crypto/sha1" //nolint:gosec // a name for an odd id, nothing secret
	"time"

	"github.com/google/uuid"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

const (
	// rescanBudget is the number of runs in the look-back window up to which every poll reads the whole window again.
	rescanBudget = 5000
	// rescanStep is the narrowest part of the window that a poll reads again when the whole is too much.
	rescanStep = 10 * time.Second
	// stuckVisit is how often a run that was told as stuck is looked at.
	stuckVisit = time.Minute
)

// tail decides which runs are due. It does no I/O, and what it counts as told changes only by apply, after what was due has been
// delivered.
//
// The table is walked in the order of (created_at, id). A run may become visible behind the place where the walk stands,
// up to lookBack after the time it carries. So the walk keeps two marks. All runs up to settled are done for good: when
// they were read, lookBack had passed. Between settled and position, runs read already are in seen, and the range is
// read again, so that late ones are found.
type tail struct {
	lookBack  time.Duration
	maxRunAge time.Duration
	budget    int // see rescanBudget

	start    time.Time // runs that were over before are not told
	settled  source.Position
	position source.Position
	seen     map[runKey]int64 // microseconds of created_at
	open     map[string]*openRun

	polls uint64
}

// openRun is a run that has been seen and has not ended.
type openRun struct {
	createdAt time.Time
	stuck     bool // told as stuck

	visited      time.Time
	missingSince time.Time
}

// runKey is a run's id in 16 bytes.
type runKey [16]byte

func keyOf(id string) runKey {
	if parsed, err := uuid.Parse(id); err == nil {
		return runKey(parsed)
	}
	sum := sha1.Sum([]byte(id)) //nolint:gosec // see the import
	return runKey(sum[:16])
}

// batch is what one page of runs asks for.
type batch struct {
	ended  []source.Run // to be told as ended
	stuck  []source.Run // to be told as stuck
	opened []source.Run // to be remembered, the stuck among them too
	muted  int          // over before the start position
	gone   []string     // open runs whose rows were deleted
	late   int          // found behind the position
	seen   []source.Key

	position *source.Position // where the walk stands after this batch
	settled  *source.Position
}

// newTail begins at a start position. The walk begins a run's greatest age before, for runs that are under way there.
func newTail(cfg *Config, start time.Time) *tail {
	t := emptyTail(cfg)
	t.start = start
	if !start.IsZero() {
		t.position = source.Position{CreatedAt: start.Add(-cfg.MaxRunAge)}
		t.settled = t.position
	}
	return t
}

func emptyTail(cfg *Config) *tail {
	return &tail{
		lookBack:  cfg.LookBack,
		maxRunAge: cfg.MaxRunAge,
		budget:    rescanBudget,
		seen:      map[runKey]int64{},
		open:      map[string]*openRun{},
	}
}

// walked sorts a page that was read after the position, or after the page before it. behind is the mark up to which
// all is settled if this page follows it without a gap.
func (t *tail) walked(page []source.Run, now time.Time) batch {
	b := t.sort(page, now)
	horizon := now.Add(-t.lookBack)
	gapless := same(t.settled, t.position)
	for _, run := range page {
		if run.CreatedAt.After(now) {
			break // of a clock ahead of the database's: told, but the walk does not follow it
		}
		position := run.Position()
		b.position = &position
		if gapless && !run.CreatedAt.After(horizon) {
			b.settled = &position
		}
	}
	return b
}

// late sorts runs that were found behind the position.
func (t *tail) late(runs []source.Run, now time.Time) batch {
	b := t.sort(runs, now)
	b.late = len(runs)
	return b
}

// sort gives each run that is new to the tail its place in the batch.
func (t *tail) sort(runs []source.Run, now time.Time) batch {
	var b batch
	for _, run := range runs {
		if t.knows(run.Key) {
			continue
		}
		b.seen = append(b.seen, run.Key)
		switch {
		case !hasEnded(run):
			b.opened = append(b.opened, run)
			if t.isStuck(run, now) {
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
	if _, ok := t.seen[keyOf(key.ID)]; ok {
		return true
	}
	_, ok := t.open[key.ID]
	return ok
}

func (t *tail) isStuck(run source.Run, now time.Time) bool {
	return now.Sub(run.CreatedAt) > t.maxRunAge
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
func (t *tail) visited(asked []string, found []source.Run, now time.Time) batch {
	var b batch
	present := make(map[string]bool, len(found))
	for _, run := range found {
		known, ok := t.open[run.ID]
		if !ok {
			continue // MySQL compares ids without regard to case
		}
		present[run.ID] = true
		known.missingSince, known.visited = time.Time{}, now
		switch {
		case hasEnded(run):
			b.ended = append(b.ended, run)
		case !known.stuck && t.isStuck(run, now):
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

// rescan says what to read again at this poll: the range, whether that is all that is not settled, and whether there
// is anything. The whole is read at each poll while it is small. Otherwise each poll reads the newest step, every
// second one twice as much, every fourth four times, and so on: what comes late by x is found after about x/step polls.
func (t *tail) rescan() (after, upTo source.Position, full, needed bool) {
	t.polls++
	if same(t.settled, t.position) {
		return source.Position{}, source.Position{}, false, false
	}
	if len(t.seen) <= t.budget {
		return t.settled, t.position, true, true
	}
	width := rescanStep
	for n := t.polls; n%2 == 0 && width < t.lookBack; n /= 2 {
		width *= 2
	}
	from := t.position.CreatedAt.Add(-width)
	if width >= t.lookBack || !from.After(t.settled.CreatedAt) {
		return t.settled, t.position, true, true
	}
	return source.Position{CreatedAt: from}, t.position, false, true
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

// settle finds the mark after the whole unsettled range was read at the given time, keys being the next part of it.
func (t *tail) settle(keys []source.Key, now time.Time) *source.Position {
	horizon := now.Add(-t.lookBack)
	var mark *source.Position
	for _, key := range keys {
		if key.CreatedAt.After(horizon) {
			break
		}
		position := key.Position()
		mark = &position
	}
	return mark
}

// settleAll is settle for a range that has been read to its end.
func (t *tail) settleAll(now time.Time) *source.Position {
	if t.position.CreatedAt.After(now.Add(-t.lookBack)) {
		return nil
	}
	position := t.position
	return &position
}

// apply takes over what the batch, which is delivered now, says. It reports whether anything changed.
func (t *tail) apply(b batch) bool {
	for _, key := range b.seen {
		t.seen[keyOf(key.ID)] = key.CreatedAt.UnixMicro()
	}
	for _, run := range b.opened {
		t.open[run.ID] = &openRun{createdAt: run.CreatedAt}
	}
	for _, run := range b.stuck {
		t.open[run.ID].stuck = true
	}
	for _, run := range b.ended {
		delete(t.open, run.ID)
	}
	for _, id := range b.gone {
		delete(t.open, id)
	}
	if b.position != nil {
		t.position = *b.position
	}
	if b.settled != nil {
		t.settled = *b.settled
		t.forget()
	}
	return len(b.seen)+len(b.stuck)+len(b.ended)+len(b.gone) > 0
}

// forget drops from seen what is settled. Runs of the mark's own time stay: more may share it.
func (t *tail) forget() {
	mark := t.settled.CreatedAt.UnixMicro()
	for key, createdAt := range t.seen {
		if createdAt < mark {
			delete(t.seen, key)
		}
	}
}

func same(a, b source.Position) bool {
	return a.ID == b.ID && a.CreatedAt.Equal(b.CreatedAt)
}
