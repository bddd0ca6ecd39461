// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"math"
	"sort"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// durationBounds are the upper bounds of the buckets of the runs' durations, in seconds. Dify ends a run after 1200 s
// by default. A change of them needs a new checkpointVersion.
var durationBounds = []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 3600}

const (
	attrTokenType = "gen_ai.token.type" //nolint:gosec // a name
	attrOverflow  = "otel.metric.overflow"

	// tokenTypeTotal is told where Dify keeps only the sum of input and output.
	tokenTypeTotal = "total"
)

// appLabels name an app in the metrics. A renamed app goes on under its new name as a series of its own, so that no
// series ever jumps; the sum over both is the app's.
type appLabels struct {
	AppID     string `json:"app_id"`
	AppName   string `json:"app_name"`
	Workspace string `json:"workspace"`
	Overflow  bool   `json:"overflow,omitempty"`
}

var overflowLabels = appLabels{Overflow: true}

type runLabels struct {
	App     appLabels `json:"app"`
	Trigger string    `json:"trigger,omitempty"`
	Status  string    `json:"status,omitempty"`
}

type usageLabels struct {
	App      appLabels `json:"app"`
	Currency string    `json:"currency,omitempty"`
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

// runMetrics are the counters, cumulative since the first start. They are saved with the tail and hold what it has
// told, no more and no less.
type runMetrics struct {
	maxApps int
	apps    map[appLabels]bool
	runs    map[runLabels]*duration
	tokens  map[usageLabels]*sum[int64]
	cost    map[usageLabels]*sum[float64]
}

func newRunMetrics(maxApps int) *runMetrics {
	return &runMetrics{
		maxApps: maxApps,
		apps:    map[appLabels]bool{},
		runs:    map[runLabels]*duration{},
		tokens:  map[usageLabels]*sum[int64]{},
		cost:    map[usageLabels]*sum[float64]{},
	}
}

// admit answers the labels to count an app under: its own while there is room, then those of the overflow.
func (m *runMetrics) admit(app appLabels) appLabels {
	if m.apps[app] {
		return app
	}
	if len(m.apps) >= m.maxApps {
		return overflowLabels
	}
	m.apps[app] = true
	return app
}

// see makes an app's series exist, with 0, as soon as one of its runs is seen. It reports whether any is new.
func (m *runMetrics) see(app appLabels, trigger string, now time.Time) bool {
	before := len(m.runs)
	app = m.admit(app)
	if app.Overflow {
		for _, status := range overflowStatuses {
			m.run(runLabels{App: app, Status: status}, now)
		}
	} else {
		for _, status := range endedStatuses {
			m.run(runLabels{App: app, Trigger: triggerLabel(trigger), Status: status}, now)
		}
	}
	return len(m.runs) > before
}

// count adds a run that has ended.
func (m *runMetrics) count(run outcome, now time.Time) {
	m.see(run.labels(), run.TriggeredFrom, now)
	app := m.admit(run.labels())
	if app.Overflow {
		m.countOverflow(run, now)
	} else {
		m.run(runLabels{App: app, Trigger: triggerLabel(run.TriggeredFrom), Status: statusLabel(run.Status)}, now).add(run.ElapsedTime)
	}
	if run.usage.tokens > 0 {
		at(m.tokens, usageLabels{App: app}, now).value += run.usage.tokens
	}
	for currency, price := range run.usage.prices {
		at(m.cost, usageLabels{App: app, Currency: currency}, now).value += price
	}
}

// The overflow is one series in each metric: the status "" stands for all runs, the others for success and failure.
var overflowStatuses = []string{"", difysemconv.StatusSucceeded, difysemconv.StatusFailed}

func (m *runMetrics) countOverflow(run outcome, now time.Time) {
	m.run(runLabels{App: overflowLabels}, now).add(run.ElapsedTime)
	switch run.Status {
	case difysemconv.StatusSucceeded, difysemconv.StatusPartialSucceeded:
		m.run(runLabels{App: overflowLabels, Status: difysemconv.StatusSucceeded}, now).add(run.ElapsedTime)
	case difysemconv.StatusFailed:
		m.run(runLabels{App: overflowLabels, Status: difysemconv.StatusFailed}, now).add(run.ElapsedTime)
	}
}

func (m *runMetrics) run(labels runLabels, now time.Time) *duration {
	d, ok := m.runs[labels]
	if !ok {
		d = newDuration(birth(now))
		m.runs[labels] = d
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

func at[N int64 | float64](series map[usageLabels]*sum[N], labels usageLabels, now time.Time) *sum[N] {
	s, ok := series[labels]
	if !ok {
		s = &sum[N]{start: birth(now)}
		series[labels] = s
	}
	return s
}

// birth is when a series that is made now was 0: just before, so that its first point has a later time.
func birth(now time.Time) time.Time {
	return now.UTC().Truncate(time.Millisecond).Add(-time.Millisecond)
}

// build makes the metrics. Their points have no time yet: the emitter sets it.
func (m *runMetrics) build(resource pcommon.Resource, scope pcommon.InstrumentationScope) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	resource.CopyTo(rm.Resource())
	sm := rm.ScopeMetrics().AppendEmpty()
	scope.CopyTo(sm.Scope())
	m.buildRuns(sm.Metrics())
	m.buildUsage(sm.Metrics())
	return md
}

func (m *runMetrics) buildRuns(metrics pmetric.MetricSlice) {
	if len(m.runs) == 0 {
		return
	}
	durations := metrics.AppendEmpty()
	durations.SetName(difysemconv.MetricRunDuration)
	durations.SetDescription("How long runs of workflows took, from start or resumption to end.")
	durations.SetUnit("s")
	histogram := durations.SetEmptyHistogram()
	histogram.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)

	total := newSum(metrics, difysemconv.MetricRunTotal, "Runs of workflows that have ended.", "{run}")
	success := newSum(metrics, difysemconv.MetricRunSuccess, "Runs of workflows that succeeded, if only in part.", "{run}")
	failure := newSum(metrics, difysemconv.MetricRunFailure, "Runs of workflows that failed.", "{run}")
	for labels, d := range m.runs {
		if !labels.App.Overflow || labels.Status == "" {
			d.point(labels, histogram.DataPoints().AppendEmpty())
			d.countPoint(labels, total)
		}
		switch labels.Status {
		case difysemconv.StatusSucceeded, difysemconv.StatusPartialSucceeded:
			d.countPoint(labels, success)
		case difysemconv.StatusFailed:
			d.countPoint(labels, failure)
		}
	}
}

func (m *runMetrics) buildUsage(metrics pmetric.MetricSlice) {
	if len(m.tokens) > 0 {
		points := newSum(metrics, difysemconv.MetricTokenUsage, "Tokens that language models used in runs of workflows.", "{token}")
		for labels, s := range m.tokens {
			point := points.AppendEmpty()
			labels.App.put(point.Attributes())
			if !labels.App.Overflow {
				point.Attributes().PutStr(attrTokenType, tokenTypeTotal)
			}
			point.SetStartTimestamp(pcommon.NewTimestampFromTime(s.start))
			point.SetIntValue(s.value)
		}
	}
	if len(m.cost) > 0 {
		points := newSum(metrics, difysemconv.MetricCost, "Price of the tokens that language models used in runs of workflows.", "{currency}")
		for labels, s := range m.cost {
			point := points.AppendEmpty()
			labels.App.put(point.Attributes())
			point.Attributes().PutStr(difysemconv.AttrUsageCurrency, labels.Currency)
			point.SetStartTimestamp(pcommon.NewTimestampFromTime(s.start))
			point.SetDoubleValue(s.value)
		}
	}
}

func newSum(metrics pmetric.MetricSlice, name, description, unit string) pmetric.NumberDataPointSlice {
	metric := metrics.AppendEmpty()
	metric.SetName(name)
	metric.SetDescription(description)
	metric.SetUnit(unit)
	s := metric.SetEmptySum()
	s.SetIsMonotonic(true)
	s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return s.DataPoints()
}

func (d *duration) point(labels runLabels, point pmetric.HistogramDataPoint) {
	labels.put(point.Attributes())
	point.SetStartTimestamp(pcommon.NewTimestampFromTime(d.start))
	point.SetCount(d.count)
	point.SetSum(d.sum)
	point.ExplicitBounds().FromRaw(durationBounds)
	point.BucketCounts().FromRaw(d.buckets)
}

func (d *duration) countPoint(labels runLabels, points pmetric.NumberDataPointSlice) {
	point := points.AppendEmpty()
	labels.put(point.Attributes())
	point.SetStartTimestamp(pcommon.NewTimestampFromTime(d.start))
	point.SetIntValue(int64(d.count)) //nolint:gosec // runs
}

func (l runLabels) put(attrs pcommon.Map) {
	l.App.put(attrs)
	if !l.App.Overflow {
		attrs.PutStr(difysemconv.AttrRunStatus, l.Status)
		attrs.PutStr(difysemconv.AttrRunTriggeredFrom, l.Trigger)
	}
}

func (a appLabels) put(attrs pcommon.Map) {
	if a.Overflow {
		attrs.PutBool(attrOverflow, true)
		return
	}
	attrs.PutStr(difysemconv.AttrAppID, a.AppID)
	putStr(attrs, difysemconv.AttrAppName, a.AppName)
	putStr(attrs, difysemconv.AttrWorkspaceName, a.Workspace)
}

// putStr leaves out what is not known.
func putStr(attrs pcommon.Map, key, value string) {
	if value != "" {
		attrs.PutStr(key, value)
	}
}
