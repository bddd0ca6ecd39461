// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/containerlog"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/noise"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/redaction"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/spanrepair"
)

// filter is the processor. It runs an ordered list of passes over each batch.
type filter struct {
	cfg       *Config
	state     *state
	matcher   *noise.Matcher
	redactor  *redaction.Redactor
	joiner    *containerlog.Joiner // nil if lines are not turned into records
	status    *spanrepair.Status
	telemetry *metadata.TelemetryBuilder

	tracePasses  []func(*traceBatch)
	metricPasses []func(*metricBatch)
	logPasses    []func(*logBatch)
}

func newFilter(cfg *Config, set processor.Settings, shared *state) (*filter, error) {
	joiner, err := newJoiner(cfg)
	if err != nil {
		return nil, err
	}
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	f := &filter{
		cfg:       cfg,
		state:     shared,
		matcher:   noise.NewMatcher(noiseSettings(&cfg.Drop)),
		redactor:  redaction.NewRedactor(redactionSettings(&cfg.Redaction)),
		joiner:    joiner,
		status:    spanrepair.NewStatus(cfg.Status.ExpectedErrors),
		telemetry: telemetry,
	}
	f.tracePasses, f.metricPasses, f.logPasses = f.listTracePasses(), f.listMetricPasses(), f.listLogPasses()
	return f, nil
}

// listTracePasses returns the passes over traces, in order. If the processor sees only a part of each trace, the
// passes that need the whole trace are left to the processor that follows.
func (f *filter) listTracePasses() []func(*traceBatch) {
	passes := []func(*traceBatch){
		f.recognizeResources, // first, since the noise rules need the role
		f.repairSpans,        // before noise, since the status decides whether a span may be dropped
		f.linkRuns,           // before noise and redaction, which remove the sources of the IDs
	}
	if f.cfg.WholeTraces {
		passes = append(passes,
			f.dropSpans,
			convertLoggedExceptions, // after noise, which is recognized in its original form
		)
	} else {
		passes = append(passes, sortScopes)
	}
	if f.cfg.Redaction.Enabled {
		passes = append(passes, f.redactTraces) // last, since the other passes read content
	}
	return passes
}

// listMetricPasses returns the passes over metrics, in order.
func (f *filter) listMetricPasses() []func(*metricBatch) {
	passes := []func(*metricBatch){
		f.repairMetrics, // before noise, since the identity is derived from all points
	}
	if f.cfg.Drop.SampledResponseCount {
		passes = append(passes, dropSampledCount)
	}
	if f.cfg.Redaction.Enabled {
		passes = append(passes, f.redactMetrics)
	}
	return passes
}

// listLogPasses returns the passes over log records, in order. Container log lines are turned into records before.
func (f *filter) listLogPasses() []func(*logBatch) {
	passes := []func(*logBatch){
		f.repairLogResources,
		f.dropRecords,
		stampRecords, // after noise, which saves hashes, and before redaction, which can make different records equal
	}
	if f.cfg.Redaction.Enabled {
		passes = append(passes, f.redactLogs)
	}
	return passes
}

func run[B any](passes []func(*B), batch *B) {
	for _, pass := range passes {
		pass(batch)
	}
}

func (f *filter) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	b := &traceBatch{td: td, now: f.state.now()}
	run(f.tracePasses, b)
	b.tally.Report(ctx, f.telemetry)
	if td.SpanCount() == 0 {
		return td, processorhelper.ErrSkipProcessingData
	}
	return td, nil
}

func (f *filter) processMetrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	b := &metricBatch{md: md, now: f.state.now()}
	run(f.metricPasses, b)
	b.tally.Report(ctx, f.telemetry)
	if md.DataPointCount() == 0 {
		return md, processorhelper.ErrSkipProcessingData
	}
	return md, nil
}

func (f *filter) processLogs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	b := &logBatch{ld: ld, now: f.state.now()}
	if f.joiner != nil {
		f.joiner.Process(ld, b.now, &b.tally)
	}
	return f.processRecords(ctx, b)
}

// flushLogs processes the entries whose further lines did not arrive in time, or all pending entries.
func (f *filter) flushLogs(ctx context.Context, all bool) (plog.Logs, error) {
	b := &logBatch{ld: plog.NewLogs(), now: f.state.now()}
	if f.joiner != nil {
		b.ld = f.joiner.Flush(b.now, all, &b.tally)
	}
	return f.processRecords(ctx, b)
}

func (f *filter) processRecords(ctx context.Context, b *logBatch) (plog.Logs, error) {
	run(f.logPasses, b)
	b.tally.Report(ctx, f.telemetry)
	if b.ld.LogRecordCount() == 0 {
		return b.ld, processorhelper.ErrSkipProcessingData
	}
	return b.ld, nil
}
