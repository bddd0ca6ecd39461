// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"encoding/hex"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// node is a span among the others of its push.
type node struct {
	span                      ptrace.Span
	scope                     string
	identity                  *identity
	traceID, spanID, parentID string
	start, end                time.Time
	parent                    *node // of the same process and in the same push
	children                  []*node
	segment                   *segment
}

// segment is what becomes one transaction: a local root with its descendants, or all spans of a process in one trace that
// came without their root. They keep their own parents, so that Sentry's trace view puts them where they belong.
type segment struct {
	root  *node
	nodes []*node // the root first, the others by start
	// complete tells that root is the root of its process's part of the trace.
	complete bool
	route    routeKey
}

const (
	flagHasIsRemote = 0x100
	flagIsRemote    = 0x200
)

type nodeKey struct{ process, trace, span string }

// newTree links the spans of a push.
func newTree(td ptrace.Traces, identityOf func(pcommon.Resource) *identity, now time.Time) []*node {
	nodes := make([]*node, 0, td.SpanCount())
	index := make(map[nodeKey]*node, td.SpanCount())
	for _, rs := range td.ResourceSpans().All() {
		id := identityOf(rs.Resource())
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				n := newNode(span, ss.Scope().Name(), id, now)
				nodes = append(nodes, n)
				if key := (nodeKey{id.fingerprint, n.traceID, n.spanID}); index[key] == nil {
					index[key] = n
				}
			}
		}
	}
	for _, n := range nodes {
		if p := index[nodeKey{n.identity.fingerprint, n.traceID, n.parentID}]; n.parentID != "" && p != nil && p != n && !n.hasRemoteParent() {
			n.parent = p
			p.children = append(p.children, n)
		}
	}
	return nodes
}

// newNode supplies what Sentry refuses a transaction without: ids and times. An id is made from the span's content, so
// that it is the same on redelivery.
func newNode(span ptrace.Span, scope string, id *identity, now time.Time) *node {
	n := &node{span: span, scope: scope, identity: id}
	trace, spanID, parent := span.TraceID(), span.SpanID(), span.ParentSpanID()
	n.traceID, n.spanID = hex.EncodeToString(trace[:]), hex.EncodeToString(spanID[:])
	if trace.IsEmpty() || spanID.IsEmpty() {
		made := identify("span", id.fingerprint, scope, span.Name(), span.StartTimestamp().String(), fingerprintOf(span.Attributes()), n.traceID)
		if trace.IsEmpty() {
			n.traceID = made.String()
		}
		if spanID.IsEmpty() {
			n.spanID = made.String()[:16]
		}
	}
	if !parent.IsEmpty() {
		n.parentID = hex.EncodeToString(parent[:])
	}
	n.start, n.end = timeOf(span.StartTimestamp()), timeOf(span.EndTimestamp())
	if n.end.IsZero() {
		n.end = n.start
	}
	if n.start.IsZero() {
		n.start = n.end
	}
	if n.start.IsZero() {
		n.start, n.end = now, now
	}
	if n.end.Before(n.start) {
		n.end = n.start
	}
	return n
}

func timeOf(ts pcommon.Timestamp) time.Time {
	if ts == 0 {
		return time.Time{}
	}
	return ts.AsTime()
}

// hasRemoteParent tells a span that another process called. Spans without the flags are told by their kind.
func (n *node) hasRemoteParent() bool {
	if flags := n.span.Flags(); flags&flagHasIsRemote != 0 {
		return flags&flagIsRemote != 0
	}
	kind := n.span.Kind()
	return kind == ptrace.SpanKindServer || kind == ptrace.SpanKindConsumer
}

// segments divides the nodes: each belongs to exactly one.
func segments(nodes []*node, r *router) []*segment {
	var out []*segment
	orphans := map[nodeKey]*segment{}
	start := func(root *node, complete bool) *segment {
		s := &segment{root: root, complete: complete}
		out = append(out, s)
		s.take(root)
		return s
	}
	for _, n := range nodes {
		switch {
		case n.parent != nil:
		case n.parentID == "" || n.hasRemoteParent():
			start(n, true)
		default:
			key := nodeKey{process: n.identity.fingerprint, trace: n.traceID}
			if s := orphans[key]; s != nil {
				s.take(n)
			} else {
				orphans[key] = start(n, false)
			}
		}
	}
	for _, n := range nodes { // parents in a circle
		if n.segment == nil {
			start(n, false)
		}
	}
	for _, s := range out {
		s.finish(r)
	}
	return out
}

// take puts a node and its descendants into the segment.
func (s *segment) take(n *node) {
	stack := []*node{n}
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if top.segment != nil {
			continue
		}
		top.segment = s
		s.nodes = append(s.nodes, top)
		stack = append(stack, top.children...)
	}
}

func (s *segment) finish(r *router) {
	slices.SortStableFunc(s.nodes, func(a, b *node) int { return a.start.Compare(b.start) })
	if s.complete {
		at := slices.Index(s.nodes, s.root)
		s.nodes = slices.Insert(slices.Delete(s.nodes, at, at+1), 0, s.root)
	} else {
		s.root = s.nodes[0]
	}
	attrs := make([]pcommon.Map, 0, len(s.nodes)+1)
	attrs = append(attrs, s.root.identity.attributes)
	for _, n := range s.nodes {
		attrs = append(attrs, n.span.Attributes())
	}
	s.route = r.find(attrs...)
}

// maxDepth bounds a walk to the root, against parents in a circle.
const maxDepth = 128

// depth below the topmost span that is known.
func (n *node) depth() int {
	depth := 0
	for p := n.parent; p != nil && depth < maxDepth; p = p.parent {
		depth++
	}
	return depth
}

// near is an attribute of the span or of the nearest span above it that has it.
func (n *node) near(keys ...string) string {
	for depth := 0; n != nil && depth < maxDepth; n, depth = n.parent, depth+1 {
		if s := text(n.span.Attributes(), keys...); s != "" {
			return s
		}
	}
	return ""
}
