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
)

// telling is what makes records.
type events struct {
	ended, stuck, unknown []*outcome
}

func (t events) records() int { return len(t.ended) + len(t.stuck) + len(t.unknown) }

func (r *reader) deliver(ctx context.Context, t events) (refused int, err error) {
	if t.records() == 0 {
		return 0, nil
	}
	return r.deliverer.deliver(ctx, func() plog.Logs { return r.recorder.records(t, time.Now()) })
}

// takeRuns delivers a batch of runs, and then, and only then, changes the state.
func (r *reader) processRuns(ctx context.Context, b batch) error {
	refused, err := r.deliver(ctx, events{ended: b.ended, stuck: b.stuck})
	if err != nil {
		return err
	}
	r.state.runs.apply(b)
	now := time.Now()
	for _, run := range b.opened {
		r.state.metrics.ensureSeries(run.labels(), run.TriggeredFrom, now)
	}
	for _, run := range b.ended {
		r.state.metrics.count(run, now)
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
		r.state.metrics.countUsage(message, now)
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
