// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

var start = time.Unix(1795426800, 0)

type counts = map[tally.Limit]int64

// gauges has a gauge m of a process with a point for each label value.
func gauges(instance string, values ...string) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "dify")
	rm.Resource().Attributes().PutStr("service.instance.id", instance)
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("m")
	points := m.SetEmptyGauge().DataPoints()
	for _, value := range values {
		points.AppendEmpty().Attributes().PutStr("a.b", value)
	}
	return md
}

func (b *Bound) apply(md pmetric.Metrics, now time.Time) counts {
	var t tally.Tally
	before := md.DataPointCount()
	b.Apply(md, now, &t)
	dropped := int64(0)
	for _, n := range t.Limited() {
		dropped += n
	}
	if int64(md.DataPointCount())+dropped != int64(before) {
		panic("points are not counted")
	}
	return t.Limited()
}

func TestSeriesAreBoundedAndForgotten(t *testing.T) {
	b := NewBound(3, 10)
	assert.Empty(t, b.apply(gauges("1", "x", "y"), start))
	assert.Equal(t, counts{tally.LimitSeries: 1}, b.apply(gauges("1", "z", "w", "x"), start.Add(ttl-1)))
	now := start.Add(ttl)
	assert.Empty(t, b.apply(gauges("1", "x"), now), "known series go on")
	assert.Equal(t, counts{tally.LimitSeries: 1}, b.apply(gauges("1", "w"), now))
	now = now.Add(ttl) // y and z were not seen for long enough
	assert.Empty(t, b.apply(gauges("1", "w", "v"), now))
	assert.Equal(t, counts{tally.LimitSeries: 1}, b.apply(gauges("1", "u"), now))
	now = now.Add(10 * ttl)
	assert.Empty(t, b.apply(gauges("1", "1", "2", "3"), now))
}

func TestLargePointsCountAsSeveral(t *testing.T) {
	b := NewBound(3, 10)
	assert.Empty(t, b.apply(gauges("1", strings.Repeat("x", 1200)), start))
	assert.Equal(t, counts{tally.LimitSeries: 1}, b.apply(gauges("1", strings.Repeat("y", 1200), "z"), start))
}

// A client can't fill the memory with names either.
func TestNamesAreBounded(t *testing.T) {
	b := NewBound(10, 10)
	for i := range 100 {
		md := gauges("1", "x", strings.Repeat("y", 2000))
		m := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
		m.SetName("m" + strconv.Itoa(i))
		m.SetDescription(strings.Repeat("d", 500))
		b.apply(md, start)
	}
	assert.LessOrEqual(t, b.names.len(), 10)
	assert.LessOrEqual(t, len(b.labels), 10)
}

// The exporter logs each description that differs from the first.
func TestMetricsKeepTheirFirstDescription(t *testing.T) {
	b := NewBound(100, 10)
	for _, description := range []string{"first", "second", ""} {
		md := gauges("1", "x")
		m := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
		m.SetDescription(description)
		assert.Empty(t, b.apply(md, start))
		assert.Equal(t, "first", m.Description())
	}
}

func TestProcessesAreBounded(t *testing.T) {
	b := NewBound(100, 2)
	for i := range 5 {
		got := b.apply(gauges(strconv.Itoa(i), "x", "y"), start)
		if i < 2 {
			assert.Empty(t, got)
		} else {
			assert.Equal(t, counts{tally.LimitProcesses: 2}, got)
		}
	}
	assert.Empty(t, b.apply(gauges("0", "x"), start.Add(ttl)))
	assert.Empty(t, b.apply(gauges("9", "x"), start.Add(2*ttl)), "process 1 is forgotten")
	assert.Empty(t, b.apply(gauges("0", "x"), start.Add(2*ttl)))
}

func TestConflicts(t *testing.T) {
	for name, test := range map[string]struct {
		first, second func(pmetric.Metric)
		conflict      bool
	}{
		"the same":                {gauge("x", "a"), gauge("x", "a"), false},
		"other labels":            {gauge("x", "a"), gauge("x", "b"), false},
		"labels with one name":    {gauge("x", "a.b"), gauge("x", "a_b"), true},
		"metrics with one name":   {gauge("x.y", "a"), gauge("x_y", "a"), true},
		"one name, other labels":  {gauge("x.y", "a"), gauge("x_y", "b"), false},
		"of another type":         {gauge("x", "a"), summary("x", "", "b"), true},
		"count of a histogram":    {histogram("hs", "", "a"), gauge("hs_count", "b"), true},
		"histogram after a count": {gauge("hs_count", "b"), histogram("hs", "", "a"), true},
		"with another unit":       {histogram("hs", "ms", "a"), gauge("hs_count", "b"), false},
		"bucket of a summary":     {summary("hs", "", "a"), gauge("hs_bucket", "b"), false},
		"target_info":             {gauge("x", "a"), gauge("target.info", "b"), true},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBound(100, 10)
			for i, fill := range []func(pmetric.Metric){test.first, test.second, test.first} {
				md := pmetric.NewMetrics()
				fill(md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty())
				got := b.apply(md, start)
				if i == 1 && test.conflict {
					assert.Equal(t, counts{tally.LimitConflict: 1}, got)
					assert.Zero(t, md.DataPointCount())
				} else {
					assert.Empty(t, got)
				}
			}
		})
	}
}

func gauge(name, label string) func(pmetric.Metric) {
	return func(m pmetric.Metric) {
		m.SetName(name)
		m.SetEmptyGauge().DataPoints().AppendEmpty().Attributes().PutStr(label, "v")
	}
}

func histogram(name, unit, label string) func(pmetric.Metric) {
	return func(m pmetric.Metric) {
		m.SetName(name)
		m.SetUnit(unit)
		m.SetEmptyHistogram().DataPoints().AppendEmpty().Attributes().PutStr(label, "v")
	}
}

func summary(name, unit, label string) func(pmetric.Metric) {
	return func(m pmetric.Metric) {
		m.SetName(name)
		m.SetUnit(unit)
		m.SetEmptySummary().DataPoints().AppendEmpty().Attributes().PutStr(label, "v")
	}
}
