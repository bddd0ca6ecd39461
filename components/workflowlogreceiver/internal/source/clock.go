// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package source

import (
	"math"
	"time"
)

// Clock is one instant by the database's clock.
//
// Dify sets the times of a run itself, in UTC. The database sets messages.created_at and workflow_app_logs.created_at,
// in the time zone of Dify's session and without an offset. Such a column is followed by its own clock, since its index
// is in that order: Local is what it shows at the instant, represented as if it were UTC.
type Clock struct {
	UTC, Local time.Time
}

// clockPrecision is more than the clocks of one statement differ by, and less than any change of a time zone.
const clockPrecision = time.Minute

// NewClock returns the clock at an instant. local is what the column shows at that instant, and before is what it
// showed back earlier. After a change to daylight saving time, Local continues by the former offset for as long as rows
// from before the change may still become visible.
func NewClock(utc, local, before time.Time, back time.Duration) Clock {
	if former := before.Add(back); former.Before(local.Add(-clockPrecision)) {
		local = former
	}
	return Clock{UTC: utc, Local: local}
}

// Zone is the time zone of the columns that the database sets.
type Zone struct {
	Name string // of the database
	// Used reports whether the columns are in that time zone. Otherwise they are in UTC.
	Used bool
	// Known reports whether Used is certain.
	Known bool
}

// The name that Zone has where the columns are in UTC whatever the session of Dify is.
const ZoneUTC = "UTC"

// ZoneSample is how much later a local column shows a time than it was, in seconds, if the column is in UTC, and if it
// is in the database's time zone.
type ZoneSample struct{ UTC, Local float64 }

const (
	// maxDelay is how much later than its run a row is inserted at most, for the pair to be a sample. Before Dify 1.11.0
	// an app log is inserted when its run ends.
	maxDelay = 10 * 60.0
	// fresh is the age of a row that has just been inserted.
	fresh = 2 * 60.0
	// ahead is how far ahead of the database's clock the time of a row can be.
	ahead = 60.0
)

// Decide determines which time zone the columns are in. pairs compare rows with the runs that they belong to, whose
// times are UTC; newest is the age of the newest row, negated, or nil.
func (z Zone) Decide(pairs []ZoneSample, newest *ZoneSample) Zone {
	best := ZoneSample{math.Inf(1), math.Inf(1)}
	for _, pair := range pairs {
		if pair.delay() < best.delay() {
			best = pair
		}
	}
	if best.delay() <= maxDelay {
		z.Used, z.Known = math.Abs(best.Local) < math.Abs(best.UTC), true
		return z
	}
	if newest == nil {
		return z
	}
	inUTC, inLocal := newest.UTC >= -fresh, newest.Local >= -fresh // it is fresh, or in the future
	switch {
	case newest.UTC > ahead, inLocal && !inUTC && newest.Local <= ahead:
		z.Used, z.Known = true, true
	case newest.Local > ahead, inUTC && !inLocal:
		z.Used, z.Known = false, true
	}
	return z
}

func (s ZoneSample) delay() float64 { return math.Min(math.Abs(s.UTC), math.Abs(s.Local)) }
