// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// Metrics limits md and counts in t. What was done to data points is marked in the metadata of their metric, since an
// attribute would make another series of them.
func (l *Limiter) Metrics(md pmetric.Metrics, t *tally.Tally) {
	c := &cutter{set: &l.set, tally: t}
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		c.resource(rm)
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool { return c.metric(m) })
			return sm.Metrics().Len() == 0
		})
		return rm.ScopeMetrics().Len() == 0
	})
}

// resource limits a resource and its scopes.
func (c *cutter) resource(rm pmetric.ResourceMetrics) {
	res := rm.Resource().Attributes()
	c.begin(res, c.set.MaxPointSize)
	c.attributes(res)
	c.text(rm.SchemaUrl(), rm.SetSchemaUrl)
	for _, sm := range rm.ScopeMetrics().All() {
		c.scope(sm.Scope(), sm.SchemaUrl(), sm.SetSchemaUrl)
	}
	c.mark(res)
}

// metric limits a metric and its points, and reports whether to remove it since nothing of it is left.
func (c *cutter) metric(m pmetric.Metric) bool {
	c.begin(m.Metadata(), c.set.MaxPointSize)
	c.text(m.Name(), m.SetName)
	c.text(m.Description(), m.SetDescription)
	c.text(m.Unit(), m.SetUnit)
	c.attributes(m.Metadata())
	if l, unusable := c.unusable(m); unusable {
		points := 0
		attrs.EachPointOf(m, func(attrs.Point) { points++ })
		c.tally.LimitPoints(l, points)
		return true
	}
	if m.Type() == pmetric.MetricTypeExponentialHistogram && c.set.ConvertExponential {
		c.convertExponential(m)
	}
	if c.points(m) {
		return true
	}
	applied := c.applied
	attrs.EachPointOf(m, func(p attrs.Point) {
		c.begin(m.Metadata(), c.set.MaxPointSize)
		c.attributes(p.Attributes())
		c.exemplars(p)
		applied |= c.applied
	})
	c.applied = applied
	c.mark(m.Metadata())
	return false
}

// unusable reports whether no exporter can make anything of the metric, and why.
func (c *cutter) unusable(m pmetric.Metric) (tally.Limit, bool) {
	switch {
	case c.set.PrometheusNames && !hasMetricRune(m.Name()):
		return tally.LimitMetricName, true
	case m.Type() == pmetric.MetricTypeSum:
		return tally.LimitTemporality, !isSpecified(m.Sum().AggregationTemporality())
	case m.Type() == pmetric.MetricTypeHistogram:
		return tally.LimitTemporality, !isSpecified(m.Histogram().AggregationTemporality())
	case m.Type() == pmetric.MetricTypeExponentialHistogram:
		return tally.LimitTemporality, !isSpecified(m.ExponentialHistogram().AggregationTemporality())
	default:
		return 0, false
	}
}

func isSpecified(t pmetric.AggregationTemporality) bool {
	return t == pmetric.AggregationTemporalityDelta || t == pmetric.AggregationTemporalityCumulative
}

// points removes the points that contradict themselves or are too large, and reports whether none is left of some.
func (c *cutter) points(m pmetric.Metric) bool {
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		return removePoints(m.Histogram().DataPoints(), c.histogram)
	case pmetric.MetricTypeExponentialHistogram:
		return removePoints(m.ExponentialHistogram().DataPoints(), c.exponential)
	case pmetric.MetricTypeSummary:
		return removePoints(m.Summary().DataPoints(), c.summary)
	default:
		return false
	}
}

func removePoints[P any, S interface {
	Len() int
	RemoveIf(func(P) bool)
}](points S, bad func(P) bool) bool {
	if points.Len() == 0 {
		return false
	}
	points.RemoveIf(bad)
	return points.Len() == 0
}

func (c *cutter) exemplars(p attrs.Point) {
	carrier, ok := p.(interface{ Exemplars() pmetric.ExemplarSlice })
	if !ok {
		return
	}
	if extra := carrier.Exemplars().Len() - c.set.MaxBuckets; extra > 0 {
		i := 0
		carrier.Exemplars().RemoveIf(func(pmetric.Exemplar) bool { i++; return i <= extra })
		c.cut(tally.LimitBuckets, extra)
	}
	for _, e := range carrier.Exemplars().All() {
		c.attributes(e.FilteredAttributes())
	}
}
