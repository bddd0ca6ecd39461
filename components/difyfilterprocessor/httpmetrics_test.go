// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

func flaskLabels(host, route string, status int) kv {
	return kv{
		"http.method": "GET", "http.scheme": "http", "http.host": host, "http.flavor": "1.1",
		"http.server_name": "localhost",
		"net.host.name":    host, "net.host.port": 5001, "http.status_code": status, "http.target": route,
	}
}

func metricByName(t *testing.T, md pmetric.Metrics, name string) pmetric.Metric {
	t.Helper()
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if m.Name() == name {
					return m
				}
			}
		}
	}
	require.Failf(t, "no such metric", "%q", name)
	return pmetric.Metric{}
}

func TestDurationLabelsAreCurrent(t *testing.T) {
	md := newHarness(t).metrics(t, durations(difyProcess(1), flaskLabels("a:1", "/x", 200)))
	p := metricByName(t, md, "http.server.duration").Histogram().DataPoints().At(0)
	assert.Equal(t, normal(t, kv{
		"http.request.method": "GET", "http.route": "/x", "http.response.status_code": 200, "url.scheme": "http",
		"network.protocol.version": "1.1", "dify.role": "api",
	}), p.Attributes().AsRaw())
}

func TestStatusCodesAreNumbers(t *testing.T) {
	for name, tt := range map[string]struct {
		key          string
		status, want any
		failures     int
	}{
		"a number":           {"http.status_code", 503, int64(503), 1},
		"text":               {"http.status_code", "503", int64(503), 1},
		"text, current name": {"http.response.status_code", "404", int64(404), 1},
		"a double":           {"http.status_code", 500.0, int64(500), 1},
		"text, no error":     {"http.status_code", "200", int64(200), 0},
	} {
		t.Run(name, func(t *testing.T) {
			labels := flaskLabels("a:1", "/x", 0)
			delete(labels, "http.status_code")
			labels[tt.key] = tt.status
			md := newHarness(t).metrics(t, durations(difyProcess(1), labels))
			p := metricByName(t, md, "http.server.duration").Histogram().DataPoints().At(0)
			assert.Equal(t, tt.want, p.Attributes().AsRaw()["http.response.status_code"])
			assert.NotContains(t, p.Attributes().AsRaw(), "http.status_code")
			if tt.failures > 0 {
				failures := metricByName(t, md, "http.server.error.count").Sum().DataPoints()
				assert.Equal(t, tt.failures, failures.Len())
				assert.Equal(t, tt.want, failures.At(0).Attributes().AsRaw()["http.response.status_code"])
			}
		})
	}
}

// Clients control the Host header: series that differ only in it become one series with the sum.
func TestHostLabelsAreRemovedAndNothingIsLost(t *testing.T) {
	b := newHarness(t)
	md := b.metrics(
		t,
		durations(
			difyProcess(1),
			flaskLabels("a:1", "/x", 200),
			flaskLabels("b:1", "/x", 200),
			flaskLabels("a:1", "/x", 500),
		),
	)
	points := metricByName(t, md, "http.server.duration").Histogram().DataPoints()
	require.Equal(t, 2, points.Len())
	p := points.At(0)
	assert.Equal(t, uint64(1+2), p.Count())
	assert.InDelta(t, 30, p.Sum(), 0)
	assert.Equal(t, []uint64{2, 1}, p.BucketCounts().AsRaw())
	assert.InDelta(t, 1, p.Min(), 0)
	assert.InDelta(t, 12, p.Max(), 0)
	assert.EqualValues(t, 1001, p.StartTimestamp(), "the earlier")
	assert.Equal(t, uint64(3), points.At(1).Count())
	assert.Equal(t, map[droppedBy]int{{tally.RuleMergedSeries, tally.KindDataPoint}: 1}, b.dropped(t))
}

func TestSeriesThatCannotBeAddedUpKeepTheirLabels(t *testing.T) {
	b := newHarness(t)
	in := durations(difyProcess(1), flaskLabels("a:1", "/x", 200), flaskLabels("b:1", "/x", 200))
	other := in.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Histogram().DataPoints().At(1)
	other.ExplicitBounds().FromRaw([]float64{7})
	out := b.metrics(t, in)
	points := metricByName(t, out, "http.server.duration").Histogram().DataPoints()
	require.Equal(t, 2, points.Len())
	assert.Equal(t, "b:1", attrs.Text(points.At(1).Attributes(), "http.host"))
	assert.Empty(t, b.dropped(t))

	counts := metricByName(t, out, difysemconv.MetricServerResponseCount).Sum().DataPoints()
	require.Equal(t, 1, counts.Len(), "their counts can be added up")
	assert.EqualValues(t, 1+2, counts.At(0).IntValue())
}

