// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowrun

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// setAncestors sets the ID of a trace's only run on the ancestors of the run that are in the batch: those on an
// unbroken path from the run, or from where an earlier batch ended, and the request or task at the top.
func (b *batch) setAncestors() {
	seen := map[pcommon.TraceID]bool{}
	for i := range b.spans {
		span := b.spans[i].span
		t, ok := b.traces.Get(span.TraceID(), b.now)
		if !ok || !t.single() {
			continue
		}
		if !seen[span.TraceID()] {
			seen[span.TraceID()] = true
			for r := range t.runs {
				b.setAncestorsOf(span.TraceID(), t, &t.runs[r])
			}
		}
		if !t.nested && b.isTop(span, &t.runs[0]) {
			attrs.PutAbsent(span.Attributes(), difysemconv.AttrWorkflowRunID, t.runs[0].id)
		}
	}
}

// isTop reports whether a span is the request or task at the top of a run whose path to it is not yet complete. Any
// client may send a request with the trace ID of another, so a request of another tenant is not, and none is if the top
// is known.
func (b *batch) isTop(span ptrace.Span, r *run) bool {
	if !span.ParentSpanID().IsEmpty() || r.complete ||
		(span.Kind() != ptrace.SpanKindServer && span.Kind() != ptrace.SpanKindConsumer) {
		return false
	}
	claimed := attrs.Text(span.Attributes(), difysemconv.AttrTenantID)
	if claimed == "" {
		return true
	}
	tenant := r.ids.Tenant
	if owner := b.tenantOf(r.ids.App); owner != "" {
		tenant = owner
	}
	return tenant == "" || tenant == claimed
}

func (b *batch) setAncestorsOf(trace pcommon.TraceID, t *traceRuns, r *run) {
	for at := 0; at < len(r.path) && at < maxPath; at++ {
		i, ok := b.index[attrs.SpanKey{Trace: trace, Span: r.path[at]}]
		if !ok {
			continue
		}
		span := b.spans[i].span
		if at > 0 && b.spans[i].own && (b.spans[i].node || isRunner(span)) &&
			attrs.Text(span.Attributes(), difysemconv.AttrWorkflowRunID) != r.id {
			t.nested = true // it belongs to another run, which may not be known yet
			return
		}
		attrs.PutAbsent(span.Attributes(), difysemconv.AttrWorkflowRunID, r.id)
		switch parent := span.ParentSpanID(); {
		case at != len(r.path)-1:
		case parent.IsEmpty():
			r.complete = true
		default:
			r.path = append(r.path, parent)
		}
	}
}
