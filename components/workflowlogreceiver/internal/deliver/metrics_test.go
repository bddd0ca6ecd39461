// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/pdatatest"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/runmetrics"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var refuse atomic.Bool
		into := &consumertest.MetricsSink{}
		next, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
			if refuse.Load() {
				return errRefused
			}
			return into.ConsumeMetrics(ctx, md)
		})
		require.NoError(t, err)
		e := NewMetrics(next, newObs(t), 15*time.Second, zap.NewNop())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go e.Run(ctx)

		sleepAndWait(time.Minute)
		assert.Empty(t, into.AllMetrics(), "nothing to emit yet")

		m := runmetrics.New(1)
		m.EnsureSeries(runmetrics.AppLabels{AppID: "a"}, "app-run", time.Now())
		e.Publish(built(m))
		synctest.Wait()
		require.Len(t, into.AllMetrics(), 1, "emitted when changed")
		sleepAndWait(time.Minute)
		assert.Len(t, into.AllMetrics(), 5, "and every 15 s")
		for _, point := range pdatatest.Metric(into.AllMetrics()[4], difysemconv.MetricRunTotal).Sum().DataPoints().All() {
			assert.Greater(t, point.Timestamp(), point.StartTimestamp())
			assert.LessOrEqual(t, time.Since(point.Timestamp().AsTime()), 15*time.Second)
		}

		refuse.Store(true)
		m.AddRun(&outcome.Outcome{Run: source.Run{AppID: "a", Status: difysemconv.StatusFailed}}, time.Now())
		e.Publish(built(m))
		sleepAndWait(time.Minute)
		assert.Len(t, into.AllMetrics(), 5)
		refuse.Store(false)
		sleepAndWait(15 * time.Second)
		require.Greater(t, len(into.AllMetrics()), 5)
		assert.InDelta(t, 1, pdatatest.Counter(into.AllMetrics()[5], difysemconv.MetricRunTotal, nil), 0)

		e.Suspend()
		synctest.Wait()
		before := len(into.AllMetrics())
		sleepAndWait(time.Minute)
		assert.Len(t, into.AllMetrics(), before, "another reader counts now")
	})
}

var errRefused = errors.New("refused")

// built returns the metrics when no series is new.
func built(m *runmetrics.Metrics) pmetric.Metrics {
	md, _ := m.Build(pcommon.NewResource(), pcommon.NewInstrumentationScope(), time.Now(), 0)
	return md
}

// sleepAndWait advances the bubble's clock, and lets what is due at that very moment happen.
func sleepAndWait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func newObs(t *testing.T) *receiverhelper.ObsReport {
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: component.NewID(
			metadata.Type,
		), Transport: "postgresql", ReceiverCreateSettings: receivertest.NewNopSettings(metadata.Type),
	})
	require.NoError(t, err)
	return obs
}
