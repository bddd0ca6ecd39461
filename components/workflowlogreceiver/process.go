// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowlogreceiver

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/deliver"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/outcome"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/record"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/runmetrics"
	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/tracker"
)

// processor delivers batches and then, and only then, changes the state.
type processor struct {
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	logs      *deliver.Logs
	records   *record.Builder
	saver     *saver // has the state
}

func (p *processor) deliversLogs() bool { return p.logs.Enabled() }

func (p *processor) deliver(ctx context.Context, e record.Events) (rejected int, _ error) {
	if e.Len() == 0 || !p.deliversLogs() {
		return 0, nil
	}
	if err := p.saver.beginDay(ctx); err != nil {
		return 0, err
	}
	arrival := &p.saver.state.Arrival
	rejected, err := p.logs.Deliver(ctx, func() plog.Logs {
		now := time.Now()
		return p.records.Build(e, now, arrival.At(now))
	})
	p.saver.aborted = p.saver.aborted || err != nil
	return rejected, err
}

// processRuns delivers and counts a batch of runs.
func (p *processor) processRuns(ctx context.Context, b tracker.Batch) error {
	rejected, err := p.deliver(ctx, record.Events{Ended: b.Ended, Stuck: b.Stuck, Waiting: b.Waiting})
	if err != nil {
		return err
	}
	state, now := p.saver.state, time.Now()
	state.Runs.Apply(b)
	for _, run := range b.Opened {
		state.Metrics.EnsureSeries(runmetrics.LabelsOf(run), run.TriggeredFrom, now)
	}
	for _, run := range b.Ended {
		state.Metrics.AddRun(run, now)
	}
	p.observe(ctx, outcomeRejected, rejected)
	p.observe(ctx, outcomeDelivered, max(0, len(b.Ended)-rejected))
	p.observe(ctx, outcomeStuck, len(b.Stuck))
	p.observe(ctx, outcomeWaiting, len(b.Waiting))
	p.observe(ctx, outcomeBeforeStart, b.BeforeStart)
	p.telemetry.WorkflowLogLateRuns.Add(ctx, int64(b.Late))
	return nil
}

// processMessages delivers messages that ended with an error, and counts all. A message without an answer for too long
// will never have one, unless it waits for a person.
func (p *processor) processMessages(ctx context.Context, b tracker.Batch) error {
	failed := slices.Clone(b.Ended)
	failed = slices.DeleteFunc(failed, func(m *outcome.Outcome) bool { return m.Status != difysemconv.StatusFailed })
	rejected, err := p.deliver(ctx, record.Events{Messages: failed})
	if err != nil {
		return err
	}
	for _, message := range b.Stuck {
		b.Deleted = append(b.Deleted, message.ID)
	}
	b.Stuck = nil
	state, now := p.saver.state, time.Now()
	state.Messages.Apply(b)
	for _, message := range b.Opened {
		state.Metrics.EnsureMessageSeries(message, now)
	}
	for _, message := range b.Ended {
		state.Metrics.AddMessage(message, now)
	}
	if p.deliversLogs() && len(failed) > 0 {
		p.telemetry.WorkflowLogMessages.Add(ctx, int64(len(failed)-rejected), metric.WithAttributeSet(outcomeDelivered))
		p.telemetry.WorkflowLogMessages.Add(ctx, int64(rejected), metric.WithAttributeSet(outcomeRejected))
	}
	return nil
}

// processUnknown delivers app logs without a run.
func (p *processor) processUnknown(ctx context.Context, unknown []outcome.Outcome) error {
	rejected, err := p.deliver(ctx, record.Events{Unknown: outcome.Pointers(unknown)})
	if err != nil {
		return err
	}
	p.observe(ctx, outcomeRejected, rejected)
	p.observe(ctx, outcomeUnknown, len(unknown)-rejected)
	p.logger.Debug("App logs have no run in the database", zap.Int("app_logs", len(unknown)))
	return nil
}

func (p *processor) observe(ctx context.Context, outcome attribute.Set, runs int) {
	if runs > 0 {
		p.telemetry.WorkflowLogRuns.Add(ctx, int64(runs), metric.WithAttributeSet(outcome))
	}
}

func (p *processor) observeTooOld(ctx context.Context, runs int) {
	if runs == 0 {
		return
	}
	p.observe(ctx, outcomeTooOld, runs)
	p.logger.Warn(
		"Runs have appeared that are older than max_run_age, as when an archive is restored; they are counted but not "+
			"reported",
		zap.Int("runs", runs),
	)
}
