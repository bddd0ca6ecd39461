// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// setIDs sets the IDs of its app on a node span: from ancestors in the batch, else from the run that the node belongs
// to, else, for the tenant, from the app. Other spans of the trace are not a source, since a node may call an app of
// another workspace. No ID is set that could belong to another app.
func (l *links) setIDs(i int) {
	s := &l.spans[i]
	found := s.source
	l.inherit(i, &found)
	if t, ok := l.memory.traces.get(s.span.TraceID(), l.now); ok && s.run >= 0 && !found.Complete() {
		found.Merge(t.runs[s.run].ids)
		t.runs[s.run].ids.Merge(found)
	}
	if found.Tenant == "" && found.App != "" {
		found.Tenant, _ = l.memory.tenants.get(found.App, l.now)
	}
	attributes := s.span.Attributes()
	for _, id := range [...]struct{ key, value string }{
		{difysemconv.AttrAppID, found.App},
		{difysemconv.AttrTenantID, found.Tenant},
		{difysemconv.AttrWorkflowID, found.Workflow},
	} {
		if id.value != "" {
			attrs.PutAbsent(attributes, id.key, id.value)
		}
	}
}

// inherit copies each ID from the nearest ancestor that has it. From an ancestor of another run, which called this
// workflow as a tool, it copies only the tenant.
func (l *links) inherit(i int, found *identity.IDs) {
	run := l.spans[i].run
	for range maxChain {
		if found.Complete() {
			return
		}
		span := l.spans[i].span
		above, ok := l.index[attrs.SpanKey{Trace: span.TraceID(), Span: span.ParentSpanID()}]
		if !ok || span.ParentSpanID().IsEmpty() {
			return
		}
		i = above
		source := identity.IDsOf(l.spans[i].span.Attributes())
		if other := l.spans[i].run; other >= 0 && other != run {
			source = identity.IDs{Tenant: source.Tenant}
		}
		found.Merge(source)
	}
}
