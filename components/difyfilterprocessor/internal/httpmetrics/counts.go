// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package httpmetrics

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// isSampledCount recognizes Dify's own http.server.response.count, which counts only recorded spans: with Dify's
// default sampling, one request in ten. The counter that deriveCounts adds is in the scope of the histogram.
func isSampledCount(scope string, m pmetric.Metric) bool {
	return scope == emitter.ScopeResponseCount && m.Name() == difysemconv.MetricServerResponseCount
}

// DropSampledCount drops Dify's own http.server.response.count.
func DropSampledCount(md pmetric.Metrics, t *tally.Tally) {
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool {
				if !isSampledCount(sm.Scope().Name(), m) {
					return false
				}
				n := 0
				attrs.EachPointOf(m, func(attrs.Point) { n++ })
				t.Drop(tally.RuleSampledResponseCount, tally.KindDataPoint, n)
				return true
			})
			return sm.Metrics().Len() == 0
		})
		return rm.ScopeMetrics().Len() == 0
	})
}

const metricServerRequestDuration = "http.server.request.duration" // of the current conventions, in seconds

// DeriveCounts adds counters that it derives from the duration histogram, which is not sampled. It adds the counter of
// all responses only if that replaces Dify's own. It returns the number of points that it added.
func DeriveCounts(metrics pmetric.MetricSlice, all bool) int {
	source, found := durationOf(metrics)
	if !found {
		return 0
	}
	responses, failures := pmetric.NewMetric(), pmetric.NewMetric()
	describe(responses, difysemconv.MetricServerResponseCount, "Responses, counted by "+source.Name()+".")
	describe(
		failures,
		difysemconv.MetricServerErrorCount,
		"Responses with a status of 400 or more, counted by "+source.Name()+".",
	)
	switch source.Type() {
	case pmetric.MetricTypeHistogram:
		derive(source.Histogram().DataPoints(), source.Histogram().AggregationTemporality(), responses.Sum(), failures.Sum())
	case pmetric.MetricTypeExponentialHistogram:
		derive(
			source.ExponentialHistogram().DataPoints(),
			source.ExponentialHistogram().AggregationTemporality(),
			responses.Sum(),
			failures.Sum(),
		)
	default:
		return 0
	}
	added := 0
	for _, m := range [...]pmetric.Metric{responses, failures} {
		attrs.Narrow(m, hostLabels) // counts can be added where the histogram could not
		n := m.Sum().DataPoints().Len()
		if n == 0 || (!all && m.Name() == difysemconv.MetricServerResponseCount) {
			continue
		}
		added += n
		m.MoveTo(metrics.AppendEmpty())
	}
	return added
}

// durationOf returns the histogram to derive the counters from, and false if there is none or the counters exist
// already.
func durationOf(metrics pmetric.MetricSlice) (pmetric.Metric, bool) {
	var source pmetric.Metric
	found := false
	for _, m := range metrics.All() {
		switch m.Name() {
		case difysemconv.MetricServerResponseCount, difysemconv.MetricServerErrorCount:
			return pmetric.Metric{}, false
		case difysemconv.MetricServerDuration:
			source, found = m, true
		case metricServerRequestDuration:
			if !found {
				source, found = m, true
			}
		}
	}
	return source, found
}

func describe(m pmetric.Metric, name, description string) {
	m.SetName(name)
	m.SetDescription(description)
	m.SetUnit("{response}")
	m.SetEmptySum().SetIsMonotonic(true)
}

// countedPoint is a data point of a histogram of either kind.
type countedPoint interface {
	Attributes() pcommon.Map
	StartTimestamp() pcommon.Timestamp
	Timestamp() pcommon.Timestamp
	Count() uint64
	Flags() pmetric.DataPointFlags
}

func derive[P countedPoint, S interface {
	Len() int
	At(int) P
}](from S, temporality pmetric.AggregationTemporality, responses, failures pmetric.Sum) {
	responses.SetAggregationTemporality(temporality)
	failures.SetAggregationTemporality(temporality)
	for i := range from.Len() {
		p := from.At(i)
		copyCount(p, responses.DataPoints().AppendEmpty())
		if attrs.StatusCode(p.Attributes()) >= 400 {
			copyCount(p, failures.DataPoints().AppendEmpty())
		}
	}
}

func copyCount(from countedPoint, to pmetric.NumberDataPoint) {
	from.Attributes().CopyTo(to.Attributes())
	to.SetStartTimestamp(from.StartTimestamp())
	to.SetTimestamp(from.Timestamp())
	to.SetFlags(from.Flags())
	to.SetIntValue(int64(from.Count())) //nolint:gosec // a count of requests fits
}
