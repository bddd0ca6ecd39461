// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"fmt"
	"time"
)

// metricsEntry is runMetrics as the checkpoint holds it.
type metricsEntry struct {
	Runs   []runsEntry           `json:"runs,omitempty"`
	Tokens []usageEntry[int64]   `json:"tokens,omitempty"`
	Cost   []usageEntry[float64] `json:"cost,omitempty"`
}

type runsEntry struct {
	runLabels
	Start   time.Time `json:"start"`
	Count   uint64    `json:"count,omitempty"`
	Sum     float64   `json:"sum,omitempty"`
	Buckets []uint64  `json:"buckets,omitempty"` // none while the count is 0
}

type usageEntry[N int64 | float64] struct {
	usageLabels
	Start time.Time `json:"start"`
	Value N         `json:"value"`
}

func (m *runMetrics) entry() metricsEntry {
	var e metricsEntry
	for labels, d := range m.runs {
		run := runsEntry{runLabels: labels, Start: d.start, Count: d.count, Sum: d.sum}
		if d.count > 0 {
			run.Buckets = d.buckets
		}
		e.Runs = append(e.Runs, run)
	}
	e.Tokens = usageEntries(m.tokens)
	e.Cost = usageEntries(m.cost)
	return e
}

func usageEntries[N int64 | float64](series map[usageLabels]*sum[N]) []usageEntry[N] {
	var entries []usageEntry[N]
	for labels, s := range series {
		entries = append(entries, usageEntry[N]{usageLabels: labels, Start: s.start, Value: s.value})
	}
	return entries
}

func (e metricsEntry) runMetrics(maxApps int) (*runMetrics, error) {
	m := newRunMetrics(maxApps)
	for _, run := range e.Runs {
		d := newDuration(run.Start)
		d.count, d.sum = run.Count, run.Sum
		if run.Count > 0 {
			if len(run.Buckets) != len(d.buckets) {
				return nil, fmt.Errorf("a histogram has %d buckets instead of %d", len(run.Buckets), len(d.buckets))
			}
			copy(d.buckets, run.Buckets)
		}
		m.runs[run.runLabels] = d
		if !run.App.Overflow {
			m.apps[run.App] = true
		}
	}
	for _, usage := range e.Tokens {
		m.tokens[usage.usageLabels] = &sum[int64]{start: usage.Start, value: usage.Value}
	}
	for _, usage := range e.Cost {
		m.cost[usage.usageLabels] = &sum[float64]{start: usage.Start, value: usage.Value}
	}
	return m, nil
}
