// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// Labels repairs the attributes of md that Prometheus can't have as labels, and counts in t. It is for metrics that
// the other passes have finished: they know attributes by their names, and add attributes.
func (l *Limiter) Labels(md pmetric.Metrics, t *tally.Tally) {
	c := &cutter{set: &l.set, tally: t}
	names := &labelNames{known: map[string]string{}}
	for _, rm := range md.ResourceMetrics().All() {
		c.begin(rm.Resource().Attributes(), l.set.MaxPointSize)
		c.labels(names, rm.Resource().Attributes(), false, isNeverReserved)
		for _, sm := range rm.ScopeMetrics().All() {
			c.labels(names, sm.Scope().Attributes(), true, isNeverReserved)
		}
		c.mark(rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				c.begin(m.Metadata(), l.set.MaxPointSize)
				reserved := func(label string) bool { return isReserved(label, m.Type()) }
				attrs.EachPointOf(m, func(p attrs.Point) { c.labels(names, p.Attributes(), true, reserved) })
				c.mark(m.Metadata())
			}
		}
	}
}

func (c *cutter) labels(names *labelNames, m pcommon.Map, join bool, reserved func(string) bool) {
	if n := names.repair(m, join, reserved); n > 0 {
		c.cut(tally.LimitLabelName, n)
	}
}

func isNeverReserved(string) bool { return false }

// isReserved reports whether the exporter writes a label itself on the points of such a metric.
func isReserved(label string, kind pmetric.MetricType) bool {
	switch label {
	case "job", "instance":
		return true
	case "le":
		return kind == pmetric.MetricTypeHistogram || kind == pmetric.MetricTypeExponentialHistogram
	case "quantile":
		return kind == pmetric.MetricTypeSummary
	default:
		return strings.HasPrefix(label, scopePrefix)
	}
}

// hasMetricRune reports whether a name has a character that Prometheus' names keep. Otherwise the exporter makes an
// empty name of it, or one of the unit alone, which many metrics share.
func hasMetricRune(name string) bool {
	return strings.IndexFunc(name, func(r rune) bool { return labelRune(r) != '_' || r == ':' }) >= 0
}
