// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"hash/maphash"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
)

// sumTTL is the minimum time for which a sum is remembered: a model that is used once a day keeps its count.
const sumTTL = 24 * time.Hour

// Sums makes delta sums and histograms cumulative, as Prometheus needs them. Dify's provider sends one delta point for
// each trace, with the trace's own start and end, so that the points of one series overlap and come in any order: each
// is added, whatever its times. (The stock deltatocumulative processor drops those.) Points without an instance are
// added up over all processes that send them. It is safe for concurrent use.
//
// Sums are in memory only: after a restart, they start at 0 with a new start time, as a process's own do.
type Sums struct {
	seed maphash.Seed

	mu    sync.Mutex
	known *expiring.Map[uint64, *sum] // guarded by mu
}

// sum is what was added up of a series.
type sum struct {
	start pcommon.Timestamp
	ints  int64
	float float64
	hist  pmetric.HistogramDataPoint // of a histogram
}

// NewSums returns Sums that remember at most limit series.
func NewSums(limit int) *Sums {
	return &Sums{seed: maphash.MakeSeed(), known: expiring.NewMap[uint64, *sum](limit, sumTTL)}
}

// Apply makes the delta metrics of a batch cumulative. Cumulative metrics stay as they are. It returns the number of
// points that became part of another point of their series in the batch.
func (s *Sums) Apply(md pmetric.Metrics, now time.Time) (merged int) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if isDelta(m) {
					merged += s.metric(rm.Resource().Attributes(), sm.Scope(), m, now)
				}
			}
		}
	}
	return merged
}

func isDelta(m pmetric.Metric) bool {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		return m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta
	case pmetric.MetricTypeHistogram:
		return m.Histogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta
	default:
		return false
	}
}

func (s *Sums) metric(res pcommon.Map, scope pcommon.InstrumentationScope, m pmetric.Metric, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.hashMap(res) + s.hash("scope\x00"+scope.Name()+"\x00"+m.Name()+"\x00"+m.Unit()+"\x00"+m.Type().String())
	at := pcommon.NewTimestampFromTime(now)
	if m.Type() == pmetric.MetricTypeSum {
		m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		last := map[uint64]int{}
		for i, p := range m.Sum().DataPoints().All() {
			key := of + s.hashMap(p.Attributes())
			s.find(key, p.StartTimestamp(), at, now).number(p, at)
			last[key] = i
		}
		return keepLast(m.Sum().DataPoints(), len(last), func(i int, p pmetric.NumberDataPoint) bool {
			return last[of+s.hashMap(p.Attributes())] == i
		})
	}
	m.Histogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	last := map[uint64]int{}
	for i, p := range m.Histogram().DataPoints().All() {
		key := of + s.hashMap(p.Attributes())
		s.find(key, p.StartTimestamp(), at, now).histogram(p, at)
		last[key] = i
	}
	return keepLast(m.Histogram().DataPoints(), len(last), func(i int, p pmetric.HistogramDataPoint) bool {
		return last[of+s.hashMap(p.Attributes())] == i
	})
}

// keepLast removes all points of a series but the last, which has the sum of all. It returns the number of those.
func keepLast[P any, S interface {
	Len() int
	RemoveIf(func(P) bool)
}](points S, series int, isLast func(int, P) bool) int {
	before := points.Len()
	if before == series {
		return 0
	}
	i := -1
	points.RemoveIf(func(p P) bool {
		i++
		return !isLast(i, p)
	})
	return before - points.Len()
}

// find returns the sum of a series. A start time in the future would be no start.
func (s *Sums) find(key uint64, start, at pcommon.Timestamp, now time.Time) *sum {
	known, ok := s.known.Get(key, now)
	if !ok {
		if start == 0 || start > at {
			start = at
		}
		known = &sum{start: start}
		s.known.Set(key, known, now)
	}
	return known
}

// number adds a point, and makes it the sum as of now.
func (s *sum) number(p pmetric.NumberDataPoint, at pcommon.Timestamp) {
	if p.Flags().NoRecordedValue() {
		return
	}
	switch p.ValueType() {
	case pmetric.NumberDataPointValueTypeInt:
		s.ints += p.IntValue()
	case pmetric.NumberDataPointValueTypeDouble:
		s.float += p.DoubleValue()
	case pmetric.NumberDataPointValueTypeEmpty:
	}
	if s.float == 0 {
		p.SetIntValue(s.ints)
	} else {
		p.SetDoubleValue(s.float + float64(s.ints))
	}
	p.SetStartTimestamp(s.start)
	p.SetTimestamp(at)
}

// histogram adds a point, and makes it the sum as of now. The first point's bounds stay: a point with others is counted
// in the buckets that contain its own.
func (s *sum) histogram(p pmetric.HistogramDataPoint, at pcommon.Timestamp) {
	if p.Flags().NoRecordedValue() {
		return
	}
	if s.hist == (pmetric.HistogramDataPoint{}) {
		s.hist = pmetric.NewHistogramDataPoint()
		p.CopyTo(s.hist)
		s.hist.Attributes().Clear()
		s.hist.Exemplars().RemoveIf(func(pmetric.Exemplar) bool { return true })
	} else {
		s.merge(p)
		s.hist.BucketCounts().CopyTo(p.BucketCounts())
		s.hist.ExplicitBounds().CopyTo(p.ExplicitBounds())
		p.SetCount(s.hist.Count())
		p.RemoveSum()
		if s.hist.HasSum() {
			p.SetSum(s.hist.Sum())
		}
	}
	p.RemoveMin() // of one point only
	p.RemoveMax()
	p.SetStartTimestamp(s.start)
	p.SetTimestamp(at)
}

func (s *sum) merge(p pmetric.HistogramDataPoint) {
	s.hist.SetCount(s.hist.Count() + p.Count())
	if s.hist.HasSum() && p.HasSum() {
		s.hist.SetSum(s.hist.Sum() + p.Sum())
	} else {
		s.hist.RemoveSum()
	}
	bounds, counts := s.hist.ExplicitBounds(), s.hist.BucketCounts()
	if counts.Len() == 0 {
		return
	}
	if p.BucketCounts().Len() == 0 {
		counts.SetAt(counts.Len()-1, counts.At(counts.Len()-1)+p.Count())
		return
	}
	to := 0
	for i := range p.BucketCounts().Len() {
		for to < bounds.Len() && (i >= p.ExplicitBounds().Len() || bounds.At(to) < p.ExplicitBounds().At(i)) {
			to++
		}
		counts.SetAt(to, counts.At(to)+p.BucketCounts().At(i))
	}
}

func (s *Sums) hash(text string) uint64 { return maphash.String(s.seed, text) }

// hashMap returns a hash that does not depend on the order of the attributes.
func (s *Sums) hashMap(m pcommon.Map) (h uint64) {
	for key, v := range m.All() {
		h += s.hash(key + "\x00" + attrs.Plain(v))
	}
	return h
}
