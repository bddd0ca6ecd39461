// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package runmetrics counts runs and the usage of language models, per app and with bounded cardinality. It does no
// I/O.
package runmetrics

import (
	"math"
	"sort"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
)

// durationBounds are the upper bounds of the buckets of run durations, in seconds. Dify aborts a run after 1200 s by
// default. Changing them requires a new checkpoint version.
var durationBounds = []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 3600}

// maxModels is the number of models of one app that get series of their own.
const maxModels = 50

// Values of gen_ai.token.type. For a run Dify stores only the total.
const (
	tokenTypeInput  = "input"
	tokenTypeOutput = "output"
	tokenTypeTotal  = "total"
)

// AppLabels identify an app in the metrics. A renamed app continues under its new name as a series of its own, so that
// no series ever jumps; the sum over both is the app's.
type AppLabels struct {
	AppID     string `json:"app_id,omitempty"`
	AppName   string `json:"app_name,omitempty"`
	Workspace string `json:"workspace,omitempty"`
	Overflow  bool   `json:"overflow,omitempty"`
}

// LabelsOf returns the labels of a run's or a message's app.
func LabelsOf(o *outcome.Outcome) AppLabels {
	return AppLabels{AppID: o.AppID, AppName: o.App.Name, Workspace: o.Workspace}
}

var overflowLabels = AppLabels{Overflow: true}

type runLabels struct {
	Trigger string `json:"trigger,omitempty"`
	Status  string `json:"status,omitempty"`
}

type modelLabels struct {
	Model    string `json:"model,omitempty"`
	Provider string `json:"provider,omitempty"`
}

type tokenLabels struct {
	modelLabels
	Trigger string `json:"trigger,omitempty"`
	Type    string `json:"type,omitempty"`
}

type costLabels struct {
	modelLabels
	Trigger  string `json:"trigger,omitempty"`
	Currency string `json:"currency,omitempty"`
}

// duration is a histogram; its count is also the number of runs.
type duration struct {
	start   time.Time
	count   uint64
	sum     float64
	buckets []uint64
}

type sum[N int64 | float64] struct {
	start time.Time
	value N
}

// Metrics are the counters, cumulative since the first start. They are saved together with the tail, and count
// exactly the runs that it has delivered.
type Metrics struct {
	maxApps int
	named   int // apps other than the overflow
	apps    map[AppLabels]*appMetrics
	stored  []*appMetrics // in the order of their storage keys
}

// appMetrics are the series of one app, or of all apps that have no series of their own.
type appMetrics struct {
	labels  AppLabels
	models  map[modelLabels]bool
	runs    map[runLabels]*duration
	msgs    map[messageLabels]*duration
	tokens  map[tokenLabels]*sum[int64]
	cost    map[costLabels]*sum[float64]
	changed bool // since it was saved
}

// New returns empty counters, with series of their own for up to maxApps apps.
func New(maxApps int) *Metrics {
	return &Metrics{maxApps: maxApps, apps: map[AppLabels]*appMetrics{}}
}

// app returns the series that count an app: its own while there are fewer than maxApps, otherwise those of the
// overflow.
func (m *Metrics) app(labels AppLabels) *appMetrics {
	if a, ok := m.apps[labels]; ok {
		return a
	}
	if !labels.Overflow && m.named >= m.maxApps {
		return m.app(overflowLabels)
	}
	return m.add(labels)
}

func (m *Metrics) add(labels AppLabels) *appMetrics {
	a := &appMetrics{
		labels: labels,
		models: map[modelLabels]bool{},
		runs:   map[runLabels]*duration{},
		msgs:   map[messageLabels]*duration{},
		tokens: map[tokenLabels]*sum[int64]{},
		cost:   map[costLabels]*sum[float64]{},
	}
	if !labels.Overflow {
		m.named++
	}
	m.apps[labels] = a
	m.stored = append(m.stored, a)
	return a
}

// The overflow has one series in each metric: the status "" counts all runs, the others count success and failure.
var overflowStatuses = []string{"", difysemconv.StatusSucceeded, difysemconv.StatusFailed}

// EnsureSeries creates an app's series, with value 0, as soon as one of its runs is seen.
func (m *Metrics) EnsureSeries(app AppLabels, trigger string, now time.Time) {
	m.ensureSeries(app, trigger, now)
}

