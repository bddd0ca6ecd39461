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
	"go.uber.org/zap"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/containerlog"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/limits"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/installation"
	"github.com/otelcol-dify/otelcol-dify/components/internal/logthrottle"
)

// filter is the processor. It runs an ordered list of passes over each batch.
type filter struct {
	cfg       *Config
	state     *state
	limiter   *limits.Limiter
	joiner    *containerlog.Joiner // nil if lines are not turned into records
	telemetry *metadata.TelemetryBuilder
	logger    *zap.Logger
	reported  logthrottle.Once // limits

	tracePasses  []func(*traceBatch)
	metricPasses []func(*metricBatch)
	logPasses    []func(*logBatch)
}

func newFilter(cfg *Config, set processor.Settings, shared *state) (*filter, error) {
	joiner, err := newJoiner(cfg)
	if err != nil {
		return nil, err
	}
	telemetry, err := metadata.NewTelemetryBuilder(installation.Telemetry(set.TelemetrySettings, cfg.Installation))
	if err != nil {
		return nil, err
	}
	p := newPasses(cfg, shared)
	return &filter{
		cfg:          cfg,
		state:        shared,
		limiter:      p.limiter,
		joiner:       joiner,
		telemetry:    telemetry,
		logger:       set.Logger,
		tracePasses:  listTracePasses(p),
		metricPasses: listMetricPasses(p),
		logPasses:    listLogPasses(p),
	}, nil
}

func run[B any](passes []func(*B), batch *B) {
	for _, pass := range passes {
		pass(batch)
	}
}

// report adds the counts of a batch to the processor's own metrics. It logs each limit once, without content.
func (f *filter) report(ctx context.Context, t *tally.Tally) {
	t.Report(ctx, f.telemetry)
	for limit, n := range t.Limited() {
		if f.reported.First(limit.String()) {
			f.logger.Warn("A limit applied to telemetry that was received. From now on it is only counted, "+
				"in otelcol_dify_filter_limited_values.", zap.Stringer("limit", limit), zap.Int64("values", n))
		}
	}
}

func (f *filter) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	b := &traceBatch{td: td, now: f.state.now()}
	run(f.tracePasses, b)
	f.report(ctx, &b.tally)
	if td.SpanCount() == 0 {
		return td, processorhelper.ErrSkipProcessingData
	}
	return td, nil
}

func (f *filter) processMetrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	b := &metricBatch{md: md, now: f.state.now()}
	run(f.metricPasses, b)
	f.report(ctx, &b.tally)
	if md.DataPointCount() == 0 {
		return md, processorhelper.ErrSkipProcessingData
	}
	return md, nil
}

func (f *filter) processLogs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	b := &logBatch{ld: ld, now: f.state.now()}
	if f.cfg.Limits.Enabled {
		f.limiter.Logs(ld, &b.tally)
	}
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
	f.report(ctx, &b.tally)
	if b.ld.LogRecordCount() == 0 {
		return b.ld, processorhelper.ErrSkipProcessingData
	}
	return b.ld, nil
}
