// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowrun

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
)

// batch links the spans of one batch. Its caller has the lock of the linker from remember on.
type batch struct {
	traces  *expiring.Map[pcommon.TraceID, *traceRuns]
	tenants *expiring.Map[string, string]
	paused  *expiring.Map[string, pausedRun]
	owner   func(app string) (string, bool)
	now     time.Time
	spans   []linkSpan
	index   map[attrs.SpanKey]int // position in spans
	found   []sourceRun

	contradictions int // spans that claim an app for another tenant
}

// linkSpan is a span of a batch with what the linker needs to know about it.
type linkSpan struct {
	span   ptrace.Span
	own    bool // a span of Dify's own code, not of an instrumentation
	node   bool
	source identity.IDs
	run    int // index in the trace's runs; -1: none; unresolved: not yet determined
}

const unresolved = -2

type sourceRun struct {
	trace pcommon.TraceID
	run   run
}

// hasOwnSpans reports whether td has spans of Dify's own code. Only these carry IDs.
func hasOwnSpans(td ptrace.Traces, origins []emitter.Origin) bool {
	for i, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			if origins[i].OwnScope(ss.Scope()) {
				return true
			}
		}
	}
	return false
}

func (b *batch) read(td ptrace.Traces, origins []emitter.Origin) {
	for i, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			own := origins[i].OwnScope(ss.Scope())
			for _, span := range ss.Spans().All() {
				b.readSpan(span, own)
			}
		}
	}
}

func (b *batch) readSpan(span ptrace.Span, own bool) {
	s := linkSpan{span: span, own: own, run: unresolved}
	if own {
		s.node = attrs.Has(span.Attributes(), difysemconv.AttrNodeID)
		s.source = identity.IDsOf(span.Attributes())
		if found, ok := runOf(span, s.node); ok {
			b.found = append(b.found, sourceRun{span.TraceID(), found})
			s.source.Merge(found.ids)
		}
	}
	if id := span.SpanID(); !id.IsEmpty() {
		b.index[attrs.SpanKey{Trace: span.TraceID(), Span: id}] = len(b.spans)
	}
	b.spans = append(b.spans, s)
}

// remember stores what the batch reports before anything is looked up, so that the order of the spans within a batch
// does not matter.
func (b *batch) remember() {
	for i := range b.spans {
		source := b.spans[i].source
		if source.App == "" || source.Tenant == "" {
			continue
		}
		switch known := b.tenantOf(source.App); known {
		case "":
			b.tenants.Set(source.App, source.Tenant, b.now)
		case source.Tenant:
		default:
			b.contradictions++
		}
	}
	for _, source := range b.found {
		b.trace(source.trace).add(source.run)
	}
}

// tenantOf returns the tenant of an app, or "".
func (b *batch) tenantOf(app string) string {
	if tenant, known := b.owner(app); known {
		return tenant
	}
	tenant, _ := b.tenants.Get(app, b.now)
	return tenant
}

func (b *batch) trace(id pcommon.TraceID) *traceRuns {
	t, ok := b.traces.Get(id, b.now)
	if !ok {
		t = &traceRuns{members: map[pcommon.SpanID]int{}}
		b.traces.Set(id, t, b.now)
	}
	return t
}

// setRun sets the run ID of a span that belongs to a run.
func (b *batch) setRun(i int) {
	s := &b.spans[i]
	t, ok := b.traces.Get(s.span.TraceID(), b.now)
	if !ok || len(t.runs) == 0 {
		return
	}
	r := b.resolve(i, t)
	if r < 0 {
		return
	}
	attrs.PutAbsent(s.span.Attributes(), difysemconv.AttrWorkflowRunID, t.runs[r].id)
	if s.span.SpanID() == t.runs[r].root {
		t.runs[r].ids.Merge(s.source)
	}
	if s.span.Kind() != ptrace.SpanKindClient && len(t.members) < maxMembersPerTrace {
		t.members[s.span.SpanID()] = r
	}
}

// resolve walks up from a span to the nearest root of a run, so that a nested run keeps its own spans. It returns the
// index of the run, or -1. A runner whose run is not known yet ends the walk: its descendants do not belong to the run
// above it.
func (b *batch) resolve(i int, t *traceRuns) int {
	first, found := i, -1
	for range maxChain {
		s := &b.spans[i]
		if s.run != unresolved {
			found = s.run
			break
		}
		if r := t.byRoot(s.span.SpanID()); r >= 0 {
			found = r
			break
		}
		parent := s.span.ParentSpanID()
		if parent.IsEmpty() || (s.own && isRunner(s.span)) {
			break
		}
		if r := t.byRoot(parent); r >= 0 {
			found = r
			break
		}
		above, ok := b.index[attrs.SpanKey{Trace: s.span.TraceID(), Span: parent}]
		if !ok {
			if r, member := t.members[parent]; member {
				found = r
			}
			break
		}
		i = above
	}
	b.spans[first].run = found
	return found
}
