// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracetree

import "go.opentelemetry.io/collector/pdata/ptrace"

// encodedSpans are spans of one push.
type encodedSpans struct {
	encoded []byte
	count   int
}

// AddTo puts the spans back into a tree. It returns the number of spans that could not be decoded.
func (p *Part) AddTo(t *Tree) (lost int) {
	for _, spans := range p.pushes {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(spans.encoded)
		if err != nil {
			lost += spans.count
			continue
		}
		lost += spans.count - td.SpanCount()
		for _, rs := range td.ResourceSpans().All() {
			t.add(rs, p.identity, true)
		}
	}
	return lost
}

// encodeSpans encodes what a transaction needs of spans, without their resource.
func encodeSpans(nodes []*Node) encodedSpans {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	scopes := map[string]ptrace.SpanSlice{}
	for _, n := range nodes {
		spans, ok := scopes[n.Scope]
		if !ok {
			ss := rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName(n.Scope)
			spans = ss.Spans()
			scopes[n.Scope] = spans
		}
		n.copyTo(spans.AppendEmpty())
	}
	encoded, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil { // AddTo counts the spans as lost
		encoded = nil
	}
	return encodedSpans{encoded: encoded, count: len(nodes)}
}

// copyTo copies a span without its events: their exceptions were reported when the span came.
func (n *Node) copyTo(to ptrace.Span) {
	to.SetTraceID(n.Part.Trace) // both IDs may have been missing
	to.SetSpanID(n.ID)
	to.SetParentSpanID(n.ParentID)
	to.SetFlags(n.Span.Flags())
	to.SetName(n.Span.Name())
	to.SetKind(n.Span.Kind())
	to.SetStartTimestamp(n.Span.StartTimestamp())
	to.SetEndTimestamp(n.Span.EndTimestamp())
	n.Span.Status().CopyTo(to.Status())
	n.Span.Attributes().CopyTo(to.Attributes())
	n.Span.Links().CopyTo(to.Links())
}
