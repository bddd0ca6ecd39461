// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// ttl is how long the shipped configuration exposes a series after its last point. A series is forgotten after that,
// and after twice that at the latest.
const ttl = 10 * time.Minute

// bytesPerSeries is the size of a point with its metric's name and description up to which it counts as one series.
// With the default of max_series it bounds a scrape, and what is kept here, to about 100 MB.
const bytesPerSeries = 1024

// Bound knows the series of one pipeline. What is known is never dropped in favor of what is new. It is safe for
// concurrent use.
type Bound struct {
	maxSeries, maxProcesses int
	seed                    maphash.Seed
	namer                   otlptranslator.MetricNamer

	mu        sync.Mutex // guards all below
	series    aged[uint64, point]
	processes aged[uint64, struct{}]
	names     aged[string, family] // by the name of a family, or of a series of it
	weight    int                  // of series, and previous of those not seen since
	previous  int
	began     time.Time
	labels    map[string]string // attribute key -> label
}

// point is the identity of a series in OpenTelemetry's terms, and its weight.
type point struct {
	identity uint64
	weight   int
}

// NewBound returns a Bound that knows nothing.
func NewBound(maxSeries, maxProcesses int) *Bound {
	return &Bound{
		maxSeries:    maxSeries,
		maxProcesses: maxProcesses,
		seed:         maphash.MakeSeed(),
		namer:        otlptranslator.MetricNamer{WithMetricSuffixes: true},
		labels:       map[string]string{},
	}
}

// Apply drops the points of md that exceed a bound or conflict with others, and counts them in t.
func (b *Bound) Apply(md pmetric.Metrics, now time.Time, t *tally.Tally) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire(now)
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		process := b.process(rm.Resource().Attributes())
		if !b.admit(process) {
			n := 0
			attrs.EachPoint(rm, func(attrs.Point) { n++ })
			t.LimitPoints(tally.LimitProcesses, n)
			return true
		}
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			scope := b.scope(sm)
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool { return b.metric(m, process+scope, t) })
			return sm.Metrics().Len() == 0
		})
		return rm.ScopeMetrics().Len() == 0
	})
}

// expire forgets what was not seen for a time.
func (b *Bound) expire(now time.Time) {
	age := now.Sub(b.began)
	if age < ttl {
		return
	}
	for range min(2, age/ttl) {
		b.series.rotate()
		b.processes.rotate()
		b.names.rotate()
		b.weight, b.previous = b.weight-b.previous, b.weight-b.previous
	}
	b.began = now
	if len(b.labels) > b.maxSeries {
		clear(b.labels)
	}
}

func (b *Bound) admit(process uint64) bool {
	if _, known := b.processes.get(process); known {
		b.processes.promote(process)
		return true
	}
	if b.processes.len() >= b.maxProcesses {
		return false
	}
	b.processes.put(process, struct{}{})
	return true
}

// metric drops points, and reports whether the name belongs to another metric. A metric whose points are all dropped
// stays, empty: without it, a second pass would derive a counter in its place.
func (b *Bound) metric(m pmetric.Metric, of uint64, t *tally.Tally) bool {
	name, owner, usable := b.name(m)
	if !usable {
		n := 0
		attrs.EachPointOf(m, func(attrs.Point) { n++ })
		t.LimitPoints(tally.LimitConflict, n)
		return true
	}
	exposed, own := of+b.hash(name), of+b.hash(m.Name())
	kept, size := false, len(m.Name())+len(m.Description())
	remove := func(p attrs.Point, buckets int) bool {
		drop := b.point(p.Attributes(), exposed, own, size+16*buckets, t)
		kept = kept || !drop
		return drop
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		m.Gauge().DataPoints().RemoveIf(func(p pmetric.NumberDataPoint) bool { return remove(p, 0) })
	case pmetric.MetricTypeSum:
		m.Sum().DataPoints().RemoveIf(func(p pmetric.NumberDataPoint) bool { return remove(p, 0) })
	case pmetric.MetricTypeHistogram:
		m.Histogram().DataPoints().RemoveIf(func(p pmetric.HistogramDataPoint) bool {
			return remove(p, p.BucketCounts().Len())
		})
	case pmetric.MetricTypeExponentialHistogram:
		m.ExponentialHistogram().DataPoints().RemoveIf(func(p pmetric.ExponentialHistogramDataPoint) bool {
			return remove(p, p.Positive().BucketCounts().Len()+p.Negative().BucketCounts().Len())
		})
	case pmetric.MetricTypeSummary:
		m.Summary().DataPoints().RemoveIf(func(p pmetric.SummaryDataPoint) bool {
			return remove(p, p.QuantileValues().Len())
		})
	}
	if kept {
		b.own(m, name, owner)
	}
	return false
}

// point reports whether to drop a point, whose size is that of its attributes and the given one. Large ones count as
// several series.
func (b *Bound) point(attributes pcommon.Map, exposed, own uint64, size int, t *tally.Tally) bool {
	for key, v := range attributes.All() {
		value := v.AsString()
		size += len(key) + len(value)
		exposed += b.pair(b.label(key), value)
		own += b.pair(key, value)
	}
	if known, ok := b.series.get(exposed); ok {
		if known.identity != own {
			t.LimitPoints(tally.LimitConflict, 1)
			return true
		}
		if b.series.promote(exposed) {
			b.previous -= known.weight
		}
		return false
	}
	weight := 1 + size/bytesPerSeries
	if b.weight+weight > b.maxSeries {
		t.LimitPoints(tally.LimitSeries, 1)
		return true
	}
	b.weight += weight
	b.series.put(exposed, point{own, weight})
	return false
}
