// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"context"
	"regexp"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/containerlog"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/httpmetrics"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/noise"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/recordid"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/redaction"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/spanrepair"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// filter is the processor: it runs its passes over each batch, in a fixed order.
type filter struct {
	cfg       *Config
	memory    *memory
	matcher   *noise.Matcher
	redactor  *redaction.Redactor
	joiner    *containerlog.Joiner // nil if lines are not turned into records
	status    *spanrepair.Status
	telemetry *metadata.TelemetryBuilder
}

func newFilter(cfg *Config, set processor.Settings, mem *memory) (*filter, error) {
	joiner, err := newJoiner(cfg)
	if err != nil {
		return nil, err
	}
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &filter{
		cfg:       cfg,
		memory:    mem,
		matcher:   mem.matcher,
		redactor:  redaction.NewRedactor(redactionSettings(&cfg.Redaction)),
		joiner:    joiner,
		status:    spanrepair.NewStatus(cfg.Status.ExpectedErrors),
		telemetry: telemetry,
	}, nil
}

// processTraces runs the passes in this order: recognition of the emitter and its role, which the noise rules need;
// repairs, since the status decides whether a span may be dropped; IDs, which come from values that redaction removes
// and from spans that may be dropped; noise; logged exceptions of older versions, whose noise is recognized in its
// original form; redaction, when no pass needs the content any more. If the processor sees only a part of each trace,
// the passes that need the whole trace are left to the processor that follows.
func (f *filter) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	var t tally.Tally
	now := f.memory.now()
	origins, roles := f.recognize(td, now)
	f.repairSpans(td, origins)
	f.memory.runs.Link(td, origins, now)
	if f.cfg.WholeTraces {
		f.memory.pruner.Prune(td, roles, now, &t)
		for _, rs := range td.ResourceSpans().All() {
			spanrepair.ConvertLoggedExceptions(rs)
		}
	} else {
		sortScopes(td)
	}
	if f.cfg.Redaction.Enabled {
		f.redactor.Traces(td, &t)
	}
	t.Report(ctx, f.telemetry)
	if td.SpanCount() == 0 {
		return td, processorhelper.ErrSkipProcessingData
	}
	return td, nil
}

// recognize repairs the resources and returns the origin and the role of each.
func (f *filter) recognize(td ptrace.Traces, now time.Time) ([]emitter.Origin, []string) {
	n := td.ResourceSpans().Len()
	origins, roles := make([]emitter.Origin, n), make([]string, n)
	for i, rs := range td.ResourceSpans().All() {
		res := rs.Resource().Attributes()
		origins[i] = emitter.Of(res, emitter.HasEnterpriseSpans(rs))
		seen := ""
		if origins[i] == emitter.SDK {
			seen = identity.RoleBySpans(rs)
		}
		roles[i] = f.repairResource(res, origins[i], seen, now)
	}
	return origins, roles
}

func (f *filter) repairResource(res pcommon.Map, from emitter.Origin, seen string, now time.Time) string {
	identity.SetInstanceID(res, from)
	if from.Dify() {
		identity.SetInstallation(res, f.cfg.ServiceNamespace)
	}
	return f.memory.roles.SetRole(res, from, seen, now)
}

func (f *filter) repairSpans(td ptrace.Traces, origins []emitter.Origin) {
	for i, rs := range td.ResourceSpans().All() {
		if !origins[i].Dify() {
			continue
		}
		for _, ss := range rs.ScopeSpans().All() {
			own := origins[i].OwnScope(ss.Scope())
			older := !emitter.IsDatabaseScope(ss.Scope().Name())
			for _, span := range ss.Spans().All() {
				if older {
					spanrepair.UpdateAttributes(span, origins[i])
				}
				f.status.Repair(span)
				if own {
					spanrepair.NameNode(span)
				}
			}
		}
	}
}

// processMetrics derives the identity first, from all points, including those that are dropped later. Labels are
// repaired before counters are derived from them. The role is set on every point, since Prometheus has the attributes
// of a resource on a separate series.
func (f *filter) processMetrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	var t tally.Tally
	now := f.memory.now()
	for _, rm := range md.ResourceMetrics().All() {
		f.repairMetrics(rm, now, &t)
	}
	if f.cfg.Drop.SampledResponseCount {
		httpmetrics.DropSampledCount(md, &t)
	}
	if f.cfg.Redaction.Enabled {
		f.redactor.Metrics(md, &t)
	}
	t.Report(ctx, f.telemetry)
	if md.DataPointCount() == 0 {
		return md, processorhelper.ErrSkipProcessingData
	}
	return md, nil
}

