// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package runmetrics

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func built(m *Metrics) pmetric.Metrics {
	md, _ := m.Build(pcommon.NewResource(), pcommon.NewInstrumentationScope(), noon.AddDate(10, 0, 0), 0)
	return md
}

func count(m *Metrics, run outcome.Outcome) { m.AddRun(&run, noon) }

func endedRun(app, status string, seconds float64) outcome.Outcome {
	return outcome.Outcome{
		Run: source.Run{AppID: app, Status: status, TriggeredFrom: "webhook", ElapsedTime: seconds},
		App: source.App{ID: app, Name: "n-" + app}, Workspace: "w",
	}
}

func TestSeriesExistWithZero(t *testing.T) {
	m := New(10)
	assert.Equal(t, 0, built(m).DataPointCount())
	assert.True(t, m.ensureSeries(AppLabels{AppID: "a"}, "app-run", noon).changed)
	m.stored[0].changed = false
	assert.False(t, m.ensureSeries(AppLabels{AppID: "a"}, "app-run", noon.Add(time.Hour)).changed)
	md := built(m)
	assert.Equal(t, 4+4+2+1, md.DataPointCount())
	for _, name := range []string{
		difysemconv.MetricRunTotal, difysemconv.MetricRunSuccess, difysemconv.MetricRunFailure,
	} {
		sum := pdatatest.Metric(md, name).Sum()
		assert.True(t, sum.IsMonotonic())
		assert.Equal(t, pmetric.AggregationTemporalityCumulative, sum.AggregationTemporality())
		for _, point := range sum.DataPoints().All() {
			assert.Zero(t, point.IntValue())
			assert.Equal(t, noon.Add(-time.Millisecond), point.StartTimestamp().AsTime())
		}
	}
}

func TestDurations(t *testing.T) {
	m := New(10)
	for _, seconds := range []float64{0.1, 0.11, 5000, math.NaN(), math.Inf(1), -1} {
		count(m, endedRun("a", difysemconv.StatusFailed, seconds))
	}
	for _, point := range pdatatest.Metric(built(m), difysemconv.MetricRunDuration).Histogram().DataPoints().All() {
		if pdatatest.Str(point.Attributes(), difysemconv.AttrRunStatus) != difysemconv.StatusFailed {
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
	m := New(2)
	for _, app := range []string{"a", "b", "c", "d"} {
		run := endedRun(app, difysemconv.StatusFailed, 1)
		run.Usage = outcome.Usage{Total: 10, Prices: []outcome.Price{{Currency: "USD", Amount: 0.5}}}
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
		assert.InDelta(t, want, pdatatest.Counter(md, name, overflow), 0, name)
		points := 0
		for _, point := range pdatatest.Metric(md, name).Sum().DataPoints().All() {
			if pdatatest.Matches(point.Attributes(), overflow) {
				points++
				_, named := point.Attributes().Get(difysemconv.AttrAppID)
				assert.False(t, named)
			}
		}
		assert.Equal(t, 1, points, name)
	}
	assert.InDelta(t, 6, pdatatest.Counter(md, difysemconv.MetricRunTotal, nil), 0)
	count(m, endedRun("a", difysemconv.StatusFailed, 1))
	assert.InDelta(
		t, 2, pdatatest.Counter(built(m), difysemconv.MetricRunFailure, map[string]string{"dify.app_id": "a"}), 0,
	)
}

func TestRenamedAppIsASeriesOfItsOwn(t *testing.T) {
	m := New(10)
	run := endedRun("a", difysemconv.StatusSucceeded, 1)
	count(m, run)
	run.App.Name = "renamed"
	count(m, run)
	md := built(m)
	assert.InDelta(t, 1, pdatatest.Counter(md, difysemconv.MetricRunTotal, map[string]string{"dify.app.name": "n-a"}), 0)
	assert.InDelta(
		t, 1, pdatatest.Counter(md, difysemconv.MetricRunTotal, map[string]string{"dify.app.name": "renamed"}), 0,
	)
	assert.InDelta(t, 2, pdatatest.Counter(md, difysemconv.MetricRunTotal, map[string]string{"dify.app_id": "a"}), 0)
}

func TestNewSeriesBeginWithZero(t *testing.T) {
	m := New(10)
	run := endedRun("a", difysemconv.StatusFailed, 1)
	run.Usage = outcome.Usage{Total: 10, Prices: []outcome.Price{{Currency: "USD", Amount: 0.5}}}
	count(m, run)
	for _, test := range []struct {
		after      time.Duration
		runs, sums float64
		pending    bool
	}{{time.Second, 0, 0, true}, {15 * time.Second, 1, 10.5, false}} {
		md, pending := m.Build(
			pcommon.NewResource(), pcommon.NewInstrumentationScope(), noon.Add(test.after), 15*time.Second,
		)
		assert.InDelta(t, test.runs, pdatatest.Counter(md, difysemconv.MetricRunTotal, nil), 0)
		assert.InDelta(
			t, test.sums,
			pdatatest.Counter(md, difysemconv.MetricTokenUsage, nil)+pdatatest.Counter(md, difysemconv.MetricCost, nil), 0,
		)
		assert.Equal(t, test.pending, pending)
	}
}

func TestModelsAreBounded(t *testing.T) {
	m := New(1)
	for i := range maxModels + 3 {
		u := outcome.Usage{Input: 1, Output: 2, Model: outcome.Model{Name: fmt.Sprint("m", i), Provider: "p"}}
		m.AddUsage(&outcome.Outcome{Run: source.Run{AppID: "a"}, Usage: u}, noon)
	}
	assert.InDelta(
		t, 3*3,
		pdatatest.Counter(built(m), difysemconv.MetricTokenUsage, map[string]string{"gen_ai.request.model": outcome.Other}),
		0,
	)
	assert.InDelta(
		t, 3, pdatatest.Counter(built(m), difysemconv.MetricTokenUsage, map[string]string{"gen_ai.request.model": "m7"}),
		0,
	)
}
