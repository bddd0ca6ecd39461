// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package runmetrics

import (
	"fmt"
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
)

// App is the series of one app as the checkpoint stores them. Its JSON names, and those of the labels, are names on
// disk.
type App struct {
	AppLabels
	Runs     []runsEntry                        `json:"runs,omitempty"`
	Messages []messagesEntry                    `json:"messages,omitempty"` // since format 3 of the checkpoint
	Tokens   []seriesEntry[tokenLabels, int64]  `json:"tokens,omitempty"`
	Cost     []seriesEntry[costLabels, float64] `json:"cost,omitempty"`
}

type runsEntry struct {
	runLabels
	durationEntry
}

type messagesEntry struct {
	messageLabels
	durationEntry
}

type durationEntry struct {
	Start   time.Time `json:"start"`
	Count   uint64    `json:"count,omitempty"`
	Sum     float64   `json:"sum,omitempty"`
	Buckets []uint64  `json:"buckets,omitempty"` // absent while the count is 0
}

type seriesEntry[L comparable, N int64 | float64] struct {
	Labels L         `json:"labels"`
	Start  time.Time `json:"start"`
	Value  N         `json:"value"`
}

func (a *appMetrics) snapshot() App {
	e := App{AppLabels: a.labels, Tokens: seriesEntries(a.tokens), Cost: seriesEntries(a.cost)}
	for labels, d := range a.runs {
		e.Runs = append(e.Runs, runsEntry{labels, d.entry()})
	}
	for labels, d := range a.msgs {
		e.Messages = append(e.Messages, messagesEntry{labels, d.entry()})
	}
	return e
}

func (d *duration) entry() durationEntry {
	e := durationEntry{Start: d.start, Count: d.count, Sum: d.sum}
	if d.count > 0 {
		e.Buckets = d.buckets
	}
	return e
}

func (e *durationEntry) duration() (*duration, error) {
	d := newDuration(e.Start)
	d.count, d.sum = e.Count, e.Sum
	if e.Count > 0 {
		if len(e.Buckets) != len(d.buckets) {
			return nil, fmt.Errorf("a histogram has %d buckets instead of %d", len(e.Buckets), len(d.buckets))
		}
		copy(d.buckets, e.Buckets)
	}
	return d, nil
}

// HasMessages reports whether any app has counted messages.
func (m *Metrics) HasMessages() bool {
	return slices.ContainsFunc(m.stored, func(a *appMetrics) bool { return len(a.msgs) > 0 })
}

// Len returns the number of apps, which are stored under the numbers from 0.
func (m *Metrics) Len() int { return len(m.stored) }

// Changed returns the apps that have changed since Saved, by number.
func (m *Metrics) Changed() map[int]App {
	changed := map[int]App{}
	for number, a := range m.stored {
		if a.changed {
			changed[number] = a.snapshot()
		}
	}
	return changed
}

// Saved records that the changes have been stored.
func (m *Metrics) Saved() {
	for _, a := range m.stored {
		a.changed = false
	}
}

func seriesEntries[L comparable, N int64 | float64](series map[L]*sum[N]) []seriesEntry[L, N] {
	var entries []seriesEntry[L, N]
	for labels, s := range series {
		entries = append(entries, seriesEntry[L, N]{Labels: labels, Start: s.start, Value: s.value})
	}
	return entries
}

// Restore adds a stored app. The order of the calls must be that of the stored numbers.
func (m *Metrics) Restore(e App) error {
	a := m.add(e.AppLabels)
	for _, run := range e.Runs {
		d, err := run.duration()
		if err != nil {
			return err
		}
		a.runs[run.runLabels] = d
	}
	for _, message := range e.Messages {
		d, err := message.duration()
		if err != nil {
			return err
		}
		a.msgs[message.messageLabels] = d
	}
	for _, s := range e.Tokens {
		a.tokens[s.Labels] = &sum[int64]{start: s.Start, value: s.Value}
		a.addModel(s.Labels.modelLabels)
	}
	for _, s := range e.Cost {
		a.cost[s.Labels] = &sum[float64]{start: s.Start, value: s.Value}
		a.addModel(s.Labels.modelLabels)
	}
	return nil
}

func (a *appMetrics) addModel(model modelLabels) {
	if model != (modelLabels{}) && model.Model != outcome.Other {
		a.models[model] = true
	}
}
