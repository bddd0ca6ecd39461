// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import "go.opentelemetry.io/collector/pdata/ptrace"

// Merge moves the spans of a process's batch into another batch of the same process, as the SDK's batch processor
// groups them: one resource, each scope once. from is empty afterwards.
func Merge(into, from ptrace.Traces) {
	if into.ResourceSpans().Len() == 0 {
		from.ResourceSpans().MoveAndAppendTo(into.ResourceSpans())
		return
	}
	target := into.ResourceSpans().At(0)
	for _, rs := range from.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			ss.Spans().MoveAndAppendTo(scopeLike(target, ss).Spans())
		}
	}
	from.ResourceSpans().RemoveIf(func(ptrace.ResourceSpans) bool { return true })
}

func scopeLike(rs ptrace.ResourceSpans, like ptrace.ScopeSpans) ptrace.ScopeSpans {
	for _, ss := range rs.ScopeSpans().All() {
		if ss.Scope().Name() == like.Scope().Name() {
			return ss
		}
	}
	ss := rs.ScopeSpans().AppendEmpty()
	like.Scope().CopyTo(ss.Scope())
	ss.SetSchemaUrl(like.SchemaUrl())
	return ss
}
