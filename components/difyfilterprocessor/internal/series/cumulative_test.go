// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func at(seconds int64) pcommon.Timestamp {
	return pcommon.NewTimestampFromTime(start.Add(time.Duration(seconds) * time.Second))
}

// deltas returns a batch with one delta sum and one delta histogram of each interval.
func deltas(intervals ...[2]int64) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "dify")
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	calls, durations := metrics.AppendEmpty(), metrics.AppendEmpty()
	calls.SetName("calls")
	calls.SetEmptySum().SetIsMonotonic(true)
	calls.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	durations.SetName("duration")
	durations.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for _, interval := range intervals {
		n := calls.Sum().DataPoints().AppendEmpty()
		n.SetStartTimestamp(at(interval[0]))
		n.SetTimestamp(at(interval[1]))
		n.SetIntValue(1)
		n.Attributes().PutStr("model", "m")
		h := durations.Histogram().DataPoints().AppendEmpty()
		h.SetStartTimestamp(at(interval[0]))
		h.SetTimestamp(at(interval[1]))
		h.SetCount(1)
		h.SetSum(2)
		h.SetMin(2)
		h.SetMax(2)
		h.ExplicitBounds().FromRaw([]float64{1, 4})
		h.BucketCounts().FromRaw([]uint64{0, 1, 0})
	}
	return md
}

func points(md pmetric.Metrics) (pmetric.NumberDataPointSlice, pmetric.HistogramDataPointSlice) {
	metrics := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	return metrics.At(0).Sum().DataPoints(), metrics.At(1).Histogram().DataPoints()
}

// Dify's points overlap, come out of order, and several of one series are in one request.
func TestOverlappingDeltasAreAddedUp(t *testing.T) {
	s := NewSums(100)
	now := start.Add(time.Hour)
	want := int64(0)
	for _, intervals := range [][][2]int64{{{10, 20}}, {{15, 18}, {5, 12}}, {{1, 3}}, {{15, 18}}} {
		md := deltas(intervals...)
		s.Apply(md, now)
		want += int64(len(intervals))
		sums, histograms := points(md)
		assert.Equal(t, 1, sums.Len())
		assert.Equal(t, want, sums.At(0).IntValue())
		assert.Equal(t, at(10), sums.At(0).StartTimestamp(), "it never changes: that would be a reset")
		assert.Equal(t, pcommon.NewTimestampFromTime(now), sums.At(0).Timestamp())
		assert.Equal(t, 1, histograms.Len())
		assert.Equal(t, uint64(want), histograms.At(0).Count())
		assert.InDelta(t, float64(2*want), histograms.At(0).Sum(), 0)
		assert.Equal(t, []uint64{0, uint64(want), 0}, histograms.At(0).BucketCounts().AsRaw())
		assert.False(t, histograms.At(0).HasMax())
		assert.Equal(
			t,
			pmetric.AggregationTemporalityCumulative,
			md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(1).Histogram().AggregationTemporality(),
		)
		again := pmetric.NewMetrics()
		md.CopyTo(again)
		s.Apply(again, now)
		assert.Equal(t, md, again, "cumulative points stay")
		now = now.Add(time.Second)
	}
}

func TestSeriesAreSeparate(t *testing.T) {
	s := NewSums(100)
	one, other := deltas([2]int64{1, 2}), deltas([2]int64{1, 2})
	other.ResourceMetrics().At(0).Resource().Attributes().PutStr("service.name", "other")
	s.Apply(one, start)
	s.Apply(other, start)
	sums, _ := points(other)
	assert.Equal(t, int64(1), sums.At(0).IntValue())
	labels := deltas([2]int64{1, 2})
	sums, _ = points(labels)
	sums.At(0).Attributes().PutStr("model", "n")
	s.Apply(labels, start)
	assert.Equal(t, int64(1), sums.At(0).IntValue())
}

func TestOtherBoundsKeepTheCount(t *testing.T) {
	s := NewSums(100)
	s.Apply(deltas([2]int64{1, 2}), start)
	for _, tt := range []struct {
		bounds []float64
		counts []uint64
		want   []uint64
	}{
		{[]float64{0.5, 2, 8}, []uint64{1, 1, 1, 1}, []uint64{1, 2, 2}},
		{nil, nil, []uint64{1, 2, 6}},
		{[]float64{}, []uint64{1}, []uint64{1, 2, 7}},
	} {
		md := deltas([2]int64{1, 2})
		_, histograms := points(md)
		histograms.At(0).ExplicitBounds().FromRaw(tt.bounds)
		histograms.At(0).BucketCounts().FromRaw(tt.counts)
		histograms.At(0).SetCount(max(4, 0))
		if len(tt.counts) == 1 {
			histograms.At(0).SetCount(1)
		}
		s.Apply(md, start)
		assert.Equal(t, tt.want, histograms.At(0).BucketCounts().AsRaw())
		total := uint64(0)
		for _, n := range tt.want {
			total += n
		}
		assert.Equal(t, total, histograms.At(0).Count())
	}
}

func TestMixedNumbers(t *testing.T) {
	s := NewSums(100)
	s.Apply(deltas([2]int64{1, 2}), start)
	md := deltas([2]int64{1, 2}, [2]int64{1, 2})
	sums, _ := points(md)
	sums.At(0).SetDoubleValue(0.5)
	s.Apply(md, start)
	assert.InDelta(t, 2.5, sums.At(0).DoubleValue(), 0)
}