func (m *Metrics) ensureSeries(app AppLabels, trigger string, now time.Time) *appMetrics {
	a := m.app(app)
	statuses, trigger := outcome.EndedStatuses, outcome.TriggerLabel(trigger)
	if a.labels.Overflow {
		statuses, trigger = overflowStatuses, ""
	}
	if _, ok := a.runs[runLabels{trigger, statuses[0]}]; ok {
		return a
	}
	for _, status := range statuses {
		a.run(runLabels{trigger, status}, now)
	}
	return a
}

// AddRun adds a run that has ended.
func (m *Metrics) AddRun(run *outcome.Outcome, now time.Time) {
	a := m.ensureSeries(LabelsOf(run), run.TriggeredFrom, now)
	a.changed = true
	trigger := outcome.TriggerLabel(run.TriggeredFrom)
	if !a.labels.Overflow {
		a.run(runLabels{trigger, outcome.StatusLabel(run.Status)}, now).add(run.ElapsedTime)
	} else {
		a.run(runLabels{}, now).add(run.ElapsedTime)
		switch run.Status {
		case difysemconv.StatusSucceeded, difysemconv.StatusPartialSucceeded:
			a.run(runLabels{Status: difysemconv.StatusSucceeded}, now).add(run.ElapsedTime)
		case difysemconv.StatusFailed:
			a.run(runLabels{Status: difysemconv.StatusFailed}, now).add(run.ElapsedTime)
		}
	}
	a.addUsage(run.Usage, trigger, now)
}

// AddUsage adds the usage of a message, which is not a run.
func (m *Metrics) AddUsage(message *outcome.Outcome, now time.Time) {
	if u := message.Usage; u.Input > 0 || u.Output > 0 || len(u.Prices) > 0 {
		m.app(LabelsOf(message)).addUsage(u, outcome.TriggerLabel(message.TriggeredFrom), now)
	}
}

func (a *appMetrics) addUsage(u outcome.Usage, trigger string, now time.Time) {
	if a.labels.Overflow {
		a.addTokens(tokenLabels{}, u.Total+u.Input+u.Output, now)
		trigger = ""
	} else {
		model := a.model(u.Model)
		a.addTokens(tokenLabels{model, trigger, tokenTypeTotal}, u.Total, now)
		a.addTokens(tokenLabels{model, trigger, tokenTypeInput}, u.Input, now)
		a.addTokens(tokenLabels{model, trigger, tokenTypeOutput}, u.Output, now)
	}
	for _, p := range u.Prices {
		labels := costLabels{Currency: p.Currency}
		if !a.labels.Overflow {
			labels.modelLabels, labels.Trigger = a.model(u.Model), trigger
		}
		series(a.cost, labels, now).value += p.Amount
		a.changed = true
	}
}

func (a *appMetrics) addTokens(labels tokenLabels, tokens int64, now time.Time) {
	if tokens > 0 {
		series(a.tokens, labels, now).value += tokens
		a.changed = true
	}
}

// model returns the labels to count a model under. Model names come from users, so their number per app is bounded.
func (a *appMetrics) model(model outcome.Model) modelLabels {
	labels := modelLabels{Model: model.Name, Provider: model.Provider}
	switch {
	case labels == modelLabels{} || a.models[labels]:
		return labels
	case len(a.models) >= maxModels:
		return modelLabels{Model: outcome.Other, Provider: outcome.Other}
	default:
		a.models[labels] = true
		return labels
	}
}

func (a *appMetrics) run(labels runLabels, now time.Time) *duration {
	return durationOf(a, a.runs, labels, now)
}

func durationOf[L comparable](a *appMetrics, all map[L]*duration, labels L, now time.Time) *duration {
	d, ok := all[labels]
	if !ok {
		d = newDuration(startOf(now))
		all[labels] = d
		a.changed = true
	}
	return d
}

func newDuration(start time.Time) *duration {
	return &duration{start: start, buckets: make([]uint64, len(durationBounds)+1)}
}

func (d *duration) add(seconds float64) {
	if !(seconds >= 0) || math.IsInf(seconds, 0) { // NaN too
		seconds = 0
	}
	d.count++
	d.sum += seconds
	d.buckets[sort.SearchFloat64s(durationBounds, seconds)]++
}

func series[L comparable, N int64 | float64](all map[L]*sum[N], labels L, now time.Time) *sum[N] {
	s, ok := all[labels]
	if !ok {
		s = &sum[N]{start: startOf(now)}
		all[labels] = s
	}
	return s
}

// startOf returns the start timestamp of a series that is created now: just before now, so that its first point has a
// later timestamp.
func startOf(now time.Time) time.Time {
	return now.UTC().Truncate(time.Millisecond).Add(-time.Millisecond)
}
