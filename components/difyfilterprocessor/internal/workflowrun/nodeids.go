// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowrun

import (
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// setIDs sets the IDs of its app on a node span: from ancestors in the batch, else from the run that the node belongs
// to, else, for the tenant, from the app. Other spans of the trace are not a source, since a node may call an app of
// another workspace. No ID is set that could belong to another app.
func (b *batch) setIDs(i int) {
	s := &b.spans[i]
	found := s.source
	b.inherit(i, &found)
	if t, ok := b.traces.Get(s.span.TraceID(), b.now); ok && s.run >= 0 && !found.Complete() {
		found.Merge(t.runs[s.run].ids)
		t.runs[s.run].ids.Merge(found)
	}
	if owner, known := b.owner(found.App); known {
		found.Tenant = owner
	} else if found.Tenant == "" && found.App != "" {
		found.Tenant = b.tenantOf(found.App)
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
func (b *batch) inherit(i int, found *identity.IDs) {
	run := b.spans[i].run
	for range maxChain {
		if found.Complete() {
			return
		}
		span := b.spans[i].span
		above, ok := b.index[attrs.SpanKey{Trace: span.TraceID(), Span: span.ParentSpanID()}]
		if !ok || span.ParentSpanID().IsEmpty() {
			return
		}
		i = above
		source := identity.IDsOf(b.spans[i].span.Attributes())
		if other := b.spans[i].run; other >= 0 && other != run {
			source = identity.IDs{Tenant: source.Tenant}
		}
		found.Merge(source)
	}
}
