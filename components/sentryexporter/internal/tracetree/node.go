// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package tracetree puts the spans of a push, and those that were pending for their root, into trees, and divides these
// into segments, each of which becomes a transaction.
package tracetree

import (
	"encoding/hex"
	"iter"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
)

// PartKey identifies what one process did in one trace.
type PartKey struct {
	process item.ID
	Trace   pcommon.TraceID
}

// Node is a span, with the relatives that are known.
type Node struct {
	Span         ptrace.Span
	Scope        string
	Identity     *resource.Identity
	Part         PartKey
	ID, ParentID pcommon.SpanID
	Start, End   time.Time
	WasPending   bool // came in an earlier push
	Repeated     bool // is a redelivery; set by the caller
	Segment      *Segment

	parent   *Node
	children []*Node
}

// TraceHex returns the trace ID as hexadecimal text.
func (n *Node) TraceHex() string { return hex.EncodeToString(n.Part.Trace[:]) }

// IDHex returns the span ID as hexadecimal text.
func (n *Node) IDHex() string { return hex.EncodeToString(n.ID[:]) }

// ParentHex returns the parent's span ID as hexadecimal text; "" for a root.
func (n *Node) ParentHex() string {
	if n.ParentID.IsEmpty() {
		return ""
	}
	return hex.EncodeToString(n.ParentID[:])
}

const (
	flagHasIsRemote = 0x100
	flagIsRemote    = 0x200
)

// hasRemoteParent reports whether another process called. Spans without the flags are judged by their kind.
func (n *Node) hasRemoteParent() bool {
	if flags := n.Span.Flags(); flags&flagHasIsRemote != 0 {
		return flags&flagIsRemote != 0
	}
	kind := n.Span.Kind()
	return kind == ptrace.SpanKindServer || kind == ptrace.SpanKindConsumer
}

// IsLocalRoot reports whether the span is a root of its process's part of the trace.
func (n *Node) IsLocalRoot() bool { return n.ParentID.IsEmpty() || n.hasRemoteParent() }

// maxDepth bounds a walk to the root, against parents in a cycle.
const maxDepth = 128

// Path returns the span and the known spans above it.
func (n *Node) Path() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for at, depth := n, 0; at != nil && depth < maxDepth && yield(at); depth++ {
			at = at.parent
		}
	}
}

// Top returns the last of Path.
func (n *Node) Top() *Node {
	top := n
	for above := range n.Path() {
		top = above
	}
	return top
}

// Depth returns the number of known spans above.
func (n *Node) Depth() int {
	depth := 0
	for p := n.parent; p != nil && depth < maxDepth; p = p.parent {
		depth++
	}
	return depth
}

// Inherited returns an attribute of the span, or of the nearest span above it that has the attribute.
func (n *Node) Inherited(keys ...string) string {
	for depth := 0; n != nil && depth < maxDepth; n, depth = n.parent, depth+1 {
		if s := attr.Text(n.Span.Attributes(), keys...); s != "" {
			return s
		}
	}
	return ""
}

// fill sets the IDs and times without which Sentry rejects a transaction. A missing ID is made from the span's
// content, so that it is the same on redelivery.
func (n *Node) fill(span ptrace.Span, scope string, id *resource.Identity, now time.Time) {
	n.Span, n.Scope, n.Identity = span, scope, id
	n.Part = PartKey{process: id.Fingerprint, Trace: span.TraceID()}
	n.ID, n.ParentID = span.SpanID(), span.ParentSpanID()
	if n.Part.Trace.IsEmpty() || n.ID.IsEmpty() {
		attrs := attr.Fingerprint(span.Attributes())
		made := item.NewID(
			"span",
			id.Fingerprint.String(),
			scope,
			span.Name(),
			span.StartTimestamp().String(),
			attrs.String(),
			n.TraceHex(),
		)
		if n.Part.Trace.IsEmpty() {
			n.Part.Trace = pcommon.TraceID(made)
		}
		if n.ID.IsEmpty() {
			n.ID = pcommon.SpanID(made[:8])
		}
	}
	n.Start, n.End = Time(span.StartTimestamp()), Time(span.EndTimestamp())
	if n.End.IsZero() {
		n.End = n.Start
	}
	if n.Start.IsZero() {
		n.Start = n.End
	}
	if n.Start.IsZero() {
		n.Start, n.End = now, now
	}
	if n.End.Before(n.Start) {
		n.End = n.Start
	}
}

// Time returns a timestamp as time; the zero time if it is not set.
func Time(ts pcommon.Timestamp) time.Time {
	if ts == 0 {
		return time.Time{}
	}
	return ts.AsTime()
}
