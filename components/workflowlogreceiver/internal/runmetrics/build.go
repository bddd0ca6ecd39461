// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package runmetrics

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
)

const (
	attrTokenType = "gen_ai.token.type" //nolint:gosec // a name
	attrModel     = "gen_ai.request.model"
	attrProvider  = "gen_ai.provider.name"
	attrOverflow  = "otel.metric.overflow"
)

// Build returns the metrics at one point in time, without the timestamps of their points. A series younger than
// zeroFor is emitted with 0: Prometheus takes the first value of a counter that it sees as the counter's beginning,
// and everything counted before would be missing from every rate. Later emissions add the rest; pending reports
// whether there is any.
func (m *Metrics) Build(
	resource pcommon.Resource, scope pcommon.InstrumentationScope, now time.Time, zeroFor time.Duration,
) (
	md pmetric.Metrics, pending bool,
) {
	b := &builder{now: now, zeroFor: zeroFor}
	md = b.build(m, resource, scope)
	return md, b.pending
}

// builder is the state of one Build.
type builder struct {
	now     time.Time
	zeroFor time.Duration
	pending bool // a series was emitted with less than its value

	ofRuns, ofMessages counts
	tokens, cost       pmetric.NumberDataPointSlice
}

// counts are the metrics of the outcomes of runs, or of messages.
type counts struct {
	durations              pmetric.HistogramDataPointSlice
	total, success, failed pmetric.NumberDataPointSlice
}

func (b *builder) build(m *Metrics, resource pcommon.Resource, scope pcommon.InstrumentationScope) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	resource.CopyTo(rm.Resource())
	sm := rm.ScopeMetrics().AppendEmpty()
	scope.CopyTo(sm.Scope())
	b.describe(sm.Metrics())
	for _, a := range m.stored {
		b.outcomes(a)
		b.usage(a)
	}
	sm.Metrics().RemoveIf(func(metric pmetric.Metric) bool {
		return metric.Type() == pmetric.MetricTypeSum && metric.Sum().DataPoints().Len() == 0 ||
			metric.Type() == pmetric.MetricTypeHistogram && metric.Histogram().DataPoints().Len() == 0
	})
	return md
}

func (b *builder) describe(metrics pmetric.MetricSlice) {
	b.ofRuns = counts{
		durations: newHistogram(
			metrics, difysemconv.MetricRunDuration, "Duration of workflow runs, from start or resumption to end.",
		),
		total: newSum(metrics, difysemconv.MetricRunTotal, "Workflow runs that have ended.", "{run}"),
		success: newSum(
			metrics, difysemconv.MetricRunSuccess, "Workflow runs that succeeded, at least partially.", "{run}",
		),
		failed: newSum(metrics, difysemconv.MetricRunFailure, "Workflow runs that failed.", "{run}"),
	}
	b.ofMessages = counts{
		durations: newHistogram(
			metrics, difysemconv.MetricMessageDuration, "Duration of the replies of chat, agent and completion apps.",
		),
		total: newSum(
			metrics, difysemconv.MetricMessageTotal, "Replies of chat, agent and completion apps that have ended.", "{message}",
		),
		success: newSum(
			metrics, difysemconv.MetricMessageSuccess, "Replies of chat, agent and completion apps without an error.",
			"{message}",
		),
		failed: newSum(
			metrics, difysemconv.MetricMessageFailure, "Replies of chat, agent and completion apps that ended with an error.",
			"{message}",
		),
	}
	b.tokens = newSum(
		metrics, difysemconv.MetricTokenUsage, "Tokens that language models used in workflow runs and in chats.",
		"{token}",
	)
	b.cost = newSum(
		metrics, difysemconv.MetricCost, "Price of the tokens that language models used in workflow runs and in chats.",
		"{currency}",
	)
}

