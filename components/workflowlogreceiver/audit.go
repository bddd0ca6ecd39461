// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// auditWidth is the range of time whose rows are counted together.
const auditWidth = time.Hour

// audit detects rows that appear when they are already too old to be reported, as when an archive is restored. It
// counts all old rows hour by hour, once per maxRunAge and in parts, and compares the result with the previous count.
type audit struct {
	// Hours has the number of rows of each hour at the last completed count, which covered the rows before UpTo.
	Hours map[int64]int `json:"hours,omitempty"`
	UpTo  time.Time     `json:"up_to"`
	Began time.Time     `json:"began"`

	hours   map[int64]int // of the count in progress
	upTo    time.Time
	at      source.Position
	active  bool
	changed bool // since it was saved
}

func hourOf(t time.Time) int64 { return t.Unix() / int64(auditWidth/time.Second) }

// span returns the next part to count.
func (c *audit) span(now, floor time.Time, every time.Duration) span {
	if !c.active {
		if now.Sub(c.Began) < every {
			return span{}
		}
		c.active, c.Began = true, now
		c.hours, c.upTo, c.at = map[int64]int{}, floor.Truncate(auditWidth), source.Position{}
	}
	return span{after: c.at, upTo: source.Position{CreatedAt: c.upTo}, limit: usualLimits.sweep}
}

// counted adds the keys of a part. At the end of a count it returns how many rows have appeared since the previous
// one.
func (c *audit) counted(s span, keys []source.Key) (appeared int) {
	for _, key := range keys {
		if key.CreatedAt.Before(c.upTo) {
			c.hours[hourOf(key.CreatedAt)]++
		}
	}
	if len(keys) == s.limit {
		c.at = keys[len(keys)-1].Position()
		return 0
	}
	if last := hourOf(c.UpTo); !c.UpTo.IsZero() {
		for hour, rows := range c.hours {
			if hour < last {
				appeared += max(rows-c.Hours[hour], 0)
			}
		}
	}
	c.Hours, c.UpTo, c.active, c.changed = c.hours, c.upTo, false, true
	return appeared
}
