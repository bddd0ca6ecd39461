// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
)

// listTracePasses returns the passes over traces, in order. If the processor sees only a part of each trace, the
// passes that need the whole trace are left to the processor that follows.
func listTracePasses(p *passes) []func(*traceBatch) {
	var list []func(*traceBatch)
	if p.cfg.Limits.Enabled {
		list = append(list, p.limitTraces) // first, since the cost of the other passes depends on what it cuts
	}
	list = append(list,
		moveReserved,
		p.recognizeResources, // first, since the noise rules need the role
		p.identifyRuns,
		p.repairSpans, // before noise, since the status decides whether a span may be dropped
		p.linkRuns,    // before noise and redaction, which remove the sources of the IDs
		p.countOnce,   // after it, since ENABLE_OTEL's spans have no ID of a run before
	)
	if p.cfg.WholeTraces {
		list = append(list,
			p.linkRequests, // before redaction, which can remove users
			p.dropSpans,
			convertLoggedExceptions, // after noise, which is recognized in its original form
		)
	} else {
		list = append(list, sortScopes)
	}
	if p.cfg.Redaction.Enabled {
		list = append(list, p.redactTraces) // last of all that read content
	}
	if p.cfg.Limits.Enabled {
		list = append(list, p.noteSpanArrivals)
	}
	return list
}

// listMetricPasses returns the passes over metrics, in order.
func listMetricPasses(p *passes) []func(*metricBatch) {
	var list []func(*metricBatch)
	if p.cfg.Limits.Enabled {
		list = append(list, p.limitMetrics)
	}
	list = append(list, p.repairMetrics) // before noise, since the identity is derived from all points
	if p.cfg.Drop.SampledResponseCount {
		list = append(list, dropSampledCount)
	}
	if p.cfg.Redaction.Enabled {
		list = append(list, p.redactMetrics)
	}
	if p.cfg.Limits.Enabled && p.cfg.Limits.PrometheusNames {
		list = append(list,
			p.repairLabels, // last, since the other passes know attributes by their names
			p.boundSeries,  // of what the exporter gets
		)
	}
	if p.cfg.WholeTraces { // otherwise another processor has the points of all gateways
		list = append(list, p.addUp) // of series that have their final labels, and are bounded
	}
	return list
}

// listLogPasses returns the passes over log records, in order. Before them, the limits apply, and container log lines
// are turned into records.
func listLogPasses(p *passes) []func(*logBatch) {
	list := []func(*logBatch){
		moveReservedOfRecords,
		p.repairLogResources,
		p.readEvents, // before the IDs of records, which contain their names
		p.dropRecords,
		stampRecords, // after noise, which saves hashes, and before redaction, which can make different records equal
	}
	if p.cfg.Redaction.Enabled {
		list = append(list, p.redactLogs)
	}
	if p.cfg.Limits.Enabled {
		list = append(list, p.noteRecordArrivals)
	}
	return list
}

// sortScopes orders the scopes for a processor that follows Kafka: the Kafka exporter writes one message for each
// scope of a trace, in this order. Dify's own spans come first, since they carry the runs; then the requests and tasks
// around the runs; then calls, which descend from all of them.
func sortScopes(b *traceBatch) {
	for _, rs := range b.td.ResourceSpans().All() {
		rs.ScopeSpans().
			Sort(func(a, b ptrace.ScopeSpans) bool { return scopeRank(a.Scope().Name()) < scopeRank(b.Scope().Name()) })
	}
}

func scopeRank(scope string) int {
	switch {
	case scope == emitter.ScopeFlask, scope == emitter.ScopeCelery:
		return 1
	case strings.HasPrefix(scope, emitter.ScopeInstrumentation):
		return 2
	default:
		return 0
	}
}
