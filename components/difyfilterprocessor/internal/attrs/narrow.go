// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package attrs

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Narrow removes labels from all points of a metric and adds up the points that become equal. The sums are exact for
// cumulative and delta temporality, since all series of a process arrive in one export. If points can't be added up
// exactly (different bounds, gauges), the metric keeps its labels. Narrow returns the number of points that it
// removed.
func Narrow(m pmetric.Metric, labels map[string]bool) int {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		return narrowPoints(m.Sum().DataPoints(), labels, canAdd, add)
	case pmetric.MetricTypeHistogram:
		return narrowPoints(m.Histogram().DataPoints(), labels, canAddHistogram, addHistogram)
	default:
		return 0
	}
}

// pointSlice is a slice of data points of one kind.
type pointSlice[P any] interface {
	Len() int
	At(int) P
	RemoveIf(func(P) bool)
}

func narrowPoints[P Point, S pointSlice[P]](
	points S,
	labels map[string]bool,
	can func(a, b P) bool,
	add func(to, from P),
) int {
	first := map[string]int{}         // identity without the labels -> position of the first point with it
	into := make([]int, points.Len()) // position -> position of the point that it is added to
	for i := range points.Len() {
		id := pointIdentity(points.At(i).Attributes(), labels)
		at, ok := first[id]
		if !ok {
			at, first[id] = i, i
		}
		if at != i && !can(points.At(at), points.At(i)) {
			return 0
		}
		into[i] = at
	}
	for i, at := range into {
		if at != i {
			add(points.At(at), points.At(i))
		}
	}
	place := -1
	points.RemoveIf(func(p P) bool {
		place++
		p.Attributes().RemoveIf(func(key string, _ pcommon.Value) bool { return labels[key] })
		return into[place] != place
	})
	return len(into) - points.Len()
}

// pointIdentity is equal for two points if and only if their attributes without the labels are equal.
func pointIdentity(attributes pcommon.Map, labels map[string]bool) string {
	parts := make([]string, 0, attributes.Len())
	for key, v := range attributes.All() {
		if !labels[key] {
			parts = append(parts, key+"\x00"+v.Type().String()+"\x00"+Plain(v))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "\x01")
}

func canAdd(a, b pmetric.NumberDataPoint) bool {
	return a.ValueType() == b.ValueType() && a.ValueType() != pmetric.NumberDataPointValueTypeEmpty && a.Flags() == 0 &&
		b.Flags() == 0
}

func add(to, from pmetric.NumberDataPoint) {
	if to.ValueType() == pmetric.NumberDataPointValueTypeInt {
		to.SetIntValue(to.IntValue() + from.IntValue())
	} else {
		to.SetDoubleValue(to.DoubleValue() + from.DoubleValue())
	}
	to.SetStartTimestamp(earlier(to.StartTimestamp(), from.StartTimestamp()))
	to.SetTimestamp(max(to.Timestamp(), from.Timestamp()))
	from.Exemplars().MoveAndAppendTo(to.Exemplars())
}

func canAddHistogram(a, b pmetric.HistogramDataPoint) bool {
	return slices.Equal(a.ExplicitBounds().AsRaw(), b.ExplicitBounds().AsRaw()) &&
		a.BucketCounts().Len() == b.BucketCounts().Len() && a.HasSum() == b.HasSum() && a.Flags() == 0 && b.Flags() == 0
}

func addHistogram(to, from pmetric.HistogramDataPoint) {
	to.SetCount(to.Count() + from.Count())
	if to.HasSum() {
		to.SetSum(to.Sum() + from.Sum())
	}
	for i := range to.BucketCounts().Len() {
		to.BucketCounts().SetAt(i, to.BucketCounts().At(i)+from.BucketCounts().At(i))
	}
	if to.HasMin() && from.HasMin() {
		to.SetMin(min(to.Min(), from.Min()))
	} else {
		to.RemoveMin()
	}
	if to.HasMax() && from.HasMax() {
		to.SetMax(max(to.Max(), from.Max()))
	} else {
		to.RemoveMax()
	}
	to.SetStartTimestamp(earlier(to.StartTimestamp(), from.StartTimestamp()))
	to.SetTimestamp(max(to.Timestamp(), from.Timestamp()))
	from.Exemplars().MoveAndAppendTo(to.Exemplars())
}

func earlier(a, b pcommon.Timestamp) pcommon.Timestamp {
	if a == 0 || b == 0 {
		return 0
	}
	return min(a, b)
}
