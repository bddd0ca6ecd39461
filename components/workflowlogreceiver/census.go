// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// censusWidth is the range of time whose rows are counted together.
const censusWidth = time.Hour

// census notices rows that appear where they are too old to be told, as when an archive is restored: it counts all old
// rows hour by hour, once in a run's greatest age and part by part, and compares.
type census struct {
	// Hours is how many rows each hour had at the last count, which went up to UpTo.
	Hours map[int64]int `json:"hours,omitempty"`
	UpTo  time.Time     `json:"up_to"`
	Began time.Time     `json:"began"`

	hours   map[int64]int // of the count that is under way
	upTo    time.Time
	at      source.Position
	active  bool
	changed bool // since it was saved
}

func hourOf(t time.Time) int64 { return t.Unix() / int64(censusWidth/time.Second) }

// span is the next part to count.
func (c *census) span(now, floor time.Time, every time.Duration) span {
	if !c.active {
		if now.Sub(c.Began) < every {
			return span{}
		}
		c.active, c.Began = true, now
		c.hours, c.upTo, c.at = map[int64]int{}, floor.Truncate(censusWidth), source.Position{}
	}
	return span{after: c.at, upTo: source.Position{CreatedAt: c.upTo}, limit: usualLimits.sweep}
}

// counted adds the keys of a part. At the end it answers how many rows have appeared since the last count.
func (c *census) counted(s span, keys []source.Key) (appeared int) {
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
