// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracetree

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
)

type spanKey struct {
	part PartKey
	id   pcommon.SpanID
}

// Tree contains the spans of a push, and those that were pending for one of its roots.
type Tree struct {
	Nodes []*Node
	// Duplicates is the number of spans that were added more than once.
	Duplicates int

	now   time.Time
	index map[spanKey]*Node
}

// New returns an empty tree with room for a number of spans. now replaces missing times.
func New(spans int, now time.Time) *Tree {
	return &Tree{now: now, Nodes: make([]*Node, 0, spans), index: make(map[spanKey]*Node, spans)}
}

// Add adds the spans of a resource, each once.
func (t *Tree) Add(rs ptrace.ResourceSpans, id *resource.Identity) { t.add(rs, id, false) }

func (t *Tree) add(rs ptrace.ResourceSpans, id *resource.Identity, wasPending bool) {
	for _, ss := range rs.ScopeSpans().All() {
		scope := ss.Scope().Name()
		room := make([]Node, ss.Spans().Len())
		for i, span := range ss.Spans().All() {
			n := &room[i]
			n.fill(span, scope, id, t.now)
			n.WasPending = wasPending
			key := spanKey{n.Part, n.ID}
			if t.index[key] != nil {
				t.Duplicates++
				continue
			}
			t.index[key] = n
			t.Nodes = append(t.Nodes, n)
		}
	}
}

// PushIDs returns the nodes of each part of a trace, by an ID that is made from the part's spans: the same spans that
// come together again have the same ID.
func (t *Tree) PushIDs() map[item.ID][]*Node {
	parts := map[PartKey][]*Node{}
	for _, n := range t.Nodes {
		parts[n.Part] = append(parts[n.Part], n)
	}
	out := make(map[item.ID][]*Node, len(parts))
	for key, nodes := range parts {
		out[pushID(key, nodes)] = nodes
	}
	return out
}

func pushID(part PartKey, nodes []*Node) item.ID {
	ids := make([]pcommon.SpanID, len(nodes))
	for i, n := range nodes {
		ids[i] = n.ID
	}
	slices.SortFunc(ids, func(a, b pcommon.SpanID) int { return bytes.Compare(a[:], b[:]) })
	h := sha256.New()
	h.Write([]byte("push"))
	h.Write(part.process[:])
	h.Write(part.Trace[:])
	for _, id := range ids {
		h.Write(id[:])
	}
	var sum [sha256.Size]byte
	return item.ID(h.Sum(sum[:0])[:16])
}

// Link connects parents and children of the same process. Spans that are added later stay unconnected.
func (t *Tree) Link() {
	for _, n := range t.Nodes {
		if n.IsLocalRoot() {
			continue
		}
		if p := t.index[spanKey{n.Part, n.ParentID}]; p != nil && p != n {
			n.parent = p
			p.children = append(p.children, n)
		}
	}
}
