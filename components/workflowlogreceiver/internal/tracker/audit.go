// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracker

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// auditWidth is the range of time whose rows are counted together.
const auditWidth = time.Hour

// Audit detects rows that appear when they are already too old to be reported, as when an archive is restored. It
// counts all old rows hour by hour, once per interval and in parts, and compares the result with the previous count.
type Audit struct {
	last    AuditSnapshot
	changed bool // since Saved

	// The count in progress.
	active bool
	hours  map[int64]int
	upTo   time.Time
	at     source.Position
}

// AuditSnapshot is the latest completed count. Its JSON names are names on disk.
type AuditSnapshot struct {
	Hours map[int64]int `json:"hours,omitempty"` // number of rows by hours since 1970
	UpTo  time.Time     `json:"up_to"`           // the count covered the rows before it
	Began time.Time     `json:"began"`
}

// Snapshot returns the latest completed count, and whether it has changed since Saved.
func (a *Audit) Snapshot() (s AuditSnapshot, changed bool) { return a.last, a.changed }

// Restore sets the latest completed count.
func (a *Audit) Restore(s AuditSnapshot) { a.last = s }

// Saved records that the change has been stored.
func (a *Audit) Saved() { a.changed = false }

// Next returns the next part to count, and whether a count is in progress. A count covers the rows before the floor.
func (a *Audit) Next(now, floor time.Time, interval time.Duration) (s Span, active bool) {
	if !a.active {
		if now.Sub(a.last.Began) < interval {
			return Span{}, false
		}
		a.active, a.last.Began = true, now
		a.hours, a.upTo, a.at = map[int64]int{}, floor.Truncate(auditWidth), source.Position{}
	}
	return Span{After: a.at, UpTo: source.Position{CreatedAt: a.upTo}, Limit: DefaultLimits.Sweep}, true
}

// Counted adds the keys of a part. At the end of a count it returns how many rows have appeared since the previous
// one.
func (a *Audit) Counted(s Span, keys []source.Key) (appeared int) {
	for _, key := range keys {
		if key.CreatedAt.Before(a.upTo) {
			a.hours[hourOf(key.CreatedAt)]++
		}
	}
	if len(keys) == s.Limit {
		a.at = keys[len(keys)-1].Position()
		return 0
	}
	if previous := hourOf(a.last.UpTo); !a.last.UpTo.IsZero() {
		for hour, rows := range a.hours {
			if hour < previous {
				appeared += max(rows-a.last.Hours[hour], 0)
			}
		}
	}
	a.last.Hours, a.last.UpTo, a.active, a.changed = a.hours, a.upTo, false, true
	return appeared
}

func hourOf(t time.Time) int64 { return t.Unix() / int64(auditWidth/time.Second) }
