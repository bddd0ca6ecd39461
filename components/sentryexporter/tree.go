// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"encoding/hex"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
)

// partKey names what one process did in one trace.
type partKey struct {
	process item.ID
	trace   pcommon.TraceID
}

// node is a span among those that are known with it.
type node struct {
	span         ptrace.Span
	scope        string
	identity     *resource.Identity
	part         partKey
	id, parentID pcommon.SpanID
	start, end   time.Time
	waited       bool // came in an earlier push
	repeated     bool // came before, in a push that was taken
	parent       *node
	children     []*node
	segment      *segment
}

func (n *node) traceHex() string { return hex.EncodeToString(n.part.trace[:]) }
func (n *node) idHex() string    { return hex.EncodeToString(n.id[:]) }

func (n *node) parentHex() string {
	if n.parentID.IsEmpty() {
		return ""
	}
	return hex.EncodeToString(n.parentID[:])
}

// segment is what becomes one transaction: a local root with its descendants, or all spans of a process in one trace that
// came without their root. They keep their own parents, so that Sentry's trace view puts them where they belong.
type segment struct {
	root  *node
	nodes []*node // the root first, the others by start
	// complete tells that root is the root of its process's part of the trace.
	complete bool
	route    item.Route
}

const (
	flagHasIsRemote = 0x100
	flagIsRemote    = 0x200
)

type spanKey struct {
	part partKey
	id   pcommon.SpanID
}

// tree holds the spans of a push, and those that waited for one of its roots.
type tree struct {
	now   time.Time
	nodes []*node
	index map[spanKey]*node
	// twice are spans that were there already.
	twice int
}

func newTree(spans int, now time.Time) *tree {
	return &tree{now: now, nodes: make([]*node, 0, spans), index: make(map[spanKey]*node, spans)}
}

// add takes the spans of a resource. A span is taken once.
func (t *tree) add(rs ptrace.ResourceSpans, id *resource.Identity, waited bool) {
	for _, ss := range rs.ScopeSpans().All() {
		scope := ss.Scope().Name()
		room := make([]node, ss.Spans().Len())
		for i, span := range ss.Spans().All() {
			n := &room[i]
			n.fill(span, scope, id, t.now)
			n.waited = waited
			key := spanKey{n.part, n.id}
			if t.index[key] != nil {
				t.twice++
				continue
			}
			t.index[key] = n
			t.nodes = append(t.nodes, n)
		}
	}
}

// link makes parents and children of the same process known to each other.
func (t *tree) link() {
	for _, n := range t.nodes {
		if n.isLocalRoot() {
			continue
		}
		if p := t.index[spanKey{n.part, n.parentID}]; p != nil && p != n {
			n.parent = p
			p.children = append(p.children, n)
		}
	}
}

// fill supplies what Sentry refuses a transaction without: ids and times. An id is made from the span's content, so that
// it is the same on redelivery.
func (n *node) fill(span ptrace.Span, scope string, id *resource.Identity, now time.Time) {
	n.span, n.scope, n.identity = span, scope, id
	n.part = partKey{process: id.Fingerprint, trace: span.TraceID()}
	n.id, n.parentID = span.SpanID(), span.ParentSpanID()
	if n.part.trace.IsEmpty() || n.id.IsEmpty() {
		attrs := attr.Fingerprint(span.Attributes())
		made := item.NewID("span", id.Fingerprint.String(), scope, span.Name(), span.StartTimestamp().String(), attrs.String(), n.traceHex())
		if n.part.trace.IsEmpty() {
			n.part.trace = pcommon.TraceID(made)
		}
		if n.id.IsEmpty() {
			n.id = pcommon.SpanID(made[:8])
		}
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

// isLocalRoot tells the root of a process's part of a trace.
func (n *node) isLocalRoot() bool { return n.parentID.IsEmpty() || n.hasRemoteParent() }

// segments divides the nodes: each belongs to exactly one.
func segments(nodes []*node, r *router) []*segment {
	var out []*segment
	rootless := map[partKey]*segment{}
	start := func(root *node, complete bool) *segment {
		s := &segment{root: root, complete: complete}
		out = append(out, s)
		s.take(root)
		return s
	}
	for _, n := range nodes {
		switch {
		case n.parent != nil:
		case n.isLocalRoot():
			start(n, true)
		default:
			if s := rootless[n.part]; s != nil {
				s.take(n)
			} else {
				rootless[n.part] = start(n, false)
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
	if len(r.attributes) == 0 {
		return
	}
	attrs := make([]pcommon.Map, 0, len(s.nodes))
	for _, n := range s.nodes {
		attrs = append(attrs, n.span.Attributes())
	}
	s.route = r.findInTrace(s.root.part.trace, s.root.identity.Attributes, attrs...)
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
func (n *node) inherited(keys ...string) string {
	for depth := 0; n != nil && depth < maxDepth; n, depth = n.parent, depth+1 {
		if s := attr.Text(n.span.Attributes(), keys...); s != "" {
			return s
		}
	}
	return ""
}
