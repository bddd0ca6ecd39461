// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

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

// builder makes the metrics of a moment. A series that is younger than newborn is told with 0: Prometheus takes the
// first value it sees of a counter for where the counter began, and all that was counted before would not be in any
// rate. The next emissions tell the rest.
type builder struct {
	now     time.Time
	newborn time.Duration
	held    bool // a series was told with less than it has

	durations              pmetric.HistogramDataPointSlice
	total, success, failed pmetric.NumberDataPointSlice
	tokens, cost           pmetric.NumberDataPointSlice
}

// build makes the metrics. Their points have no time yet: the emitter sets it.
func (b *builder) build(m *runMetrics, resource pcommon.Resource, scope pcommon.InstrumentationScope) pmetric.Metrics {
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
	durations.SetDescription("How long runs of workflows took, from start or resumption to end.")
	durations.SetUnit("s")
	histogram := durations.SetEmptyHistogram()
	histogram.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	b.durations = histogram.DataPoints()

	b.total = newSum(metrics, difysemconv.MetricRunTotal, "Runs of workflows that have ended.", "{run}")
	b.success = newSum(metrics, difysemconv.MetricRunSuccess, "Runs of workflows that succeeded, if only in part.", "{run}")
	b.failed = newSum(metrics, difysemconv.MetricRunFailure, "Runs of workflows that failed.", "{run}")
	b.tokens = newSum(metrics, difysemconv.MetricTokenUsage, "Tokens that language models used in runs of workflows and in chats.", "{token}")
	b.cost = newSum(metrics, difysemconv.MetricCost, "Price of the tokens that language models used in runs of workflows and in chats.", "{currency}")
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
		if b.holds(d.start, d.count > 0) {
			d = newDuration(d.start)
		}
		all, succeeded, failed := true, isSuccess(labels.Status), labels.Status == difysemconv.StatusFailed
		if a.labels.Overflow { // there "" is the sum of all
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
		if !b.holds(s.start, true) {
			point.SetIntValue(s.value)
		}
	}
	for labels, s := range a.cost {
		point := b.usagePoint(a, labels.modelLabels, labels.Trigger, s.start, b.cost)
		point.Attributes().PutStr(difysemconv.AttrUsageCurrency, labels.Currency)
		point.SetDoubleValue(0)
		if !b.holds(s.start, true) {
			point.SetDoubleValue(s.value)
		}
	}
}

func (b *builder) holds(start time.Time, counted bool) bool {
	holds := b.now.Sub(start) < b.newborn
	b.held = b.held || holds && counted
	return holds
}

func isSuccess(status string) bool {
	return status == difysemconv.StatusSucceeded || status == difysemconv.StatusPartialSucceeded
}

func (b *builder) usagePoint(a *appMetrics, model modelLabels, trigger string, start time.Time, points pmetric.NumberDataPointSlice) pmetric.NumberDataPoint {
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
