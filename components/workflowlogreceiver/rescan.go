// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// limits are how many keys of the index one poll reads again.
type limits struct {
	newest int // of the look-back window
	window int // of the rest of the window, in parts
	sweep  int // of older rows, up to maxRunAge, in parts
}

// usualLimits cost a few milliseconds of the database's time each.
var usualLimits = limits{newest: 5000, window: 5000, sweep: 2000}

// rescan is the progress, between polls, of reading behind the position. Three ranges follow one another downwards
// from the position: the newest rows, which each poll reads; the rest of the look-back window, read in passes without
// pause; and all older rows up to maxRunAge, read in passes that start once per lookBack. In a quiet table the newest
// rows cover the whole window.
type rescan struct {
	limits limits
	window source.Position // where the pass through the window continues
	sweep  source.Position // where the pass through the older rows continues
	began  time.Time       // when the latest pass through the older rows began
	active bool            // whether that pass is in progress
}

// span is a part of the table to read again.
type span struct {
	after, upTo source.Position
	limit       int
}

func (s span) empty() bool { return !s.upTo.CreatedAt.After(s.after.CreatedAt) }

// newestSpan returns the newest part of the look-back window that has no more keys than each poll reads. The processed
// IDs of the window have been loaded.
func (t *tail) newestSpan(now time.Time) span {
	from, keys := now.Add(-t.lookBack), t.rescan.limits.newest
	for m := minuteOf(t.position.CreatedAt); m >= minuteOf(from); m-- {
		n := t.processed.count(m)
		if n > keys {
			share := time.Duration(float64(sliceWidth) * float64(keys) / float64(n))
			if cut := m.time().Add(sliceWidth - share); cut.After(from) {
				from = cut
			}
			break
		}
		keys -= n
	}
	// Even in a minute with too many rows to read at once, the last second is read.
	if last := t.position.CreatedAt.Add(-time.Second); from.After(last) {
		from = last
	}
	return span{after: t.notBelow(from), upTo: t.position, limit: keysPerPage}
}

// windowSpan returns the next part of the window below the newest one.
func (t *tail) windowSpan(newest span, now time.Time) span {
	from := t.notBelow(now.Add(-t.lookBack))
	if t.rescan.window.CreatedAt.After(from.CreatedAt) {
		from = t.rescan.window
	}
	return span{after: from, upTo: newest.after, limit: t.rescan.limits.window}
}

// windowRead records how far the part reached.
func (t *tail) windowRead(s span, keys []source.Key) {
	t.rescan.window = source.Position{} // from the beginning
	if len(keys) == s.limit {
		t.rescan.window = keys[len(keys)-1].Position()
	}
}

// sweepSpan returns the next part of the rows older than the window.
func (t *tail) sweepSpan(now time.Time) span {
	if !t.rescan.active {
		if now.Sub(t.rescan.began) < t.lookBack {
			return span{}
		}
		t.rescan.active, t.rescan.began = true, now
		t.rescan.sweep = t.notBelow(time.Time{})
	}
	upTo := source.Position{CreatedAt: now.Add(-t.lookBack)}
	if t.position.CreatedAt.Before(upTo.CreatedAt) {
		upTo = t.position
	}
	return span{after: t.rescan.sweep, upTo: upTo, limit: t.rescan.limits.sweep}
}

// swept records how far the sweep reached. At its end it returns the new floor: every row that appeared before it was
// too old has been found.
func (t *tail) swept(s span, keys []source.Key) (floor time.Time, done bool) {
	if len(keys) == s.limit {
		t.rescan.sweep = keys[len(keys)-1].Position()
		return time.Time{}, false
	}
	t.rescan.active = false
	floor = minuteOf(t.rescan.began.Add(-t.maxRunAge)).time()
	return floor, floor.After(t.floor)
}

// notBelow returns the position just before a time, or just before the floor if that is later.
func (t *tail) notBelow(at time.Time) source.Position {
	if at.Before(t.floor) {
		at = t.floor
	}
	return source.Position{CreatedAt: at}
}
