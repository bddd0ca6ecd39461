// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package pdatatest reads telemetry in tests.
package pdatatest

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Str returns an attribute as text, or "" if there is none.
func Str(attrs pcommon.Map, key string) string {
	value, ok := attrs.Get(key)
	if !ok {
		return ""
	}
	return value.AsString()
}

// Matches reports whether attributes have the given values.
func Matches(attrs pcommon.Map, labels map[string]string) bool {
	for key, value := range labels {
		if Str(attrs, key) != value {
			return false
		}
	}
	return true
}

// Counter returns the sum of a counter's points whose attributes have the given values, or -1 if there is no such
// point.
func Counter(md pmetric.Metrics, name string, labels map[string]string) float64 {
	total, found := 0.0, false
	for _, metric := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if metric.Name() != name || metric.Type() != pmetric.MetricTypeSum {
			continue
		}
		for _, point := range metric.Sum().DataPoints().All() {
			if Matches(point.Attributes(), labels) {
				found = true
				total += float64(point.IntValue()) + point.DoubleValue()
			}
		}
	}
	if !found {
		return -1
	}
	return total
}

// Metric returns the metric of that name, or an empty one.
func Metric(md pmetric.Metrics, name string) pmetric.Metric {
	for _, metric := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if metric.Name() == name {
			return metric
		}
	}
	return pmetric.NewMetric()
}
