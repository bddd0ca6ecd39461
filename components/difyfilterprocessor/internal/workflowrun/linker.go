// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package workflowrun links spans to workflow runs: it sets dify.workflow_run_id on the spans of a run, and the IDs of
// the app on node spans.
package workflowrun

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
)

// Bounds of the state that one trace can create, and of walks along parents, which must end on cycles.
const (
	maxRunsPerTrace    = 64
	maxMembersPerTrace = 1024
	maxPath            = 128
	maxChain           = 1024
)

// Settings of a Linker.
type Settings struct {
	// MaxTraces bounds the number of traces whose runs are remembered.
	MaxTraces int
	// MaxApps bounds the number of apps whose tenant, and of waiting runs whose ID, are remembered. With 0, the IDs of a
	// trace depend on that trace alone.
	MaxApps int
	// TTL is the minimum time for which a trace or an app is remembered, as long as there is room.
	TTL time.Duration
	// WholeTraces is false if the linker sees only a part of each trace. It then uses only the batch itself and the
	// tenant of an app, and sets nothing on the ancestors of a run, which may have other runs.
	WholeTraces bool
	// Owner returns the tenant of an app as Dify's database has it, if it is known. It may be nil.
	Owner func(app string) (tenant string, known bool)
}

// Linker sets the run ID on the spans of a workflow run, and the IDs of its app on node spans. Dify writes the run ID
// only into the output of the start node, which ends first and so usually arrives before the spans around it.
//
// These invariants hold for batches in any order, repeated, and concurrent:
//
//   - An attribute that is already set is never changed.
//   - A span gets the ID of the nearest run on its path to the root of the trace, or none. Only nodes and runners are
//     sources of a run. A runner whose run is unknown ends the path, so that a nested run never gets the ID of the run
//     around it.
//   - A batch is stored completely before the first lookup, so that the order of spans within a batch does not matter.
//     The lookups of a batch run under one lock: a concurrent batch of the same trace is seen completely or not at
//     all.
//   - Ancestors of a run get its ID only as long as the trace has exactly one run and none is nested. A second run
//     that arrives later does not remove it: this is the one place where the result depends on the order of batches.
//   - A node gets IDs only from its ancestors, its run or its app, never from the trace: a run may call an app of
//     another workspace.
//   - The tenant of an app is the one in Dify's database if that is known, else the first that a span said. A span that
//     contradicts it is counted, and changes nothing but itself.
//   - A run that waits for a person keeps its ID in the trace in which it continues, by the execution ID of the node
//     that waits, which occurs in no other run.
//   - The state is bounded: maxRunsPerTrace, maxMembersPerTrace and maxPath bound one trace, Settings the number of
//     traces. Evicted or expired state makes IDs missing, never wrong.
//
// Nothing is persisted: after a restart, spans of traces that began before get only what their own batch contains.
//
// A Linker is safe for concurrent use.
type Linker struct {
	wholeTraces bool
	owner       func(app string) (string, bool)

	mu      sync.Mutex
	traces  *expiring.Map[pcommon.TraceID, *traceRuns] // guarded by mu
	tenants *expiring.Map[string, string]              // guarded by mu: app ID -> the first tenant ID
	paused  *expiring.Map[string, pausedRun]           // guarded by mu: node.execution_id -> the run that waits there
}

// NewLinker returns a linker without any state.
func NewLinker(set Settings) *Linker {
	if set.Owner == nil {
		set.Owner = func(string) (string, bool) { return "", false }
	}
	return &Linker{
		wholeTraces: set.WholeTraces,
		owner:       set.Owner,
		traces:      expiring.NewMap[pcommon.TraceID, *traceRuns](set.MaxTraces, set.TTL),
		tenants:     expiring.NewMap[string, string](set.MaxApps, set.TTL),
		paused:      expiring.NewMap[string, pausedRun](set.MaxApps, max(set.TTL, waitTime)),
	}
}

// Link sets dify.workflow_run_id on the spans of a run, and the app, tenant and workflow IDs on node spans. It must
// run before redaction, since it reads output.value, and before any span is dropped. origins has the origin of each
// resource. It returns the number of spans that claim an app for another tenant.
func (l *Linker) Link(td ptrace.Traces, origins []emitter.Origin, now time.Time) (contradictions int) {
	if !hasOwnSpans(td, origins) && !l.knowsAny(td, now) {
		return 0
	}
	b := &batch{
		traces: l.traces, tenants: l.tenants, paused: l.paused, owner: l.owner, now: now,
		index: make(map[attrs.SpanKey]int, td.SpanCount()), spans: make([]linkSpan, 0, td.SpanCount()),
	}
	if !l.wholeTraces {
		b.traces = expiring.NewMap[pcommon.TraceID, *traceRuns](td.SpanCount()*2, time.Hour) // of this batch only
	}
	b.read(td, origins)
	l.mu.Lock()
	defer l.mu.Unlock()
	b.remember()
	for i := range b.spans {
		b.setRun(i)
	}
	if l.wholeTraces {
		b.linkResumed()
		b.setAncestors()
	}
	for i := range b.spans {
		if b.spans[i].node {
			b.setIDs(i)
		}
	}
	return b.contradictions
}

// Traces reports whether the linker remembers any trace.
func (l *Linker) Traces() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.traces.Empty()
}

// knowsAny reports whether an earlier batch has runs of a trace in td.
func (l *Linker) knowsAny(td ptrace.Traces, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.traces.Empty() {
		return false
	}
	var last pcommon.TraceID
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if id := span.TraceID(); id != last {
					if _, ok := l.traces.Get(id, now); ok {
						return true
					}
					last = id
				}
			}
		}
	}
	return false
}
