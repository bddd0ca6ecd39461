// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/record"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/runmetrics"
)

func (r *reader) deliver(ctx context.Context, t record.Events) (refused int, err error) {
	if t.Len() == 0 {
		return 0, nil
	}
	return r.deliverer.Deliver(ctx, func() plog.Logs { return r.recorder.Build(t, time.Now()) })
}

// takeRuns delivers a batch of runs, and then, and only then, changes the state.
func (r *reader) processRuns(ctx context.Context, b batch) error {
	refused, err := r.deliver(ctx, record.Events{Ended: b.ended, Stuck: b.stuck})
	if err != nil {
		return err
	}
	r.state.runs.apply(b)
	now := time.Now()
	for _, run := range b.opened {
		r.state.metrics.EnsureSeries(runmetrics.LabelsOf(run), run.TriggeredFrom, now)
	}
	for _, run := range b.ended {
		r.state.metrics.AddRun(run, now)
	}
	r.observe(ctx, outcomeRejected, refused)
	r.observe(ctx, outcomeDelivered, max(0, len(b.ended)-refused))
	r.observe(ctx, outcomeStuck, len(b.stuck))
	r.observe(ctx, outcomeBeforeStart, b.beforeStart)
	r.telemetry.WorkflowLogLateRuns.Add(ctx, int64(b.late))
	return nil
}

// takeMessages counts what the models took. A message that has had no answer for too long will have none.
func (r *reader) processMessages(_ context.Context, b batch) error {
	for _, message := range b.stuck {
		b.deleted = append(b.deleted, message.ID)
	}
	b.stuck = nil
	r.state.messages.apply(b)
	now := time.Now()
	for _, message := range b.ended {
		r.state.metrics.AddUsage(message, now)
	}
	return nil
}

func (r *reader) observe(ctx context.Context, outcome attribute.Set, runs int) {
	if runs > 0 {
		r.telemetry.WorkflowLogRuns.Add(ctx, int64(runs), metric.WithAttributeSet(outcome))
	}
}

func (r *reader) observeTooOld(ctx context.Context, runs int) {
	if runs == 0 {
		return
	}
	r.observe(ctx, outcomeTooOld, runs)
	r.logger.Warn("Runs have appeared that are older than max_run_age, as when an archive is restored; they are counted but not reported",
		zap.Int("runs", runs))
}
