// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package attrs

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Point is the common interface of data points of every type.
type Point interface {
	Attributes() pcommon.Map
	StartTimestamp() pcommon.Timestamp
	Timestamp() pcommon.Timestamp
}

// EachPoint calls do for every data point of a resource.
func EachPoint(rm pmetric.ResourceMetrics, do func(Point)) {
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			EachPointOf(m, do)
		}
	}
}

// EachPointOf calls do for every data point of a metric.
func EachPointOf(m pmetric.Metric, do func(Point)) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		eachOf(m.Gauge().DataPoints(), do)
	case pmetric.MetricTypeSum:
		eachOf(m.Sum().DataPoints(), do)
	case pmetric.MetricTypeHistogram:
		eachOf(m.Histogram().DataPoints(), do)
	case pmetric.MetricTypeExponentialHistogram:
		eachOf(m.ExponentialHistogram().DataPoints(), do)
	case pmetric.MetricTypeSummary:
		eachOf(m.Summary().DataPoints(), do)
	case pmetric.MetricTypeEmpty:
	}
}

func eachOf[P Point, S interface {
	Len() int
	At(int) P
}](points S, do func(Point)) {
	for i := range points.Len() {
		do(points.At(i))
	}
}
