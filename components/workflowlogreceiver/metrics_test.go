// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func built(m *runMetrics) pmetric.Metrics {
	return (&builder{now: noon.AddDate(10, 0, 0)}).build(m, pcommon.NewResource(), pcommon.NewInstrumentationScope())
}

func count(m *runMetrics, run outcome) { m.count(&run, noon) }

func endedRun(app, status string, seconds float64) outcome {
	return outcome{
		Run: source.Run{AppID: app, Status: status, TriggeredFrom: "webhook", ElapsedTime: seconds},
		app: source.App{ID: app, Name: "n-" + app}, workspace: "w",
	}
}

func metricNamed(t *testing.T, md pmetric.Metrics, name string) pmetric.Metric {
	t.Helper()
	for _, metric := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if metric.Name() == name {
			return metric
		}
	}
	require.FailNow(t, "no metric", name)
	return pmetric.Metric{}
}

func TestSeriesExistWithZero(t *testing.T) {
	m := newRunMetrics(10)
	assert.Equal(t, 0, built(m).DataPointCount())
	assert.True(t, m.ensureSeries(appLabels{AppID: "a"}, "app-run", noon).changed)
	m.stored[0].changed = false
	assert.False(t, m.ensureSeries(appLabels{AppID: "a"}, "app-run", noon.Add(time.Hour)).changed)
	md := built(m)
	assert.Equal(t, 4+4+2+1, md.DataPointCount())
	for _, name := range []string{difysemconv.MetricRunTotal, difysemconv.MetricRunSuccess, difysemconv.MetricRunFailure} {
		sum := metricNamed(t, md, name).Sum()
		assert.True(t, sum.IsMonotonic())
		assert.Equal(t, pmetric.AggregationTemporalityCumulative, sum.AggregationTemporality())
		for _, point := range sum.DataPoints().All() {
			assert.Zero(t, point.IntValue())
			assert.Equal(t, noon.Add(-time.Millisecond), point.StartTimestamp().AsTime())
		}
	}
}

func TestDurations(t *testing.T) {
	m := newRunMetrics(10)
	for _, seconds := range []float64{0.1, 0.11, 5000, math.NaN(), math.Inf(1), -1} {
		count(m, endedRun("a", difysemconv.StatusFailed, seconds))
	}
	for _, point := range metricNamed(t, built(m), difysemconv.MetricRunDuration).Histogram().DataPoints().All() {
		if str(point.Attributes(), difysemconv.AttrRunStatus) != difysemconv.StatusFailed {
			assert.Zero(t, point.Count())
			continue
		}
		assert.Equal(t, uint64(6), point.Count())
		assert.InDelta(t, 5000.21, point.Sum(), 1e-9)
		assert.Equal(t, durationBounds, point.ExplicitBounds().AsRaw())
		assert.Equal(t, []uint64{4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, point.BucketCounts().AsRaw())
	}
}

func TestOverflowIsOneSeries(t *testing.T) {
	m := newRunMetrics(2)
	for _, app := range []string{"a", "b", "c", "d"} {
		run := endedRun(app, difysemconv.StatusFailed, 1)
		run.usage = usage{total: 10, prices: []price{{"USD", 0.5}}}
		count(m, run)
	}
	count(m, endedRun("e", difysemconv.StatusPartialSucceeded, 1))
	count(m, endedRun("f", difysemconv.StatusStopped, 1))
	md := built(m)
	overflow := map[string]string{"otel.metric.overflow": "true"}
	for name, want := range map[string]float64{
		difysemconv.MetricRunTotal: 4, difysemconv.MetricRunFailure: 2, difysemconv.MetricRunSuccess: 1,
		difysemconv.MetricTokenUsage: 20, difysemconv.MetricCost: 1,
	} {
		assert.InDelta(t, want, counterOf(md, name, overflow), 0, name)
		points := 0
		for _, point := range metricNamed(t, md, name).Sum().DataPoints().All() {
			if matches(point.Attributes(), overflow) {
				points++
				_, named := point.Attributes().Get(difysemconv.AttrAppID)
				assert.False(t, named)
			}
		}
		assert.Equal(t, 1, points, name)
	}
	assert.InDelta(t, 6, counterOf(md, difysemconv.MetricRunTotal, nil), 0)
	count(m, endedRun("a", difysemconv.StatusFailed, 1))
	assert.InDelta(t, 2, counterOf(built(m), difysemconv.MetricRunFailure, map[string]string{"dify.app_id": "a"}), 0)
}

func TestRenamedAppIsASeriesOfItsOwn(t *testing.T) {
	m := newRunMetrics(10)
	run := endedRun("a", difysemconv.StatusSucceeded, 1)
	count(m, run)
	run.app.Name = "renamed"
	count(m, run)
	md := built(m)
	assert.InDelta(t, 1, counterOf(md, difysemconv.MetricRunTotal, map[string]string{"dify.app.name": "n-a"}), 0)
	assert.InDelta(t, 1, counterOf(md, difysemconv.MetricRunTotal, map[string]string{"dify.app.name": "renamed"}), 0)
	assert.InDelta(t, 2, counterOf(md, difysemconv.MetricRunTotal, map[string]string{"dify.app_id": "a"}), 0)
}

func TestNewSeriesBeginWithZero(t *testing.T) {
	m := newRunMetrics(10)
	run := endedRun("a", difysemconv.StatusFailed, 1)
	run.usage = usage{total: 10, prices: []price{{"USD", 0.5}}}
	count(m, run)
	for _, test := range []struct {
		after      time.Duration
		runs, sums float64
		pending    bool
	}{{time.Second, 0, 0, true}, {15 * time.Second, 1, 10.5, false}} {
		b := &builder{now: noon.Add(test.after), zeroFor: 15 * time.Second}
		md := b.build(m, pcommon.NewResource(), pcommon.NewInstrumentationScope())
		assert.InDelta(t, test.runs, counterOf(md, difysemconv.MetricRunTotal, nil), 0)
		assert.InDelta(t, test.sums, counterOf(md, difysemconv.MetricTokenUsage, nil)+counterOf(md, difysemconv.MetricCost, nil), 0)
		assert.Equal(t, test.pending, b.pending)
	}
}

func TestModelsAreBounded(t *testing.T) {
	m := newRunMetrics(1)
	for i := range maxModels + 3 {
		u := usage{input: 1, output: 2, model: modelLabels{Model: fmt.Sprint("m", i), Provider: "p"}}
		m.countUsage(&outcome{Run: source.Run{AppID: "a"}, usage: u}, noon)
	}
	assert.InDelta(t, 3*3, counterOf(built(m), difysemconv.MetricTokenUsage, map[string]string{"gen_ai.request.model": other}), 0)
	assert.InDelta(t, 3, counterOf(built(m), difysemconv.MetricTokenUsage, map[string]string{"gen_ai.request.model": "m7"}), 0)
}
