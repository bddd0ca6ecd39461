// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// limits are what of the index one poll reads again, in keys.
type limits struct {
	newest int // of the look-back window
	window int // of the rest of the window, part by part
	sweep  int // of what is older, up to maxRunAge, part by part
}

// usualLimits are a few milliseconds of the database's time each.
var usualLimits = limits{newest: 5000, window: 5000, sweep: 2000}

// rescan remembers, between polls, what has been read again. Three ranges follow one another down from the position:
// the newest rows, which each poll reads; the rest of the look-back window, read in turns without pause; and all older
// ones up to maxRunAge, read in turns once in lookBack. A quiet table's whole window is among its newest rows.
type rescan struct {
	limits limits
	window source.Position // where the turn through the window stands
	sweep  source.Position // where the turn through the older rows stands
	began  time.Time       // when the last such turn began
	active bool            // whether it is under way
}

// span is a part of the table to read again.
type span struct {
	after, upTo source.Position
	limit       int
}

func (s span) empty() bool { return !s.upTo.CreatedAt.After(s.after.CreatedAt) }

// newestSpan is the newest part of the look-back window that has no more keys than are read at each poll. The ledger has
// been loaded for the window.
func (t *tail) newestSpan(now time.Time) span {
	from, keys := now.Add(-t.lookBack), t.rescan.limits.newest
	for m := minuteOf(t.position.CreatedAt); m >= minuteOf(from); m-- {
		n := t.ledger.count(m)
		if n > keys {
			share := time.Duration(float64(sliceWidth) * float64(keys) / float64(n))
			if cut := m.time().Add(sliceWidth - share); cut.After(from) {
				from = cut
			}
			break
		}
		keys -= n
	}
	// A minute that is too full to be read at once still has its last second read.
	if last := t.position.CreatedAt.Add(-time.Second); from.After(last) {
		from = last
	}
	return span{after: t.notBelow(from), upTo: t.position, limit: keysPerPage}
}

// windowSpan is the next part of the window below the newest one.
func (t *tail) windowSpan(newest span, now time.Time) span {
	from := t.notBelow(now.Add(-t.lookBack))
	if t.rescan.window.CreatedAt.After(from.CreatedAt) {
		from = t.rescan.window
	}
	return span{after: from, upTo: newest.after, limit: t.rescan.limits.window}
}

// windowRead notes how far the part reached.
func (t *tail) windowRead(s span, keys []source.Key) {
	t.rescan.window = source.Position{} // from the beginning
	if len(keys) == s.limit {
		t.rescan.window = keys[len(keys)-1].Position()
	}
}

// sweepSpan is the next part of what is older than the window.
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

// swept notes how far the sweep reached. When it has come to its end, it answers the new floor: all that appeared
// before a run was too old has been found.
func (t *tail) swept(s span, keys []source.Key) (floor time.Time, done bool) {
	if len(keys) == s.limit {
		t.rescan.sweep = keys[len(keys)-1].Position()
		return time.Time{}, false
	}
	t.rescan.active = false
	floor = minuteOf(t.rescan.began.Add(-t.maxRunAge)).time()
	return floor, floor.After(t.floor)
}

// notBelow is the position just before a time, or before the floor.
func (t *tail) notBelow(at time.Time) source.Position {
	if at.Before(t.floor) {
		at = t.floor
	}
	return source.Position{CreatedAt: at}
}
