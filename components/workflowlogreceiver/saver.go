// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/internal/backoff"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/backlog"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/checkpoint"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/deliver"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/growth"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/health"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/runmetrics"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

const (
	// saveInterval is the maximum that a crash in the middle of a backlog makes the pipeline receive again.
	saveInterval        = 500 * time.Millisecond
	publishInterval     = time.Second
	firstSaveRetry      = 20 * time.Millisecond
	maxSaveRetry        = 10 * time.Second
	shutdownSaveTimeout = 2 * time.Second
)

// saver holds the state, saves it, and publishes the metrics of what is saved, in this order.
type saver struct {
	store *checkpoint.Store
	state *checkpoint.State // nil until there is a start position

	metrics         *deliver.Metrics // nil without a metrics pipeline
	tables          *growth.Reader
	backlog         *backlog.Reader
	waiting         runmetrics.Waiting
	resource        pcommon.Resource
	scope           pcommon.InstrumentationScope
	pollInterval    time.Duration
	metricsInterval time.Duration

	telemetry *metadata.TelemetryBuilder
	status    *health.Status
	storage   *health.FailureLog

	aborted     bool // a delivery has ended early: a part of the pipelines may have accepted its records
	saved       time.Time
	unpublished bool // something is saved that has not been published, or only in part
	published   time.Time
}

// save stores the state. While the storage fails, as when its disk is full, it retries: the state must not advance
// without being saved.
func (s *saver) save(ctx context.Context) error {
	pause := backoff.Backoff{Initial: firstSaveRetry, Max: maxSaveRetry}
	for {
		changed, err := s.store.Save(ctx, s.state)
		if err == nil {
			s.unpublished = s.unpublished || changed
			s.saved = time.Now()
			s.storage.Ended()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.telemetry.WorkflowLogCheckpointFailures.Add(ctx, 1)
		s.storage.Failed(err)
		s.status.Report(err)
		if !pause.Wait(ctx) {
			return ctx.Err()
		}
	}
}

// saveIfDue saves and publishes in the middle of a backlog, at most twice a second. It reports whether it saved.
func (s *saver) saveIfDue(ctx context.Context) (saved bool, err error) {
	if time.Since(s.saved) < saveInterval {
		return false, nil
	}
	if err := s.save(ctx); err != nil {
		return false, err
	}
	s.publishIfDue()
	return true, nil
}

// beginDay stores the day of arrival before records are delivered with it.
func (s *saver) beginDay(ctx context.Context) error {
	if !s.state.Arrival.Due(time.Now()) {
		return nil
	}
	return s.save(ctx)
}

// saveOnShutdown keeps what was delivered since the last save from being delivered again after the next start.
func (s *saver) saveOnShutdown(ctx context.Context) {
	if s.state == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownSaveTimeout)
	defer cancel()
	if !s.aborted {
		s.state.Arrival.Release()
	}
	if _, err := s.store.Save(ctx, s.state); err != nil {
		s.storage.Failed(err)
	}
}

// publishes reports whether there is a metrics pipeline.
func (s *saver) publishes() bool { return s.metrics != nil }

// measureTables reads the sizes of tables, and the counts of their rows by status, if that is due.
func (s *saver) measureTables(
	ctx context.Context, conn source.Conn, schema *source.Schema, clock source.Clock,
) error {
	if s.metrics == nil {
		return nil
	}
	sized, err := s.tables.ReadIfDue(ctx, conn, clock)
	if err != nil {
		return err
	}
	counted, err := s.backlog.ReadIfDue(ctx, conn, schema, clock)
	s.unpublished = s.unpublished || sized || counted
	return err
}

// observeWaiting records which runs wait.
func (s *saver) observeWaiting(now time.Time) {
	changed := s.waiting.Set(tracker.Waiting(s.state.Runs.Open), now, s.metricsInterval)
	s.unpublished = s.unpublished || changed
}

// publishIfDue publishes what has not been published, at most once a second while a backlog is read.
func (s *saver) publishIfDue() {
	if s.unpublished && time.Since(s.published) >= min(publishInterval, s.pollInterval) {
		s.publish()
	}
}

// publish publishes the metrics as they are saved. New series are emitted with 0 at first: see runmetrics.Build.
func (s *saver) publish() {
	if s.metrics == nil {
		return
	}
	now := time.Now()
	md, pending := s.state.Metrics.Build(s.resource, s.scope, now, s.metricsInterval)
	s.tables.AppendTo(md)
	s.backlog.AppendTo(md)
	s.waiting.AppendTo(md)
	s.metrics.Publish(md)
	s.unpublished, s.published = pending, now
}

// wait waits for the next poll. What new series do not yet show is published meanwhile.
func (s *saver) wait(ctx context.Context, pause time.Duration) bool {
	for s.metrics != nil && s.unpublished && pause > s.metricsInterval {
		if !backoff.Sleep(ctx, s.metricsInterval) {
			return false
		}
		pause -= s.metricsInterval
		s.publish()
	}
	return backoff.Sleep(ctx, pause)
}
