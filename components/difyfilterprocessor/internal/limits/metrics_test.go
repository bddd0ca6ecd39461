// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

func metricOf(fill func(pmetric.Metric)) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "x")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("m")
	fill(m)
	return md
}

func only(md pmetric.Metrics) pmetric.Metric {
	return md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
}

func gauge(labels map[string]any) func(pmetric.Metric) {
	return func(m pmetric.Metric) { _ = m.SetEmptyGauge().DataPoints().AppendEmpty().Attributes().FromRaw(labels) }
}

func histogram(count uint64, bounds []float64, buckets []uint64) func(pmetric.Metric) {
	return func(m pmetric.Metric) {
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		p := m.Histogram().DataPoints().AppendEmpty()
		p.SetCount(count)
		p.ExplicitBounds().FromRaw(bounds)
		p.BucketCounts().FromRaw(buckets)
	}
}

func limitMetrics(t *testing.T, md pmetric.Metrics) *tally.Tally {
	t.Helper()
	var once, twice tally.Tally
	for _, c := range []*tally.Tally{&once, &twice} {
		testLimiter().Metrics(md, c)
		testLimiter().Labels(md, c)
	}
	assert.Empty(t, twice.Limited(), "limiting twice changes nothing")
	return &once
}

func TestPointsThatAreDropped(t *testing.T) {
	for name, test := range map[string]struct {
		fill func(pmetric.Metric)
		want tally.Limit
	}{
		"too few buckets":    {histogram(1, []float64{1, 2}, []uint64{1}), tally.LimitHistogram},
		"bounds only":        {histogram(1, []float64{1, 2}, nil), tally.LimitHistogram},
		"too many buckets":   {histogram(3, []float64{1}, []uint64{1, 1, 1}), tally.LimitHistogram},
		"overflow":           {histogram(3, []float64{1}, []uint64{1, math.MaxUint64}), tally.LimitHistogram},
		"above max_buckets":  {histogram(5, []float64{1, 2, 3, 4}, []uint64{1, 1, 1, 1, 1}), tally.LimitBuckets},
		"unspecified":        {func(m pmetric.Metric) { m.SetEmptySum().DataPoints().AppendEmpty() }, tally.LimitTemporality},
		"unspecified bucket": {func(m pmetric.Metric) { m.SetEmptyHistogram().DataPoints().AppendEmpty() }, tally.LimitTemporality},
		"unspecified exponential": {
			func(m pmetric.Metric) { m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty() }, tally.LimitTemporality,
		},
		"no name":       {func(m pmetric.Metric) { m.SetName(""); gauge(nil)(m) }, tally.LimitMetricName},
		"underscore":    {func(m pmetric.Metric) { m.SetName("_"); gauge(nil)(m) }, tally.LimitMetricName},
		"Cyrillic name": {func(m pmetric.Metric) { m.SetName("запросы"); gauge(nil)(m) }, tally.LimitMetricName},
		"quantiles": {func(m pmetric.Metric) {
			p := m.SetEmptySummary().DataPoints().AppendEmpty()
			for range 5 {
				p.QuantileValues().AppendEmpty()
			}
		}, tally.LimitBuckets},
	} {
		t.Run(name, func(t *testing.T) {
			md := metricOf(test.fill)
			c := limitMetrics(t, md)
			assert.Equal(t, counts{test.want: 1}, c.Limited())
			assert.Zero(t, md.ResourceMetrics().Len())
		})
	}
}

func TestPointsThatAreKept(t *testing.T) {
	for name, fill := range map[string]func(pmetric.Metric){
		"count and sum":  histogram(3, nil, nil),
		"one bucket":     histogram(3, nil, []uint64{3}),
		"unsorted, NaN":  histogram(3, []float64{2, 1, math.NaN()}, []uint64{1, 1, 1, 0}),
		"stale":          func(m pmetric.Metric) { histogram(0, []float64{1}, nil)(m); stale(m) },
		"digits, colons": func(m pmetric.Metric) { m.SetName("0:"); gauge(nil)(m) },
		"empty":          func(pmetric.Metric) {},
	} {
		t.Run(name, func(t *testing.T) {
			md := metricOf(fill)
			assert.Empty(t, limitMetrics(t, md).Limited())
			assert.Equal(t, 1, md.MetricCount())
		})
	}
}

func stale(m pmetric.Metric) {
	m.Histogram().DataPoints().At(0).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
}

func TestCountOfAHistogramIsRepaired(t *testing.T) {
	md := metricOf(histogram(7, []float64{1}, []uint64{1, 2}))
	c := limitMetrics(t, md)
	assert.Equal(t, counts{tally.LimitHistogram: 1}, c.Limited())
	assert.EqualValues(t, 3, only(md).Histogram().DataPoints().At(0).Count())
	assert.Equal(t, "histogram", attrs.Text(only(md).Metadata(), difysemconv.AttrLimited))
	assert.Zero(t, only(md).Histogram().DataPoints().At(0).Attributes().Len(), "a mark would be another series")
}

