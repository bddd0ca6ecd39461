// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package runmetrics

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
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

	durations              pmetric.HistogramDataPointSlice
	total, success, failed pmetric.NumberDataPointSlice
	tokens, cost           pmetric.NumberDataPointSlice
}

func (b *builder) build(m *Metrics, resource pcommon.Resource, scope pcommon.InstrumentationScope) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	resource.CopyTo(rm.Resource())
	sm := rm.ScopeMetrics().AppendEmpty()
	scope.CopyTo(sm.Scope())
	b.describe(sm.Metrics())
	for _, a := range m.stored {
		b.runs(a)
		b.usage(a)
	}
	sm.Metrics().RemoveIf(func(metric pmetric.Metric) bool {
		return metric.Type() == pmetric.MetricTypeSum && metric.Sum().DataPoints().Len() == 0 ||
			metric.Type() == pmetric.MetricTypeHistogram && metric.Histogram().DataPoints().Len() == 0
	})
	return md
}

func (b *builder) describe(metrics pmetric.MetricSlice) {
	durations := metrics.AppendEmpty()
	durations.SetName(difysemconv.MetricRunDuration)
	durations.SetDescription("Duration of workflow runs, from start or resumption to end.")
	durations.SetUnit("s")
	histogram := durations.SetEmptyHistogram()
	histogram.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	b.durations = histogram.DataPoints()

	b.total = newSum(metrics, difysemconv.MetricRunTotal, "Workflow runs that have ended.", "{run}")
	b.success = newSum(
		metrics, difysemconv.MetricRunSuccess, "Workflow runs that succeeded, at least partially.", "{run}",
	)
	b.failed = newSum(metrics, difysemconv.MetricRunFailure, "Workflow runs that failed.", "{run}")
	b.tokens = newSum(
		metrics, difysemconv.MetricTokenUsage, "Tokens that language models used in workflow runs and in chats.",
		"{token}",
	)
	b.cost = newSum(
		metrics, difysemconv.MetricCost, "Price of the tokens that language models used in workflow runs and in chats.",
		"{currency}",
	)
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

func (b *builder) runs(a *appMetrics) {
	for labels, d := range a.runs {
		if b.withholds(d.start, d.count > 0) {
			d = newDuration(d.start)
		}
		all, succeeded, failed := true, isSuccess(labels.Status), labels.Status == difysemconv.StatusFailed
		if a.labels.Overflow { // its status "" counts all runs
			all = labels.Status == ""
		}
		put := func(attrs pcommon.Map) {
			a.labels.put(attrs)
			labels.put(attrs, a.labels.Overflow)
		}
		if all {
			d.point(b.durations.AppendEmpty(), put)
			d.countPoint(b.total.AppendEmpty(), put)
		}
		if succeeded {
			d.countPoint(b.success.AppendEmpty(), put)
		}
		if failed {
			d.countPoint(b.failed.AppendEmpty(), put)
		}
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
	return status == difysemconv.StatusSucceeded || status == difysemconv.StatusPartialSucceeded
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
