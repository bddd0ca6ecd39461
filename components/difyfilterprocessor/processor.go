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
)

// filter is the processor. It runs an ordered list of passes over each batch.
type filter struct {
	cfg       *Config
	state     *state
	joiner    *containerlog.Joiner // nil if lines are not turned into records
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
	p := newPasses(cfg, shared)
	return &filter{
		cfg:          cfg,
		state:        shared,
		joiner:       joiner,
		telemetry:    telemetry,
		tracePasses:  listTracePasses(p),
		metricPasses: listMetricPasses(p),
		logPasses:    listLogPasses(p),
	}, nil
}

// listTracePasses returns the passes over traces, in order. If the processor sees only a part of each trace, the
// passes that need the whole trace are left to the processor that follows.
func listTracePasses(p *passes) []func(*traceBatch) {
	list := []func(*traceBatch){
		p.recognizeResources, // first, since the noise rules need the role
		p.repairSpans,        // before noise, since the status decides whether a span may be dropped
		p.linkRuns,           // before noise and redaction, which remove the sources of the IDs
	}
	if p.cfg.WholeTraces {
		list = append(list,
			p.dropSpans,
			convertLoggedExceptions, // after noise, which is recognized in its original form
		)
	} else {
		list = append(list, sortScopes)
	}
	if p.cfg.Redaction.Enabled {
		list = append(list, p.redactTraces) // last, since the other passes read content
	}
	return list
}

// listMetricPasses returns the passes over metrics, in order.
func listMetricPasses(p *passes) []func(*metricBatch) {
	list := []func(*metricBatch){
		p.repairMetrics, // before noise, since the identity is derived from all points
	}
	if p.cfg.Drop.SampledResponseCount {
		list = append(list, dropSampledCount)
	}
	if p.cfg.Redaction.Enabled {
		list = append(list, p.redactMetrics)
	}
	return list
}

// listLogPasses returns the passes over log records, in order. Container log lines are turned into records before.
func listLogPasses(p *passes) []func(*logBatch) {
	list := []func(*logBatch){
		p.repairLogResources,
		p.dropRecords,
		stampRecords, // after noise, which saves hashes, and before redaction, which can make different records equal
	}
	if p.cfg.Redaction.Enabled {
		list = append(list, p.redactLogs)
	}
	return list
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
