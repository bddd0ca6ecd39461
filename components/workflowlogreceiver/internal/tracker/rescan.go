// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracker

import (
	"iter"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// maxKeys bounds a span that is otherwise bounded only by time.
const maxKeys = 10_000

// Limits are how many keys of the index one poll reads again.
type Limits struct {
	Newest int // of the look-back window
	Window int // of the rest of the window, in parts
	Sweep  int // of older rows, up to MaxRunAge, in parts
}

// DefaultLimits cost a few milliseconds of the database's time each.
var DefaultLimits = Limits{Newest: 5000, Window: 5000, Sweep: 2000}

// Rescan is the progress, between polls, of reading behind the position. Three ranges follow one another downwards
// from the position: the newest rows, which each poll reads; the rest of the look-back window, read in passes without
// pause; and all older rows up to MaxRunAge, read in passes that start once per LookBack. In a quiet table the newest
// rows cover the whole window.
//
// It is not stored: after a restart every pass starts again.
type Rescan struct {
	Limits Limits

	lookBack, maxRunAge time.Duration

	window source.Position // where the pass through the window continues
	sweep  source.Position // where the pass through the older rows continues
	began  time.Time       // when the latest pass through the older rows began
	active bool            // whether that pass is in progress
}

// NewRescan returns a Rescan with the default limits.
func NewRescan(set Settings) *Rescan {
	return &Rescan{Limits: DefaultLimits, lookBack: set.LookBack, maxRunAge: set.MaxRunAge}
}

// Span is a part of the table to read again.
type Span struct {
	After, UpTo source.Position
	Limit       int
}

// Empty reports whether the span has no rows.
func (s Span) Empty() bool { return !s.UpTo.CreatedAt.After(s.After.CreatedAt) }

// Newest returns the newest part of the look-back window that has no more keys than each poll reads. The processed IDs
// of NewestMinutes have been loaded.
func (r *Rescan) Newest(t *Tail, now time.Time) Span {
	from, keys := now.Add(-r.lookBack), r.Limits.Newest
	for m := MinuteOf(t.Position.CreatedAt); m >= MinuteOf(from); m-- {
		n := t.Processed.Count(m)
		if n > keys {
			share := time.Duration(float64(minuteWidth) * float64(keys) / float64(n))
			if cut := m.Time().Add(minuteWidth - share); cut.After(from) {
				from = cut
			}
			break
		}
		keys -= n
	}
	// Even in a minute with too many rows to read at once, the last second is read.
	if last := t.Position.CreatedAt.Add(-time.Second); from.After(last) {
		from = last
	}
	return Span{After: notBelow(t.Floor, from), UpTo: t.Position, Limit: maxKeys}
}

// NewestMinutes returns the minutes whose processed IDs Newest looks at. The caller loads each one before it asks for
// the next, since the number of IDs decides where the minutes end.
func (r *Rescan) NewestMinutes(t *Tail, now time.Time) iter.Seq[Minute] {
	return func(yield func(Minute) bool) {
		ids := 0
		for m := MinuteOf(t.Position.CreatedAt); m >= MinuteOf(now.Add(-r.lookBack)) && ids <= r.Limits.Newest; m-- {
			if !yield(m) {
				return
			}
			ids += t.Processed.Count(m)
		}
	}
}

// Window returns the next part of the window below the newest one.
func (r *Rescan) Window(t *Tail, newest Span, now time.Time) Span {
	from := notBelow(t.Floor, now.Add(-r.lookBack))
	if r.window.CreatedAt.After(from.CreatedAt) {
		from = r.window
	}
	return Span{After: from, UpTo: newest.After, Limit: r.Limits.Window}
}

// WindowRead records how far the part reached.
func (r *Rescan) WindowRead(s Span, keys []source.Key) {
	r.window = source.Position{} // from the beginning
	if len(keys) == s.Limit {
		r.window = keys[len(keys)-1].Position()
	}
}

// Sweep returns the next part of the rows older than the window, and whether a pass through them is in progress.
func (r *Rescan) Sweep(t *Tail, now time.Time) (s Span, active bool) {
	if !r.active {
		if now.Sub(r.began) < r.lookBack {
			return Span{}, false
		}
		r.active, r.began = true, now
		r.sweep = notBelow(t.Floor, time.Time{})
	}
	upTo := source.Position{CreatedAt: now.Add(-r.lookBack)}
	if t.Position.CreatedAt.Before(upTo.CreatedAt) {
		upTo = t.Position
	}
	return Span{After: r.sweep, UpTo: upTo, Limit: r.Limits.Sweep}, true
}

// Swept records how far the sweep reached. At its end it returns the new floor: every row that appeared before it was
// too old has been found.
func (r *Rescan) Swept(t *Tail, s Span, keys []source.Key) (floor time.Time, raised bool) {
	if len(keys) == s.Limit {
		r.sweep = keys[len(keys)-1].Position()
		return time.Time{}, false
	}
	r.active = false
	floor = MinuteOf(r.began.Add(-r.maxRunAge)).Time()
	return floor, floor.After(t.Floor)
}

// notBelow returns the position just before a time, or just before the floor if that is later.
func notBelow(floor, at time.Time) source.Position {
	if at.Before(floor) {
		at = floor
	}
	return source.Position{CreatedAt: at}
}