func TestSumsAreAddedUp(t *testing.T) {
	b := newHarness(t)
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	require.NoError(t, rm.Resource().Attributes().FromRaw(difyProcess(1)))
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("http.server.active_requests")
	cumulativeSum(m)
	for i, host := range []string{"a", "b", "c"} {
		p := m.Sum().DataPoints().AppendEmpty()
		p.Attributes().PutStr("http.host", host)
		p.SetIntValue(int64(i + 1))
	}
	points := metricByName(t, b.metrics(t, md), "http.server.active_requests").Sum().DataPoints()
	require.Equal(t, 1, points.Len())
	assert.EqualValues(t, 6, points.At(0).IntValue())
	assert.Equal(t, 2, b.droppedOf(t, tally.KindDataPoint))
}

func TestCountsAreDerived(t *testing.T) {
	b := newHarness(t)
	in := durations(difyProcess(1), flaskLabels("a", "/x", 200), flaskLabels("a", "/x", 400), flaskLabels("a", "/x", 503))
	sampled := in.ResourceMetrics().At(0).ScopeMetrics().AppendEmpty()
	sampled.Scope().SetName(emitter.ScopeResponseCount)
	m := sampled.Metrics().AppendEmpty()
	m.SetName(difysemconv.MetricServerResponseCount)
	cumulativeSum(m).AppendEmpty().SetIntValue(1)

	md := b.metrics(t, in)
	assert.Equal(t, 1, md.ResourceMetrics().At(0).ScopeMetrics().Len(), "the empty scope is removed")
	all := metricByName(t, md, difysemconv.MetricServerResponseCount).Sum()
	assert.True(t, all.IsMonotonic())
	assert.Equal(t, pmetric.AggregationTemporalityCumulative, all.AggregationTemporality())
	require.Equal(t, 3, all.DataPoints().Len())
	errors := metricByName(t, md, difysemconv.MetricServerErrorCount).Sum().DataPoints()
	require.Equal(t, 2, errors.Len())
	assert.EqualValues(t, 2, errors.At(0).IntValue())
	assert.EqualValues(t, 1002, errors.At(0).StartTimestamp())
	assert.EqualValues(t, 2000, errors.At(0).Timestamp())
	assert.EqualValues(t, 503, attrs.StatusCode(errors.At(1).Attributes()))
	assert.Equal(t, map[droppedBy]int{{tally.RuleSampledResponseCount, tally.KindDataPoint}: 1}, b.dropped(t))
	assert.EqualValues(t, 5, sum(b.counter(t, "otelcol_dify_filter_derived_data_points")))
}

func TestSampledCountKept(t *testing.T) {
	b := newHarness(t, func(c *Config) { c.Drop.SampledResponseCount = false })
	md := b.metrics(t, durations(difyProcess(1), flaskLabels("a", "/x", 500)))
	assert.Equal(t, 2, md.MetricCount(), "the histogram and the errors; Dify's own counter is kept")
}

func TestOtherMetricsPassUntouched(t *testing.T) {
	b := newHarness(t)
	in := durations(kv{"service.name": "shop", "telemetry.sdk.name": "opentelemetry"}, flaskLabels("a", "/x", 500))
	want := wireMetrics(t, in)
	got := b.metrics(t, in)
	m := metricByName(t, got, "http.server.duration")
	assert.Equal(t, 1, got.MetricCount())
	assert.Equal(t, "a", attrs.Text(m.Histogram().DataPoints().At(0).Attributes(), "http.host"))
	assert.JSONEq(t, want, wireMetrics(t, got))
}

func TestIdentityByStartIsOneProcess(t *testing.T) {
	res := difyProcess(1)
	delete(res, "process.pid")
	b := newHarness(t)
	id := func(md pmetric.Metrics) string {
		return attrs.Text(b.metrics(t, md).ResourceMetrics().At(0).Resource().Attributes(), attrs.ServiceInstanceID)
	}
	assert.Equal(t, "vm@1001", id(durations(res, flaskLabels("a", "/x", 200))))
	assert.Equal(t, "vm@1001", id(durations(res, flaskLabels("a", "/x", 200), flaskLabels("b", "/y", 200))))
}

// Labels that redaction makes equal would be one series with two values.
func TestRedactedLabelsAreAddedUp(t *testing.T) {
	b := newHarness(t)
	md := durations(
		kv{"service.name": "x"},
		kv{"key": "app-Zk3v9QwX7LmN2pR8sT1uVbYc"},
		kv{"key": "app-Ak3v9QwX7LmN2pR8sT1uVbYc"},
	)
	points := metricByName(t, b.metrics(t, md), "http.server.duration").Histogram().DataPoints()
	require.Equal(t, 1, points.Len())
	assert.Equal(t, "app-***", attrs.Text(points.At(0).Attributes(), "key"))
	assert.Equal(t, uint64(3), points.At(0).Count())
}
