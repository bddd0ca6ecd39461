// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Bounds of the state that one trace can create.
const (
	maxRunsPerTrace    = 64
	maxMembersPerTrace = 1024
	maxPath            = 128
)

// run is one workflow run within a trace. Its spans are the root and its descendants. The start node carries the ID of
// the run; the parent of the start node is the span of the run itself.
type run struct {
	id   string // dify.workflow_run_id
	root pcommon.SpanID
	ids  identity.IDs
	path []pcommon.SpanID // from the root up, as far as it is known; the last span may not have arrived yet
}

// traceRuns is what is remembered of a trace with runs.
type traceRuns struct {
	runs    []run
	members map[pcommon.SpanID]int // span -> index in runs, for spans of a run that may have children
	nested  bool                   // a run is within another run, which may not be known yet
}

// single reports whether the trace has exactly one run.
func (t *traceRuns) single() bool {
	for i := range t.runs {
		if t.runs[i].id != t.runs[0].id {
			return false
		}
	}
	return len(t.runs) > 0 && !t.nested
}

func (t *traceRuns) byRoot(root pcommon.SpanID) int {
	for i := range t.runs {
		if t.runs[i].root == root {
			return i
		}
	}
	return -1
}

func (t *traceRuns) add(found run) {
	if i := t.byRoot(found.root); i >= 0 {
		t.runs[i].ids.Merge(found.ids)
		return
	}
	if len(t.runs) < maxRunsPerTrace {
		t.runs = append(t.runs, found)
	}
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

// links propagates IDs along the parents within one batch, and from earlier batches.
type links struct {
	memory *memory
	now    time.Time
	spans  []linkSpan
	index  map[attrs.SpanKey]int
	found  []sourceRun
}

type sourceRun struct {
	trace pcommon.TraceID
	run   run
}

// link sets dify.workflow_run_id on the spans of a run, and the app, tenant and workflow IDs on node spans. It must run
// before redaction, since it reads output.value, and before any span is dropped. If the processor sees only a part of
// each trace, link uses only the batch itself and the tenant of an app, and sets nothing on the ancestors of a run,
// which may have other runs.
func (f *filter) link(td ptrace.Traces, origins []emitter.Origin, now time.Time) {
	if !hasOwnSpans(td, origins) && !f.knowsAny(td, now) {
		return
	}
	mem := f.memory
	if !f.cfg.WholeTraces {
		mem = newMemory(f.cfg.Memory)
		mem.tenants = f.memory.tenants
	}
	l := &links{memory: mem, now: now, index: map[attrs.SpanKey]int{}, spans: make([]linkSpan, 0, td.SpanCount())}
	l.read(td, origins)
	f.memory.mu.Lock()
	defer f.memory.mu.Unlock()
	l.remember()
	for i := range l.spans {
		l.setRun(i)
	}
	if f.cfg.WholeTraces {
		l.climb()
	}
	for i := range l.spans {
		if l.spans[i].node {
			l.setIDs(i)
		}
	}
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

func (f *filter) knowsAny(td ptrace.Traces, now time.Time) bool {
	f.memory.mu.Lock()
	defer f.memory.mu.Unlock()
	if f.memory.traces.empty() {
		return false
	}
	var last pcommon.TraceID
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if id := span.TraceID(); id != last {
					if _, ok := f.memory.traces.get(id, now); ok {
						return true
					}
					last = id
				}
			}
		}
	}
	return false
}

func (l *links) read(td ptrace.Traces, origins []emitter.Origin) {
	for i, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			own := origins[i].OwnScope(ss.Scope())
			for _, span := range ss.Spans().All() {
				l.readSpan(span, own)
			}
		}
	}
}

func (l *links) readSpan(span ptrace.Span, own bool) {
	s := linkSpan{span: span, own: own, run: unresolved}
	if own {
		s.node = attrs.Has(span.Attributes(), difysemconv.AttrNodeID)
		s.source = identity.IDsOf(span.Attributes())
		if found, ok := runOf(span, s.node); ok {
			l.found = append(l.found, sourceRun{span.TraceID(), found})
			s.source.Merge(found.ids)
		}
	}
	if id := span.SpanID(); !id.IsEmpty() {
		l.index[attrs.SpanKey{Trace: span.TraceID(), Span: id}] = len(l.spans)
	}
	l.spans = append(l.spans, s)
}

// remember stores what the batch reports before anything is looked up, so that the order of the spans within a batch
// does not matter.
func (l *links) remember() {
	for i := range l.spans {
		if source := l.spans[i].source; source.App != "" && source.Tenant != "" {
			l.memory.tenants.set(source.App, source.Tenant, l.now)
		}
	}
	for _, source := range l.found {
		l.trace(source.trace).add(source.run)
	}
}

func (l *links) trace(id pcommon.TraceID) *traceRuns {
	t, ok := l.memory.traces.get(id, l.now)
	if !ok {
		t = &traceRuns{members: map[pcommon.SpanID]int{}}
		l.memory.traces.set(id, t, l.now)
	}
	return t
}

// setRun sets the run ID of a span that belongs to a run.
func (l *links) setRun(i int) {
	s := &l.spans[i]
	t, ok := l.memory.traces.get(s.span.TraceID(), l.now)
	if !ok || len(t.runs) == 0 {
		return
	}
	r := l.resolve(i, t)
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
func (l *links) resolve(i int, t *traceRuns) int {
	first, found := i, -1
	for range maxChain {
		s := &l.spans[i]
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
		above, ok := l.index[attrs.SpanKey{Trace: s.span.TraceID(), Span: parent}]
		if !ok {
			if r, member := t.members[parent]; member {
				found = r
			}
			break
		}
		i = above
	}
	l.spans[first].run = found
	return found
}

// climb sets the ID of a trace's only run on the ancestors of the run that are in the batch: those on an unbroken path
// from the run, or from where an earlier batch ended, and the request or task at the top.
func (l *links) climb() {
	seen := map[pcommon.TraceID]bool{}
	for i := range l.spans {
		span := l.spans[i].span
		t, ok := l.memory.traces.get(span.TraceID(), l.now)
		if !ok || !t.single() {
			continue
		}
		if !seen[span.TraceID()] {
			seen[span.TraceID()] = true
			for r := range t.runs {
				l.climbFrom(span.TraceID(), t, &t.runs[r])
			}
		}
		if t.nested {
			continue
		}
		if span.ParentSpanID().IsEmpty() && (span.Kind() == ptrace.SpanKindServer || span.Kind() == ptrace.SpanKindConsumer) {
			attrs.PutAbsent(span.Attributes(), difysemconv.AttrWorkflowRunID, t.runs[0].id)
		}
	}
}

func (l *links) climbFrom(trace pcommon.TraceID, t *traceRuns, r *run) {
	for at := 0; at < len(r.path) && at < maxPath; at++ {
		i, ok := l.index[attrs.SpanKey{Trace: trace, Span: r.path[at]}]
		if !ok {
			continue
		}
		span := l.spans[i].span
		if at > 0 && l.spans[i].own && (l.spans[i].node || isRunner(span)) && attrs.Text(span.Attributes(), difysemconv.AttrWorkflowRunID) != r.id {
			t.nested = true // it belongs to another run, which may not be known yet
			return
		}
		attrs.PutAbsent(span.Attributes(), difysemconv.AttrWorkflowRunID, r.id)
		if parent := span.ParentSpanID(); at == len(r.path)-1 && !parent.IsEmpty() {
			r.path = append(r.path, parent)
		}
	}
}