func (f *filter) repairMetrics(rm pmetric.ResourceMetrics, now time.Time, t *tally.Tally) {
	res := rm.Resource().Attributes()
	from := emitter.Of(res, emitter.HasEnterpriseMetrics(rm))
	identity.SetInstanceID(res, from)
	if from == emitter.SDK {
		identity.SetInstanceIDByStart(rm)
		f.memory.roles.Remember(attrs.Text(res, attrs.ServiceInstanceID), identity.RoleByMetrics(rm), now)
	}
	if from.Dify() {
		identity.SetInstallation(res, f.cfg.ServiceNamespace)
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				t.Drop(tally.RuleMergedSeries, tally.KindDataPoint, httpmetrics.UpdateLabels(m))
			}
			if sm.Scope().Name() != emitter.ScopeResponseCount { // it counts by itself
				t.Derive(httpmetrics.DeriveCounts(sm.Metrics(), f.cfg.Drop.SampledResponseCount))
			}
		}
	}
	identity.SetPointRoles(rm, identity.SetRole(res, identity.RoleByNames(res, from)), from)
}

// processLogs turns lines into records, then processes all records.
func (f *filter) processLogs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	var t tally.Tally
	if f.joiner != nil {
		f.joiner.Process(ld, f.memory.now(), &t)
	}
	return f.processRecords(ctx, ld, &t)
}

// flushLogs processes the entries whose further lines did not arrive in time, or all pending entries.
func (f *filter) flushLogs(ctx context.Context, all bool) (plog.Logs, error) {
	var t tally.Tally
	if f.joiner == nil {
		return plog.NewLogs(), processorhelper.ErrSkipProcessingData
	}
	return f.processRecords(ctx, f.joiner.Flush(f.memory.now(), all, &t), &t)
}

// processRecords sets record IDs after noise is dropped, which saves hashes, and before redaction, which can make
// different records equal.
func (f *filter) processRecords(ctx context.Context, ld plog.Logs, t *tally.Tally) (plog.Logs, error) {
	now := f.memory.now()
	s := recordid.NewStamper(now)
	ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		res := rl.Resource().Attributes()
		f.repairResource(res, emitter.Of(res, false), "", now)
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			f.filterRecords(res, sl, s, t)
			return sl.LogRecords().Len() == 0
		})
		return rl.ScopeLogs().Len() == 0
	})
	if f.cfg.Redaction.Enabled {
		f.redactor.Logs(ld, t)
	}
	t.Report(ctx, f.telemetry)
	if ld.LogRecordCount() == 0 {
		return ld, processorhelper.ErrSkipProcessingData
	}
	return ld, nil
}

func (f *filter) filterRecords(res pcommon.Map, sl plog.ScopeLogs, s *recordid.Stamper, t *tally.Tally) {
	sl.LogRecords().RemoveIf(func(record plog.LogRecord) bool {
		if rule, found := f.matcher.RecordRule(record); found {
			t.Drop(rule, tally.KindLogRecord, 1)
			return true
		}
		s.Stamp(res, record)
		return false
	})
}

func redactionSettings(cfg *RedactionConfig) redaction.Settings {
	set := redaction.Settings{
		Keys: cfg.Keys, TruncateTo: cfg.TruncateTo, HashKey: string(cfg.HashKey),
		SQL: cfg.SQL, URLQueries: cfg.URLQueries, Messages: cfg.Messages, Secrets: cfg.Secrets,
	}
	for _, pattern := range cfg.SecretPatterns {
		set.SecretPatterns = append(set.SecretPatterns, regexp.MustCompile(pattern)) // Validate has compiled it
	}
	return set
}

// newJoiner returns nil if lines are not turned into records.
func newJoiner(cfg *Config) (*containerlog.Joiner, error) {
	if !cfg.Logs.Lines {
		return nil, nil
	}
	zone, err := time.LoadLocation(cfg.Logs.TimeZone)
	if err != nil {
		return nil, err
	}
	return containerlog.NewJoiner(containerlog.Settings{
		TimeZone: zone, ServiceName: cfg.Logs.ServiceName, ServiceNamespace: cfg.ServiceNamespace, JoinWait: cfg.Logs.JoinWait,
	}), nil
}