func TestLabels(t *testing.T) {
	for name, test := range map[string]struct {
		in, want map[string]any
	}{
		"nothing": {map[string]any{"a.b": 1, "c": "x"}, map[string]any{"a.b": int64(1), "c": "x"}},
		"joined in the order of the keys": {
			map[string]any{"a.b": "2", "a_b": "3", "a-b": 1, "c.d": true}, map[string]any{"a_b": "1;2;3", "c.d": true},
		},
		"labels of the exporter": {
			map[string]any{"job": "x", "instance": 1, "otel_scope_name": "y", "otel.scope.x": "z", "le": "kept"},
			map[string]any{
				"exported_job": "x", "exported_instance": int64(1), "exported_otel_scope_name": "y",
				"exported_otel_scope_x": "z", "le": "kept",
			},
		},
		"reserved twice": {
			map[string]any{"job": "x", "exported_job": "y"}, map[string]any{"exported_job": "y;x"},
		},
		"underscores": {
			map[string]any{"": 1, "__name__": "x", "ключ": "k", "_": 2, "_ok": 3, "0": 4},
			map[string]any{"key_": "1;2", "key__name__": "x", "key____": "k", "_ok": int64(3), "0": int64(4)},
		},
		"digits": {map[string]any{"0": 1, "key_0": 2}, map[string]any{"key_0": "1;2"}},
	} {
		t.Run(name, func(t *testing.T) {
			md := metricOf(gauge(test.in))
			c := limitMetrics(t, md)
			assert.Equal(t, test.want, only(md).Gauge().DataPoints().At(0).Attributes().AsRaw())
			assert.Equal(t, name != "nothing", c.Limited()[tally.LimitLabelName] > 0)
		})
	}
}

func TestLabelsByKind(t *testing.T) {
	md := metricOf(func(m pmetric.Metric) {
		histogram(3, []float64{1}, []uint64{1, 2})(m)
		m.Histogram().DataPoints().At(0).Attributes().PutStr("le", "x")
	})
	limitMetrics(t, md)
	assert.Equal(t, map[string]any{"exported_le": "x"}, only(md).Histogram().DataPoints().At(0).Attributes().AsRaw())
	md = metricOf(func(m pmetric.Metric) {
		m.SetEmptySummary().DataPoints().AppendEmpty().Attributes().PutStr("quantile", "x")
	})
	limitMetrics(t, md)
	assert.Equal(t, map[string]any{"exported_quantile": "x"}, only(md).Summary().DataPoints().At(0).Attributes().AsRaw())
}

func TestResourceOfMetrics(t *testing.T) {
	md := metricOf(gauge(nil))
	res := md.ResourceMetrics().At(0).Resource().Attributes()
	res.PutStr("service_name", "y\xff")
	res.PutStr("__x", "z")
	c := limitMetrics(t, md)
	assert.Equal(t, map[string]any{
		"service.name": "x", "service_name": "y\uFFFD", "key__x": "z", difysemconv.AttrLimited: "utf8,label_name",
	}, res.AsRaw())
	assert.Equal(t, counts{tally.LimitUTF8: 1, tally.LimitLabelName: 1}, c.Limited())
}

func TestDescriptionIsUTF8(t *testing.T) {
	md := metricOf(func(m pmetric.Metric) { gauge(map[string]any{"a": "b\xff"})(m); m.SetDescription("d\xff") })
	c := limitMetrics(t, md)
	assert.Equal(t, "d\uFFFD", only(md).Description())
	assert.Equal(t, map[string]any{"a": "b\uFFFD"}, only(md).Gauge().DataPoints().At(0).Attributes().AsRaw())
	assert.Equal(t, counts{tally.LimitUTF8: 2}, c.Limited())
}

func TestExponentialHistogram(t *testing.T) {
	md := metricOf(func(m pmetric.Metric) {
		m.SetUnit("ms")
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		p := m.ExponentialHistogram().DataPoints().AppendEmpty()
		p.Attributes().PutStr("a", "b")
		p.SetCount(99) // contradicts the buckets, which count
		p.SetSum(123)
		p.SetScale(0)
		p.SetZeroCount(2)
		p.Positive().SetOffset(2) // (4, 8], (8, 16]
		p.Positive().BucketCounts().FromRaw([]uint64{3, 4})
		p.Negative().BucketCounts().FromRaw([]uint64{1})
		p.SetStartTimestamp(1)
		p.SetTimestamp(2)
	})
	limiter := testLimiter()
	limiter.set.MaxBuckets = 16
	var c tally.Tally
	limiter.Metrics(md, &c)
	assert.Equal(t, counts{tally.LimitExponentialHistogram: 1}, c.Limited())
	h := only(md).Histogram()
	p := h.DataPoints().At(0)
	assert.Equal(t, pmetric.AggregationTemporalityDelta, h.AggregationTemporality())
	assert.Equal(t, map[string]any{"a": "b"}, p.Attributes().AsRaw())
	assert.Equal(t, defaultBounds, p.ExplicitBounds().AsRaw())
	assert.Equal(t, []uint64{3, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, p.BucketCounts().AsRaw())
	assert.EqualValues(t, 10, p.Count())
	assert.InDelta(t, 123, p.Sum(), 0)
	assert.EqualValues(t, 1, p.StartTimestamp())
	assert.EqualValues(t, 2, p.Timestamp())
}

func TestExponentialHistogramWithExtremeScale(t *testing.T) {
	for _, scale := range []int32{math.MinInt32, -11, 20, math.MaxInt32} {
		md := metricOf(func(m pmetric.Metric) {
			m.SetUnit("s")
			m.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			p := m.ExponentialHistogram().DataPoints().AppendEmpty()
			p.SetScale(scale)
			p.Positive().SetOffset(math.MaxInt32)
			p.Positive().BucketCounts().FromRaw([]uint64{1})
			p.Negative().SetOffset(math.MinInt32)
			p.Negative().BucketCounts().FromRaw([]uint64{1})
		})
		limiter := testLimiter()
		limiter.set.MaxBuckets = 16
		limiter.Metrics(md, &tally.Tally{})
		assert.EqualValues(t, 2, only(md).Histogram().DataPoints().At(0).Count())
	}
}
