// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package history remembers what metrics alone don't show: how fast a counter grows, and when it last did.
package history

import (
	"sync"
	"time"
)

// maxCounters bounds what is remembered.
const maxCounters = 5000

// History follows counters. It is safe for concurrent use.
type History struct {
	mu       sync.Mutex
	counters map[string]counter // guarded by mu
}

type counter struct {
	value, rate float64
	at, grown   time.Time
}

// Observe adds the value of a counter at a time. The first value that is not 0 counts as growth at that time.
func (h *History) Observe(name string, value float64, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.counters == nil {
		h.counters = map[string]counter{}
	}
	c, known := h.counters[name]
	if !known && len(h.counters) >= maxCounters {
		return
	}
	if value > c.value {
		c.grown = at
	}
	if elapsed := at.Sub(c.at).Seconds(); known && elapsed > 0 {
		c.rate = max(0, value-c.value) / elapsed
	}
	c.value, c.at = value, at
	h.counters[name] = c
}

// Rate returns by how much a counter grew per second between its last two values.
func (h *History) Rate(name string) float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counters[name].rate
}

// Grown returns when a counter last grew; zero: never.
func (h *History) Grown(name string) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counters[name].grown
}
