// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"cmp"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/arrival"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/httpmetrics"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/limits"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/noise"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/recordid"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/redaction"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/series"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/spanrepair"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// passes has what the passes need, beyond the batch.
type passes struct {
	cfg      *Config
	state    *state
	limiter  *limits.Limiter
	series   *series.Bound
	sums     *series.Sums
	matcher  *noise.Matcher
	redactor *redaction.Redactor
	status   *spanrepair.Status
}

func newPasses(cfg *Config, shared *state) *passes {
	set := redactionSettings(&cfg.Redaction)
	set.Written = shared.written
	redactor := redaction.NewRedactor(set)
	removes := func(key string) bool { return cfg.Redaction.Enabled && redactor.Removes(key) }
	return &passes{
		cfg:      cfg,
		state:    shared,
		series:   series.NewBound(cfg.Limits.MaxSeries, cfg.Limits.MaxProcesses),
		sums:     series.NewSums(cfg.Limits.MaxSeries),
		limiter:  limits.NewLimiter(limitsSettings(&cfg.Limits, removes)),
		matcher:  noise.NewMatcher(noiseSettings(&cfg.Drop)),
		redactor: redactor,
		status:   spanrepair.NewStatus(cfg.Status.ExpectedErrors),
	}
}

// traceBatch is a batch of traces with what its passes share.
type traceBatch struct {
	td      ptrace.Traces
	now     time.Time
	origins []emitter.Origin  // of each resource
	roles   []string          // of each resource
	shapes  [][]emitter.Shape // of each resource's scopes
	tally   tally.Tally
}

func (p *passes) limitTraces(b *traceBatch) { p.limiter.Traces(b.td, &b.tally) }

// recognizeResources determines the origin and the role of each resource, and repairs it.
func (p *passes) recognizeResources(b *traceBatch) {
	n := b.td.ResourceSpans().Len()
	b.origins, b.roles = make([]emitter.Origin, n), make([]string, n)
	for i, rs := range b.td.ResourceSpans().All() {
		res := rs.Resource().Attributes()
		b.origins[i] = emitter.Of(res, emitter.HasEnterpriseSpans(rs))
		seen := ""
		if b.origins[i] == emitter.SDK {
			seen = identity.RoleBySpans(rs)
		}
		b.roles[i] = p.repairResource(res, b.origins[i], seen, b.now)
	}
}

func (p *passes) repairResource(res pcommon.Map, from emitter.Origin, seen string, now time.Time) string {
	identity.SetInstanceID(res, from)
	identity.SetName(res, p.cfg.Installation)
	if from.Dify() {
		identity.SetInstallation(res, p.cfg.ServiceNamespace)
	}
	return p.state.roles.SetRole(res, from, seen, now)
}

// repairSpans repairs attributes, status and names of Dify's spans.
func (p *passes) repairSpans(b *traceBatch) {
	for i, rs := range b.td.ResourceSpans().All() {
		if !b.origins[i].Dify() {
			continue
		}
		exporting := p.state.nodes.Exporting(rs, b.now)
		for _, ss := range rs.ScopeSpans().All() {
			own := b.origins[i].OwnScope(ss.Scope())
			older := !emitter.IsDatabaseScope(ss.Scope().Name())
			for _, span := range ss.Spans().All() {
				if older {
					spanrepair.UpdateAttributes(span, b.origins[i])
				}
				p.status.Repair(span)
				if own {
					p.state.nodes.Repair(span, exporting)
					spanrepair.NameNode(span)
				}
			}
		}
	}
}

// moveReserved comes before every pass that reads IDs.
func moveReserved(b *traceBatch) {
	for _, rs := range b.td.ResourceSpans().All() {
		attrs.MoveReserved(rs.Resource().Attributes())
		for _, ss := range rs.ScopeSpans().All() {
			attrs.MoveReserved(ss.Scope().Attributes())
			for _, span := range ss.Spans().All() {
				attrs.MoveReserved(span.Attributes())
			}
		}
	}
}

func (p *passes) linkRuns(b *traceBatch) {
	b.tally.Contradict(p.state.runs.Link(b.td, b.origins, b.now))
}

func (p *passes) linkRequests(b *traceBatch) { p.state.requests.Link(b.td, b.origins, b.now) }

func (p *passes) dropSpans(b *traceBatch) { p.state.pruner.Prune(b.td, b.roles, b.now, &b.tally) }

func convertLoggedExceptions(b *traceBatch) {
	for _, rs := range b.td.ResourceSpans().All() {
		spanrepair.ConvertLoggedExceptions(rs)
	}
}

func (p *passes) redactTraces(b *traceBatch) { p.redactor.Traces(b.td, &b.tally) }

// noteSpanArrivals comes after redaction, which does not know its attributes.
func (p *passes) noteSpanArrivals(b *traceBatch) {
	stamper := arrival.NewStamper(b.now, p.cfg.Limits.retention())
	for _, rs := range b.td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				stamper.Span(span)
			}
		}
	}
}

