// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/backoff"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/health"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
)

// Metrics sends the metrics to their pipeline when they have changed, and repeatedly while they have not, so that no
// series goes stale while the poller waits for a pipeline or for the database. It is given only values that the
// checkpoint contains: a value that was emitted and then lost in a crash would make a counter decrease.
type Metrics struct {
	next     consumer.Metrics
	obs      *receiverhelper.ObsReport
	interval time.Duration
	failures *health.FailureLog

	changed chan struct{}

	mu     sync.Mutex       // guards what follows
	latest *pmetric.Metrics // nil: nothing to emit
}

// NewMetrics returns a Metrics that emits at each change and at least once per interval.
func NewMetrics(
	next consumer.Metrics, obs *receiverhelper.ObsReport, interval time.Duration, logger *zap.Logger,
) *Metrics {
	return &Metrics{
		next:     next,
		obs:      obs,
		interval: interval,
		failures: health.NewFailureLog(
			logger, "The metrics pipeline refused metrics; they are sent again, and none is lost",
			"The metrics pipeline accepts metrics again",
		),
		changed: make(chan struct{}, 1),
	}
}

// Publish replaces the metrics that are emitted from now on.
func (e *Metrics) Publish(md pmetric.Metrics) {
	e.mu.Lock()
	e.latest = &md
	e.mu.Unlock()
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// Suspend stops emitting, because another receiver counts now.
func (e *Metrics) Suspend() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.latest = nil
}

// Run emits until the context ends.
func (e *Metrics) Run(ctx context.Context) {
	ticker := time.NewTicker(e.interval)
	defer ticker.Stop()
	pause := backoff.Backoff{Initial: firstRetry, Max: e.interval}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-e.changed:
		}
		for !e.emit(ctx) {
			if !pause.Wait(ctx) {
				return
			}
		}
		pause.Reset()
	}
}

// emit reports whether the pipeline accepted the metrics or permanently rejected them.
func (e *Metrics) emit(ctx context.Context) bool {
	md, ok := e.Snapshot()
	if !ok {
		return true
	}
	points := md.DataPointCount()
	obsCtx := e.obs.StartMetricsOp(ctx)
	err := e.next.ConsumeMetrics(obsCtx, md)
	e.obs.EndMetricsOp(obsCtx, metadata.Type.String(), points, err)
	switch {
	case err == nil:
		e.failures.Ended()
		return true
	case ctx.Err() != nil:
		return false
	default:
		e.failures.Failed(err)
		return PermanentlyRejected(err)
	}
}

// Snapshot returns a copy of the metrics to emit, since the pipeline may change what it is given, and sets their
// timestamp.
func (e *Metrics) Snapshot() (pmetric.Metrics, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.latest == nil || e.latest.DataPointCount() == 0 {
		return pmetric.Metrics{}, false
	}
	md := pmetric.NewMetrics()
	e.latest.CopyTo(md)
	stamp(md, pcommon.NewTimestampFromTime(time.Now()))
	return md, true
}

func stamp(md pmetric.Metrics, now pcommon.Timestamp) {
	metrics := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	for _, metric := range metrics.All() {
		switch metric.Type() {
		case pmetric.MetricTypeSum:
			for _, point := range metric.Sum().DataPoints().All() {
				point.SetTimestamp(now)
			}
		case pmetric.MetricTypeGauge:
			for _, point := range metric.Gauge().DataPoints().All() {
				point.SetTimestamp(now)
			}
		case pmetric.MetricTypeHistogram:
			for _, point := range metric.Histogram().DataPoints().All() {
				point.SetTimestamp(now)
			}
		}
	}
}
