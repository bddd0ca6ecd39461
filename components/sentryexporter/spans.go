// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"bytes"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// traces makes error events of the exceptions in a push, and transactions of its roots and what waited for them. Spans
// without their root wait.
func (c *conversion) traces(td ptrace.Traces) {
	t := newTree(td.SpanCount(), c.now)
	for _, rs := range td.ResourceSpans().All() {
		t.add(rs, c.identity(rs.Resource()), false)
	}
	c.noteRepeated(t)
	waited := c.recall(t)
	t.link()
	all := segments(t.nodes, c.shared.router)
	c.exceptions(t.nodes)
	c.discard(item.ReasonDuplicate, item.Route{}, protocol.CategorySpan, t.twice)
	for _, s := range all {
		switch {
		case !sampled(s.root.part.trace, c.cfg.TracesSampleRate):
			c.unsampled(s)
		case s.complete && !c.alreadySent(s.root):
			c.transaction(s)
		default:
			c.holdBack(s, waited[s.root.part])
		}
	}
	if c.cfg.RootWait == 0 { // else the exporter does it in time
		c.release(c.shared.pending.due(c.now, len(all)))
	}
}

// noteRepeated marks what came in the same push before, part by part: a sender that got no answer sends the same spans
// again, while the root of some of them has left.
func (c *conversion) noteRepeated(t *tree) {
	parts := map[partKey][]*node{}
	for _, n := range t.nodes {
		parts[n.part] = append(parts[n.part], n)
	}
	for key, nodes := range parts {
		ids := make([]pcommon.SpanID, len(nodes))
		for i, n := range nodes {
			ids[i] = n.id
		}
		slices.SortFunc(ids, func(a, b pcommon.SpanID) int { return bytes.Compare(a[:], b[:]) })
		mark := identifyPush(key, ids)
		if c.shared.seen.add(mark, c.now) {
			c.pushed = append(c.pushed, mark)
			continue
		}
		for _, n := range nodes {
			n.repeated = true
		}
	}
}

// recall adds what waits for the roots in the push, and returns since when it was to wait.
func (c *conversion) recall(t *tree) map[partKey]time.Time {
	due := map[partKey]time.Time{}
	for _, n := range t.nodes { // without those that are added here
		if _, done := due[n.part]; done || !n.isLocalRoot() || c.alreadySent(n) {
			continue
		}
		if p := c.shared.pending.take(n.part); p != nil {
			due[n.part] = p.due
			c.discard(item.ReasonInternal, item.Route{}, protocol.CategorySpan, p.addTo(t))
		}
	}
	return due
}

// holdBack lets the spans of a segment wait that came for the first time: those without their root, and those that came
// with a root which was told before.
func (c *conversion) holdBack(s *segment, due time.Time) {
	fresh := slices.DeleteFunc(slices.Clone(s.nodes), func(n *node) bool {
		return n.repeated || s.complete && n == s.root
	})
	c.discard(item.ReasonDuplicate, s.route, protocol.CategorySpan, len(s.nodes)-len(fresh))
	if s.complete {
		c.discard(item.ReasonDuplicate, s.route, protocol.CategoryTransaction, 1)
	}
	if len(fresh) == 0 {
		return
	}
	if due.IsZero() {
		due = c.now.Add(c.cfg.RootWait)
	}
	c.release(c.shared.pending.add(fresh, due))
}

// release makes transactions of spans that waited in vain: one for each process and trace.
func (c *conversion) release(parts []*pendingPart) {
	for _, p := range parts {
		t := newTree(p.count(), c.now)
		c.discard(item.ReasonInternal, item.Route{}, protocol.CategorySpan, p.addTo(t))
		t.link()
		for _, s := range segments(t.nodes, c.shared.router) {
			c.transaction(s)
		}
	}
}

func (c *conversion) unsampled(s *segment) {
	if s.complete {
		c.discard(item.ReasonSampled, s.route, protocol.CategoryTransaction, 1)
	}
	c.discard(item.ReasonSampled, s.route, protocol.CategorySpan, len(s.nodes))
}
