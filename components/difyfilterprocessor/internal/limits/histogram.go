// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"math"
	"sort"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// histogram reports whether to drop a point: its buckets do not fit its bounds, or there are too many. It repairs a
// count that is not the sum of the buckets.
func (c *cutter) histogram(p pmetric.HistogramDataPoint) bool {
	bounds, buckets := p.ExplicitBounds().Len(), p.BucketCounts().Len()
	switch {
	case p.Flags().NoRecordedValue():
		return false
	case bounds == 0 && buckets == 0: // count and sum only
		return false
	case buckets != bounds+1:
		c.tally.LimitPoints(tally.LimitHistogram, 1)
		return true
	case buckets > c.set.MaxBuckets:
		c.tally.LimitPoints(tally.LimitBuckets, 1)
		return true
	}
	total, overflow := uint64(0), false
	for i := range buckets {
		n := p.BucketCounts().At(i)
		overflow = overflow || total > math.MaxUint64-n
		total += n
	}
	if overflow {
		c.tally.LimitPoints(tally.LimitHistogram, 1)
		return true
	}
	if total != p.Count() {
		p.SetCount(total)
		c.cut(tally.LimitHistogram, 1)
	}
	return false
}

func (c *cutter) exponential(p pmetric.ExponentialHistogramDataPoint) bool {
	if p.Positive().BucketCounts().Len()+p.Negative().BucketCounts().Len() <= c.set.MaxBuckets {
		return false
	}
	c.tally.LimitPoints(tally.LimitBuckets, 1)
	return true
}

func (c *cutter) summary(p pmetric.SummaryDataPoint) bool {
	if p.QuantileValues().Len() <= c.set.MaxBuckets {
		return false
	}
	c.tally.LimitPoints(tally.LimitBuckets, 1)
	return true
}

// Bounds of the SDKs: their default, and that of the conventions for durations in seconds.
var (
	defaultBounds = []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}
	secondsBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
)

// convertExponential makes explicit buckets of an exponential histogram, with the bounds that the SDK has without it.
// Prometheus shows exponential histograms only if it scrapes native histograms, which is off by default, and no alert
// rule expects them.
func (c *cutter) convertExponential(m pmetric.Metric) {
	from := pmetric.NewExponentialHistogram()
	m.ExponentialHistogram().MoveTo(from)
	bounds := defaultBounds
	if m.Unit() == "s" {
		bounds = secondsBounds
	}
	to := m.SetEmptyHistogram()
	to.SetAggregationTemporality(from.AggregationTemporality())
	for _, p := range from.DataPoints().All() {
		c.convertPoint(p, to.DataPoints().AppendEmpty(), bounds)
	}
	c.cut(tally.LimitExponentialHistogram, from.DataPoints().Len())
}

func (c *cutter) convertPoint(
	from pmetric.ExponentialHistogramDataPoint, to pmetric.HistogramDataPoint, bounds []float64,
) {
	from.Attributes().MoveTo(to.Attributes())
	from.Exemplars().MoveAndAppendTo(to.Exemplars())
	to.SetStartTimestamp(from.StartTimestamp())
	to.SetTimestamp(from.Timestamp())
	to.SetFlags(from.Flags())
	if from.HasSum() {
		to.SetSum(from.Sum())
	}
	if from.HasMin() {
		to.SetMin(from.Min())
	}
	if from.HasMax() {
		to.SetMax(from.Max())
	}
	if from.Flags().NoRecordedValue() {
		return
	}
	counts := make([]uint64, len(bounds)+1)
	add := func(value float64, n uint64) { counts[sort.SearchFloat64s(bounds, value)] += n }
	add(0, from.ZeroCount())
	eachBucket(from.Scale(), from.Positive(), add)
	eachBucket(from.Scale(), from.Negative(), func(value float64, n uint64) { add(-value, n) })
	total := uint64(0)
	for _, n := range counts {
		total += n
	}
	to.SetCount(total)
	to.ExplicitBounds().FromRaw(bounds)
	to.BucketCounts().FromRaw(counts)
}

// eachBucket calls add with the geometric mean of each bucket's bounds, 2^((offset+i+1/2) * 2^-scale), and its count.
func eachBucket(scale int32, b pmetric.ExponentialHistogramDataPointBuckets, add func(float64, uint64)) {
	for i := range b.BucketCounts().Len() {
		if n := b.BucketCounts().At(i); n > 0 {
			index := float64(b.Offset()) + float64(i) + 0.5
			add(math.Exp2(math.Ldexp(index, -int(scale))), n)
		}
	}
}
