// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracetree

import (
	"slices"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// Segment is what becomes one transaction: a local root with its descendants, or all spans of a process in one trace
// that came without their root. Spans keep their own parents, so that Sentry's trace view puts them in their place.
type Segment struct {
	Root  *Node
	Nodes []*Node // the root first, the others by start
	// Complete means that Root is a root of its process's part of the trace.
	Complete bool
	// Route is set by the caller.
	Route item.Route
}

// Segments divides a linked tree. Each node belongs to exactly one segment.
func (t *Tree) Segments() []*Segment {
	var out []*Segment
	rootless := map[PartKey]*Segment{}
	start := func(root *Node, complete bool) *Segment {
		s := &Segment{Root: root, Complete: complete}
		out = append(out, s)
		s.add(root)
		return s
	}
	for _, n := range t.Nodes {
		switch {
		case n.parent != nil:
		case n.IsLocalRoot():
			start(n, true)
		default:
			if s := rootless[n.Part]; s != nil {
				s.add(n)
			} else {
				rootless[n.Part] = start(n, false)
			}
		}
	}
	for _, n := range t.Nodes { // parents in a cycle
		if n.Segment == nil {
			start(n, false)
		}
	}
	for _, s := range out {
		s.sort()
	}
	return out
}

// add puts a node and its descendants into the segment.
func (s *Segment) add(n *Node) {
	stack := []*Node{n}
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if top.Segment != nil {
			continue
		}
		top.Segment = s
		s.Nodes = append(s.Nodes, top)
		stack = append(stack, top.children...)
	}
}

func (s *Segment) sort() {
	slices.SortStableFunc(s.Nodes, func(a, b *Node) int { return a.Start.Compare(b.Start) })
	if s.Complete {
		at := slices.Index(s.Nodes, s.Root)
		s.Nodes = slices.Insert(slices.Delete(s.Nodes, at, at+1), 0, s.Root)
	} else {
		s.Root = s.Nodes[0]
	}
}