// metricBatch is a batch of metrics with what its passes share.
type metricBatch struct {
	md    pmetric.Metrics
	now   time.Time
	tally tally.Tally
}

func (p *passes) limitMetrics(b *metricBatch) { p.limiter.Metrics(b.md, &b.tally) }

func (p *passes) boundSeries(b *metricBatch) { p.series.Apply(b.md, b.now, &b.tally) }

// addUp makes delta points cumulative.
func (p *passes) addUp(b *metricBatch) {
	b.tally.Drop(tally.RuleMergedSeries, tally.KindDataPoint, p.sums.Apply(b.md, b.now))
}

func (p *passes) repairLabels(b *metricBatch) { p.limiter.Labels(b.md, &b.tally) }

func (p *passes) repairMetrics(b *metricBatch) {
	for _, rm := range b.md.ResourceMetrics().All() {
		p.repairResourceMetrics(rm, b)
	}
}

// repairResourceMetrics repairs labels before it derives counters from them. It sets the role on every point, since
// Prometheus has the attributes of a resource on a separate series.
func (p *passes) repairResourceMetrics(rm pmetric.ResourceMetrics, b *metricBatch) {
	res := rm.Resource().Attributes()
	from := emitter.Of(res, emitter.HasEnterpriseMetrics(rm))
	if from == emitter.SDK {
		p.state.processes.SetInstanceID(rm, b.now)
	}
	identity.SetInstanceID(res, from)
	if from.Dify() {
		identity.SetInstanceIDByStart(rm)
	}
	if from == emitter.SDK {
		p.state.roles.Remember(attrs.Text(res, attrs.ServiceInstanceID), identity.RoleByMetrics(rm), b.now)
	}
	if from.Dify() {
		identity.SetInstallation(res, p.cfg.ServiceNamespace)
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				b.tally.Drop(tally.RuleMergedSeries, tally.KindDataPoint, httpmetrics.UpdateLabels(m))
			}
			if sm.Scope().Name() != emitter.ScopeResponseCount { // it counts by itself
				b.tally.Derive(httpmetrics.DeriveCounts(sm.Metrics(), p.cfg.Drop.SampledResponseCount))
			}
		}
	}
	role := identity.SetRole(res, identity.RoleByNames(res, from))
	for _, sm := range rm.ScopeMetrics().All() {
		if shape := emitter.ShapeOfScope(res, sm.Scope().Name()); shape != emitter.NoShape {
			identity.SetInstallation(res, p.cfg.ServiceNamespace)
			role = identity.SetRole(res, cmp.Or(role, shape.Role()))
			identity.SetScopeRole(sm, role)
		}
	}
	identity.SetPointRoles(rm, role, from)
	identity.SetPointNames(rm, p.cfg.Installation)
}

func dropSampledCount(b *metricBatch) { httpmetrics.DropSampledCount(b.md, &b.tally) }

func (p *passes) redactMetrics(b *metricBatch) { p.redactor.Metrics(b.md, &b.tally) }

// logBatch is a batch of log records with what its passes share.
type logBatch struct {
	ld    plog.Logs
	now   time.Time
	tally tally.Tally
}

func moveReservedOfRecords(b *logBatch) {
	for _, rl := range b.ld.ResourceLogs().All() {
		attrs.MoveReserved(rl.Resource().Attributes())
		for _, sl := range rl.ScopeLogs().All() {
			attrs.MoveReserved(sl.Scope().Attributes())
			for _, record := range sl.LogRecords().All() {
				attrs.MoveReserved(record.Attributes())
			}
		}
	}
}

func (p *passes) repairLogResources(b *logBatch) {
	for _, rl := range b.ld.ResourceLogs().All() {
		res := rl.Resource().Attributes()
		p.repairResource(res, emitter.Of(res, false), "", b.now)
	}
}

// dropRecords drops the log records that are noise, and empty scopes and resources.
func (p *passes) dropRecords(b *logBatch) {
	b.ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			sl.LogRecords().RemoveIf(func(record plog.LogRecord) bool {
				rule, found := p.matcher.RecordRule(record)
				if found {
					b.tally.Drop(rule, tally.KindLogRecord, 1)
				}
				return found
			})
			return sl.LogRecords().Len() == 0
		})
		return rl.ScopeLogs().Len() == 0
	})
}

func stampRecords(b *logBatch) {
	stamper := recordid.NewStamper(b.now)
	for _, rl := range b.ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				stamper.Stamp(rl.Resource().Attributes(), record)
			}
		}
	}
}

func (p *passes) redactLogs(b *logBatch) { p.redactor.Logs(b.ld, &b.tally) }

// noteRecordArrivals comes after the IDs of records, which must not depend on it.
func (p *passes) noteRecordArrivals(b *logBatch) {
	stamper := arrival.NewStamper(b.now, p.cfg.Limits.retention())
	for _, rl := range b.ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				stamper.Record(record)
			}
		}
	}
}
