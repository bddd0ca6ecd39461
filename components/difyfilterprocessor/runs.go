// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Bounds of what one trace can make the processor remember.
const (
	maxRunsPerTrace    = 64
	maxMembersPerTrace = 1024
	maxWay             = 128
)

// ids are the ids that node spans lack.
type ids struct{ tenant, app, workflow string }

// merge takes what is missing, unless the other's app is another.
func (i *ids) merge(other ids) {
	if i.app != "" && other.app != "" && i.app != other.app {
		return
	}
	for _, id := range [...]struct {
		to   *string
		from string
	}{{&i.tenant, other.tenant}, {&i.app, other.app}, {&i.workflow, other.workflow}} {
		if *id.to == "" {
			*id.to = id.from
		}
	}
}

func (i *ids) complete() bool { return i.tenant != "" && i.app != "" && i.workflow != "" }

// run is one workflow run within a trace. Its spans are the root and what descends from it: the start node tells the
// run's id, and the parent of the start node is the span of the run itself.
type run struct {
	id   string // dify.workflow_run_id
	root pcommon.SpanID
	ids  ids
	way  []pcommon.SpanID // from the root up as far as is known; the last may not have come yet
}

// traceRuns is what is remembered of a trace that has runs.
type traceRuns struct {
	runs    []run
	members map[pcommon.SpanID]int // spans that belong to runs[i] and may have children
	nested  bool                   // a run stands within another, of which nothing may be known yet
}

// single says whether all the trace's runs are one.
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
		t.runs[i].ids.merge(found.ids)
		return
	}
	if len(t.runs) < maxRunsPerTrace {
		t.runs = append(t.runs, found)
	}
}

// linkSpan is a span of a batch with what the link pass wants of it.
type linkSpan struct {
	span   ptrace.Span
	own    bool // Dify's own work, no call of an instrumentation
	node   bool
	source ids
	run    int // index in the trace's runs; -1: none, unknown: not yet looked for
}

const unknown = -2

// links carries ids along the parents of one batch, and of what is remembered.
type links struct {
	memory *memory
	now    time.Time
	spans  []linkSpan
	index  map[spanKey]int
	found  []sourceRun
}

type sourceRun struct {
	trace pcommon.TraceID
	run   run
}

// link sets dify.workflow_run_id on a run's spans, and app, tenant and workflow on node spans. It must see output.value
// before redaction, and all spans before any is dropped. Of a part of the traces it tells what the batch itself tells, and the
// tenant of an app: that is true of the whole, but for what stands above a run, where there may be others.
func (f *filter) link(td ptrace.Traces, origins []origin, now time.Time) {
	if !worthLinking(td, origins) && !f.remembersAny(td, now) {
		return
	}
	mem := f.memory
	if !f.cfg.WholeTraces {
		mem = newMemory(f.cfg.Memory)
		mem.tenants = f.memory.tenants
	}
	l := &links{memory: mem, now: now, index: map[spanKey]int{}, spans: make([]linkSpan, 0, td.SpanCount())}
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

// worthLinking says whether td has spans of Dify's own work, which alone bear ids.
func worthLinking(td ptrace.Traces, origins []origin) bool {
	for i, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			if origins[i].ownWork(ss.Scope()) {
				return true
			}
		}
	}
	return false
}

func (f *filter) remembersAny(td ptrace.Traces, now time.Time) bool {
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

func (l *links) read(td ptrace.Traces, origins []origin) {
	for i, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			own := origins[i].ownWork(ss.Scope())
			for _, span := range ss.Spans().All() {
				l.readSpan(span, own)
			}
		}
	}
}

func (l *links) readSpan(span ptrace.Span, own bool) {
	s := linkSpan{span: span, own: own, run: unknown}
	if own {
		s.node = has(span.Attributes(), difysemconv.AttrNodeID)
		s.source = idsOf(span.Attributes())
		if found, ok := runOf(span, s.node); ok {
			l.found = append(l.found, sourceRun{span.TraceID(), found})
			s.source.merge(found.ids)
		}
	}
	if id := span.SpanID(); !id.IsEmpty() {
		l.index[spanKey{span.TraceID(), id}] = len(l.spans)
	}
	l.spans = append(l.spans, s)
}

// remember puts what the batch tells into the memory, before anything is read from it: so the order of the spans within a
// batch does not matter.
func (l *links) remember() {
	for i := range l.spans {
		if source := l.spans[i].source; source.app != "" && source.tenant != "" {
			l.memory.tenants.set(source.app, source.tenant, l.now)
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

// setRun sets the run id of one span, when it belongs to a run.
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
	putAbsent(s.span.Attributes(), difysemconv.AttrWorkflowRunID, t.runs[r].id)
	if s.span.SpanID() == t.runs[r].root {
		t.runs[r].ids.merge(s.source)
	}
	if s.span.Kind() != ptrace.SpanKindClient && len(t.members) < maxMembersPerTrace {
		t.members[s.span.SpanID()] = r
	}
}

// resolve walks up from a span to the nearest root of a run; a run within a run thus keeps its own spans. A runner whose run
// is not known yet ends the walk: what is below it does not belong to the run above.
func (l *links) resolve(i int, t *traceRuns) int {
	first, found := i, -1
	for range maxChain {
		s := &l.spans[i]
		if s.run != unknown {
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
		above, ok := l.index[spanKey{s.span.TraceID(), parent}]
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

// climb gives the id of a trace's only run to the ancestors of that run: those that the batch has, on an unbroken way up
// from the run or from where an earlier batch left off, and the request or task at the top.
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
			putAbsent(span.Attributes(), difysemconv.AttrWorkflowRunID, t.runs[0].id)
		}
	}
}

func (l *links) climbFrom(trace pcommon.TraceID, t *traceRuns, r *run) {
	for at := 0; at < len(r.way) && at < maxWay; at++ {
		i, ok := l.index[spanKey{trace, r.way[at]}]
		if !ok {
			continue
		}
		span := l.spans[i].span
		if at > 0 && l.spans[i].own && (l.spans[i].node || isRunner(span)) && text(span.Attributes(), difysemconv.AttrWorkflowRunID) != r.id {
			t.nested = true // it is another run's, or of one that is not known yet
			return
		}
		putAbsent(span.Attributes(), difysemconv.AttrWorkflowRunID, r.id)
		if parent := span.ParentSpanID(); at == len(r.way)-1 && !parent.IsEmpty() {
			r.way = append(r.way, parent)
		}
	}
}
