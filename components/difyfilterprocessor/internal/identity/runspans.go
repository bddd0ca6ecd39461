// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"cmp"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
)

// inherited are the attributes that a provider's spans have from the span above them.
var inherited = [...]string{
	difysemconv.AttrTenantID, difysemconv.AttrAppID, difysemconv.AttrWorkflowID, difysemconv.AttrWorkflowRunID,
	difysemconv.AttrConversationID, difysemconv.AttrMessageID, attrs.UserID, difysemconv.AttrWorkspaceName,
	difysemconv.AttrAppName,
}

// Positions in inherited.
const (
	atTenant = iota
	atApp
	atWorkflow
	atRun
	atConversation
	atMessage
)

// runIDs are the values of the attributes in inherited.
type runIDs [len(inherited)]string

// traceIDs are the IDs that all spans of a trace have, as far as they are known: of several runs, what they share.
type traceIDs struct {
	ids     runIDs
	several bool
}

// RunSpans sets the IDs of spans that emitters other than ENABLE_OTEL send for runs, under the names that all spans
// have. A provider posts each span alone, the root first, and only the root has the IDs: the spans below it take them
// from memory, by the span above, else by the trace, else by a run, message or node that any emitter reported. A span
// that comes before all of these stays as it is; its session.id leads to the run. It is safe for concurrent use.
type RunSpans struct {
	mu     sync.Mutex
	known  *expiring.Map[attrs.SpanKey, runIDs]      // guarded by mu
	traces *expiring.Map[pcommon.TraceID, *traceIDs] // guarded by mu
	things *expiring.Map[string, runIDs]             // guarded by mu, by the ID of a run, message or node execution
	names  map[string]bool                           // guarded by mu
}

// NewRunSpans returns a RunSpans that remembers at most limit spans, each for at least ttl if there is room.
func NewRunSpans(limit int, ttl time.Duration) *RunSpans {
	return &RunSpans{
		known:  expiring.NewMap[attrs.SpanKey, runIDs](limit, ttl),
		traces: expiring.NewMap[pcommon.TraceID, *traceIDs](limit, ttl),
		things: expiring.NewMap[string, runIDs](limit, ttl),
		names:  map[string]bool{},
	}
}

// Identify sets the IDs and the names of the spans of a scope.
func (r *RunSpans) Identify(shape emitter.Shape, ss ptrace.ScopeSpans, now time.Time) {
	if !shape.TellsRuns() {
		return
	}
	for _, span := range ss.Spans().All() {
		attrs.PutAbsent(span.Attributes(), difysemconv.AttrEmitter, shape.String())
		readNames(shape, span)
	}
	if shape.HasMetadata() {
		r.inherit(ss.Spans(), now)
	}
	for _, span := range ss.Spans().All() {
		r.nameSpan(shape, span)
	}
}

// inherit remembers all spans before it looks any up, so that the order within a batch does not matter.
func (r *RunSpans) inherit(spans ptrace.SpanSlice, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range maxDepth {
		changed := false
		for _, span := range spans.All() {
			if above, ok := r.above(span, now); ok {
				take(span.Attributes(), above)
			}
			changed = r.remember(span, now) || changed
		}
		if !changed {
			break
		}
	}
	for _, span := range spans.All() {
		if _, ok := r.above(span, now); !ok {
			r.adopt(span, now)
			r.remember(span, now)
		}
	}
}

// maxDepth bounds the passes over a batch whose spans are in the order from leaves to root.
const maxDepth = 64

func (r *RunSpans) above(span ptrace.Span, now time.Time) (runIDs, bool) {
	if span.ParentSpanID().IsEmpty() {
		return runIDs{}, false
	}
	return r.known.Get(attrs.SpanKey{Trace: span.TraceID(), Span: span.ParentSpanID()}, now)
}

// remember stores the IDs of a span, and reports whether that is new.
func (r *RunSpans) remember(span ptrace.Span, now time.Time) bool {
	ids := idsOf(span.Attributes())
	key := attrs.SpanKey{Trace: span.TraceID(), Span: span.SpanID()}
	if known, ok := r.known.Get(key, now); ids == (runIDs{}) || ok && known == ids {
		return false
	}
	r.known.Set(key, ids, now)
	if ids[atTenant] == "" && ids[atApp] == "" {
		return true
	}
	if t, ok := r.traces.Get(span.TraceID(), now); !ok {
		r.traces.Set(span.TraceID(), &traceIDs{ids: ids}, now)
	} else {
		t.add(ids)
	}
	if id := cmp.Or(ids[atRun], ids[atMessage]); id != "" {
		r.things.Set(id, ids, now)
	}
	return true
}

// add completes what the trace has, or removes what differs: a workflow that was called as a tool is a run of its own.
func (t *traceIDs) add(ids runIDs) {
	for _, at := range [...]int{atApp, atRun, atMessage} {
		t.several = t.several || ids[at] != "" && t.ids[at] != "" && ids[at] != t.ids[at]
	}
	for i, id := range ids {
		switch {
		case t.several && id != t.ids[i]:
			t.ids[i] = ""
		case t.ids[i] == "":
			t.ids[i] = id
		}
	}
}

// adopt sets the IDs of a span whose parent is not known.
func (r *RunSpans) adopt(span ptrace.Span, now time.Time) {
	attributes := span.Attributes()
	if t, ok := r.traces.Get(span.TraceID(), now); ok {
		take(attributes, t.ids)
	}
	for _, key := range [...]string{
		difysemconv.AttrWorkflowRunID, difysemconv.AttrMessageID, difysemconv.AttrNodeExecutionID, attrSessionID,
	} {
		id := attrs.Text(attributes, key)
		if known, ok := r.things.Get(id, now); ok && id != "" {
			take(attributes, known)
			return
		}
	}
}

// Learn remembers the IDs of a span of any emitter by its run and node.
func (r *RunSpans) Learn(span ptrace.Span, now time.Time) {
	ids := idsOf(span.Attributes())
	if ids[atTenant] == "" || ids[atRun] == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range [...]string{ids[atRun], attrs.Text(span.Attributes(), difysemconv.AttrNodeExecutionID)} {
		if id != "" && len(id) <= maxName {
			r.things.Set(id, ids, now)
		}
	}
}

// take sets the IDs of a run on a span that belongs to it.
func take(attributes pcommon.Map, from runIDs) {
	if !canInherit(attributes, from) {
		return
	}
	for i, key := range inherited {
		copyName(attributes, key, from[i])
	}
}

// canInherit reports whether a span belongs to the same run, as far as it says: a workflow that was called as a tool is
// a run of its own within the trace.
func canInherit(attributes pcommon.Map, above runIDs) bool {
	for _, i := range [...]int{atApp, atRun, atMessage} {
		if own := attrs.Text(attributes, inherited[i]); own != "" && above[i] != "" && own != above[i] {
			return false
		}
	}
	return true
}

func idsOf(attributes pcommon.Map) (ids runIDs) {
	for i, key := range inherited {
		if value := attrs.Text(attributes, key); len(value) <= maxName {
			ids[i] = value
		}
	}
	return ids
}
