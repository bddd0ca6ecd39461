// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// took is the normalized duration, in the unit of each histogram.
const took = 10

// metrics returns the last export of each process, in which every histogram's measurement is the same.
func (p *plain) metrics(batches []pmetric.Metrics) pmetric.Metrics {
	last := map[string]pmetric.ResourceMetrics{}
	for _, md := range batches {
		for _, rm := range md.ResourceMetrics().All() {
			last[p.resource(rm.Resource())] = rm
		}
	}
	out := pmetric.NewMetrics()
	for _, role := range slices.Sorted(maps.Keys(last)) {
		rm := out.ResourceMetrics().AppendEmpty()
		last[role].CopyTo(rm)
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				p.metric(m)
			}
		}
		restart(rm)
	}
	return out
}

func (p *plain) metric(m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		for _, point := range m.Histogram().DataPoints().All() {
			p.attributes(point.Attributes())
			level(point)
		}
	case pmetric.MetricTypeSum:
		for _, point := range m.Sum().DataPoints().All() {
			p.attributes(point.Attributes())
			point.Exemplars().RemoveIf(func(pmetric.Exemplar) bool { return true })
			if strings.HasPrefix(m.Name(), "otel.sdk.") {
				point.SetIntValue(1) // the number of spans, including Celery's calls of its broker
			}
		}
	}
}

func level(point pmetric.HistogramDataPoint) {
	point.Exemplars().RemoveIf(func(pmetric.Exemplar) bool { return true })
	point.SetSum(float64(point.Count()) * took)
	point.SetMin(took)
	point.SetMax(took)
	bounds := point.ExplicitBounds().AsRaw()
	bucket, _ := slices.BinarySearch(bounds, took)
	counts := make([]uint64, len(bounds)+1)
	counts[bucket] = point.Count()
	point.BucketCounts().FromRaw(counts)
}

// restart sets the start times of a process's streams a millisecond apart, in their original order, and their end to
// the same time.
func restart(rm pmetric.ResourceMetrics) {
	starts := map[pcommon.Timestamp]pcommon.Timestamp{}
	eachPoint(rm, func(p point) { starts[p.StartTimestamp()] = 0 })
	at := epoch
	for _, start := range slices.Sorted(maps.Keys(starts)) {
		starts[start] = pcommon.NewTimestampFromTime(at)
		at = at.Add(time.Millisecond)
	}
	eachPoint(rm, func(p point) {
		p.SetStartTimestamp(starts[p.StartTimestamp()])
		p.SetTimestamp(pcommon.NewTimestampFromTime(epoch.Add(time.Minute)))
	})
}

type point interface {
	StartTimestamp() pcommon.Timestamp
	SetStartTimestamp(pcommon.Timestamp)
	SetTimestamp(pcommon.Timestamp)
}

func eachPoint(rm pmetric.ResourceMetrics, do func(point)) {
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			switch m.Type() {
			case pmetric.MetricTypeHistogram:
				for _, p := range m.Histogram().DataPoints().All() {
					do(p)
				}
			case pmetric.MetricTypeSum:
				for _, p := range m.Sum().DataPoints().All() {
					do(p)
				}
			}
		}
	}
}