func newHistogram(metrics pmetric.MetricSlice, name, description string) pmetric.HistogramDataPointSlice {
	metric := metrics.AppendEmpty()
	metric.SetName(name)
	metric.SetDescription(description)
	metric.SetUnit("s")
	histogram := metric.SetEmptyHistogram()
	histogram.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return histogram.DataPoints()
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

func (b *builder) outcomes(a *appMetrics) {
	for labels, d := range a.runs {
		b.add(&b.ofRuns, a, d, labels.Status, func(attrs pcommon.Map) { labels.put(attrs, a.labels.Overflow) })
	}
	for labels, d := range a.msgs {
		b.add(&b.ofMessages, a, d, labels.Status, func(attrs pcommon.Map) { labels.put(attrs, a.labels.Overflow) })
	}
}

// add adds the points of one series.
func (b *builder) add(to *counts, a *appMetrics, d *duration, status string, put func(pcommon.Map)) {
	if b.withholds(d.start, d.count > 0) {
		d = newDuration(d.start)
	}
	labels := func(attrs pcommon.Map) {
		a.labels.put(attrs)
		put(attrs)
	}
	if !a.labels.Overflow || status == "" { // the overflow's status "" counts all
		d.point(to.durations.AppendEmpty(), labels)
		d.countPoint(to.total.AppendEmpty(), labels)
	}
	if isSuccess(status) {
		d.countPoint(to.success.AppendEmpty(), labels)
	}
	if status == difysemconv.StatusFailed || status == outcome.MessageError {
		d.countPoint(to.failed.AppendEmpty(), labels)
	}
}

func (b *builder) usage(a *appMetrics) {
	for labels, s := range a.tokens {
		point := b.usagePoint(a, labels.modelLabels, labels.Trigger, s.start, b.tokens)
		putStr(point.Attributes(), attrTokenType, labels.Type)
		point.SetIntValue(0)
		if !b.withholds(s.start, true) {
			point.SetIntValue(s.value)
		}
	}
	for labels, s := range a.cost {
		point := b.usagePoint(a, labels.modelLabels, labels.Trigger, s.start, b.cost)
		point.Attributes().PutStr(difysemconv.AttrUsageCurrency, labels.Currency)
		point.SetDoubleValue(0)
		if !b.withholds(s.start, true) {
			point.SetDoubleValue(s.value)
		}
	}
}

func (b *builder) withholds(start time.Time, counted bool) bool {
	withheld := b.now.Sub(start) < b.zeroFor
	b.pending = b.pending || withheld && counted
	return withheld
}

func isSuccess(status string) bool {
	return status == difysemconv.StatusSucceeded || status == difysemconv.StatusPartialSucceeded ||
		status == outcome.MessageNormal
}

func (b *builder) usagePoint(
	a *appMetrics, model modelLabels, trigger string, start time.Time, points pmetric.NumberDataPointSlice,
) pmetric.NumberDataPoint {
	point := points.AppendEmpty()
	point.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	a.labels.put(point.Attributes())
	putStr(point.Attributes(), attrModel, model.Model)
	putStr(point.Attributes(), attrProvider, model.Provider)
	putStr(point.Attributes(), difysemconv.AttrRunTriggeredFrom, trigger)
	return point
}

func (d *duration) point(point pmetric.HistogramDataPoint, put func(pcommon.Map)) {
	put(point.Attributes())
	point.SetStartTimestamp(pcommon.NewTimestampFromTime(d.start))
	point.SetCount(d.count)
	point.SetSum(d.sum)
	point.ExplicitBounds().FromRaw(durationBounds)
	point.BucketCounts().FromRaw(d.buckets)
}

func (d *duration) countPoint(point pmetric.NumberDataPoint, put func(pcommon.Map)) {
	put(point.Attributes())
	point.SetStartTimestamp(pcommon.NewTimestampFromTime(d.start))
	point.SetIntValue(int64(d.count)) //nolint:gosec // runs
}

func (l runLabels) put(attrs pcommon.Map, overflow bool) {
	if !overflow {
		attrs.PutStr(difysemconv.AttrRunStatus, l.Status)
		attrs.PutStr(difysemconv.AttrRunTriggeredFrom, l.Trigger)
	}
}

func (a AppLabels) put(attrs pcommon.Map) {
	if a.Overflow {
		attrs.PutBool(attrOverflow, true)
		return
	}
	attrs.PutStr(difysemconv.AttrAppID, a.AppID)
	putStr(attrs, difysemconv.AttrAppName, a.AppName)
	putStr(attrs, difysemconv.AttrWorkspaceName, a.Workspace)
}

// putStr omits an unknown value.
func putStr(attrs pcommon.Map, key, value string) {
	if value != "" {
		attrs.PutStr(key, value)
	}
}
