// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
)

func TestEmitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var refuse atomic.Bool
		into := &sink{}
		next, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
			if refuse.Load() {
				return errRefused
			}
			return into.ConsumeMetrics(ctx, md)
		})
		require.NoError(t, err)
		e := newEmitter(next, newObs(t), 15*time.Second, zap.NewNop())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go e.run(ctx)

		sleepAndWait(time.Minute)
		assert.Empty(t, into.emissions(), "nothing to emit yet")

		m := newRunMetrics(1)
		m.ensureSeries(appLabels{AppID: "a"}, "app-run", time.Now())
		e.publish(built(m))
		synctest.Wait()
		require.Len(t, into.emissions(), 1, "emitted when changed")
		sleepAndWait(time.Minute)
		assert.Len(t, into.emissions(), 5, "and every 15 s")
		for _, point := range metricNamed(t, into.emissions()[4], difysemconv.MetricRunTotal).Sum().DataPoints().All() {
			assert.Greater(t, point.Timestamp(), point.StartTimestamp())
			assert.LessOrEqual(t, time.Since(point.Timestamp().AsTime()), 15*time.Second)
		}

		refuse.Store(true)
		run := endedRun("a", difysemconv.StatusFailed, 1)
		m.count(&run, time.Now())
		e.publish(built(m))
		sleepAndWait(time.Minute)
		assert.Len(t, into.emissions(), 5)
		refuse.Store(false)
		sleepAndWait(15 * time.Second)
		require.Greater(t, len(into.emissions()), 5)
		assert.InDelta(t, 1, counterOf(into.emissions()[5], difysemconv.MetricRunTotal, nil), 0)

		e.suspend()
		synctest.Wait()
		before := len(into.emissions())
		sleepAndWait(time.Minute)
		assert.Len(t, into.emissions(), before, "another reader counts now")
	})
}

// sleepAndWait advances the bubble's clock, and lets what is due at that very moment happen.
func sleepAndWait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func newObs(t *testing.T) *receiverhelper.ObsReport {
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: component.NewID(metadata.Type), Transport: driverPostgreSQL, ReceiverCreateSettings: receivertest.NewNopSettings(metadata.Type),
	})
	require.NoError(t, err)
	return obs
}
