// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// nameNode names a node span by the node's type. Dify names it by the title, which users write in any language; the title
// is kept as an attribute.
func nameNode(span ptrace.Span) {
	attrs := span.Attributes()
	nodeType := text(attrs, difysemconv.AttrNodeType)
	if nodeType == "" || !has(attrs, difysemconv.AttrNodeID) || has(attrs, difysemconv.AttrNodeTitle) {
		return
	}
	attrs.PutStr(difysemconv.AttrNodeTitle, span.Name())
	span.SetName(nodeType)
}

// setIDs gives a node span the ids of its app. Ancestors in the batch know best, then the run that the node belongs to, then
// for the tenant the app. The trace is not asked: a node may call another workspace's app in it. Nothing is set that could
// be another's.
func (l *links) setIDs(i int) {
	s := &l.spans[i]
	found := s.source
	l.inherit(i, &found)
	if t, ok := l.memory.traces.get(s.span.TraceID(), l.now); ok && s.run >= 0 && !found.complete() {
		found.merge(t.runs[s.run].ids)
		t.runs[s.run].ids.merge(found)
	}
	if found.tenant == "" && found.app != "" {
		found.tenant, _ = l.memory.tenants.get(found.app, l.now)
	}
	attrs := s.span.Attributes()
	for _, id := range [...]struct{ key, value string }{
		{difysemconv.AttrAppID, found.app},
		{difysemconv.AttrTenantID, found.tenant},
		{difysemconv.AttrWorkflowID, found.workflow},
	} {
		if id.value != "" {
			putAbsent(attrs, id.key, id.value)
		}
	}
}

// inherit takes each id from the nearest ancestor that has it. An ancestor of another run (a workflow that was called as a
// tool) lends only its tenant.
func (l *links) inherit(i int, found *ids) {
	run := l.spans[i].run
	for range maxChain {
		if found.complete() {
			return
		}
		span := l.spans[i].span
		above, ok := l.index[spanKey{span.TraceID(), span.ParentSpanID()}]
		if !ok || span.ParentSpanID().IsEmpty() {
			return
		}
		i = above
		source := idsOf(l.spans[i].span.Attributes())
		if other := l.spans[i].run; other >= 0 && other != run {
			source = ids{tenant: source.tenant}
		}
		found.merge(source)
	}
}
