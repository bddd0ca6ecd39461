// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/convert"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/route"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// conversion is what the telemetry of one push becomes. It connects the conversion, which is pure, with what was seen
// before and what is pending.
type conversion struct {
	convert.Result

	shared *sharedState
	now    time.Time
	routes *route.Lookup
	// handled are errors of client spans whose outcome the push has.
	handled []*item.Item
	// spanIDs recognize a redelivery of the same spans.
	spanIDs []item.ID
}

func (s *sharedState) newConversion() *conversion {
	now := s.now()
	return &conversion{shared: s, now: now, routes: s.router.Lookup(now)}
}

func (s *sharedState) convertLogs(ld plog.Logs) *conversion {
	c := s.newConversion()
	result, records, lines := s.converter.Logs(ld, s.identities.Identity, c.routes, c.now)
	s.known.Lines(lines, c.now)
	c.Add(result)
	records = slices.DeleteFunc(records, func(rec convert.LogRecord) bool {
		if rec.ID == (item.ID{}) || s.seen.Add(rec.ID, c.now) {
			return false
		}
		c.Discard(item.ReasonDuplicate, rec.Route, protocol.CategoryLogItem, 1)
		return true
	})
	c.Add(convert.BatchLogs(records))
	s.router.Remember(c.routes, c.now)
	return c
}

func (s *sharedState) convertTraces(td ptrace.Traces) *conversion {
	c := s.newConversion()
	c.traces(td)
	s.router.Remember(c.routes, c.now)
	return c
}

// traces converts exceptions to events, and roots to transactions, together with the spans that were pending for them.
// Spans without their root become pending.
func (c *conversion) traces(td ptrace.Traces) {
	t := tracetree.New(td.SpanCount(), c.now)
	for _, rs := range td.ResourceSpans().All() {
		t.Add(rs, c.shared.identities.Identity(rs.Resource()))
	}
	c.markRepeated(t)
	wasDue := c.addPending(t)
	t.Link()
	segments := t.Segments()
	convert.SetRoutes(segments, c.routes)
	c.shared.known.Spans(t, c.now)
	c.Add(c.shared.converter.Exceptions(t.Nodes, c.routes, c))
	c.findOutcomes(t)
	c.Discard(item.ReasonDuplicate, item.Route{}, protocol.CategorySpan, t.Duplicates)
	for _, s := range segments {
		discards, out := c.shared.converter.SampledOut(s)
		if !out {
			discards, out = c.shared.converter.ClientRoot(s)
		}
		switch {
		case out:
			c.Add(discards)
		case s.Complete && !c.alreadySent(s.Root):
			c.transaction(s)
		default:
			c.wait(s, wasDue[s.Root.Part])
		}
	}
	if c.shared.cfg.RootWait == 0 { // otherwise the exporter releases what is due
		c.release(c.shared.pending.Due(c.now, len(segments)))
	}
}

// Complete sets what an event lacks.
func (c *conversion) Complete(ev *protocol.Event) { c.shared.known.Complete(ev, c.now) }

// Earlier returns the pending spans of a part of a trace.
func (c *conversion) Earlier(part tracetree.PartKey) []*tracetree.Node {
	return c.shared.pending.Peek(part)
}

// findOutcomes finds the errors of client spans that wait for one of the spans, and whose outcome is known now.
func (c *conversion) findOutcomes(t *tracetree.Tree) {
	store := c.shared.waiting.store
	if !store.Waiting() {
		return
	}
	for _, n := range t.Nodes {
		below := store.Below(convert.SpanID(n.TraceHex(), n.IDHex()))
		if len(below) == 0 {
			continue
		}
		for _, it := range below {
			if parent, known := convert.Outcome(n, it.Time); known {
				c.handled = append(c.handled, it)
			} else {
				store.SetParent(it, parent)
			}
		}
	}
}

// markRepeated marks spans that came together in an earlier push, part by part: a client that got no response sends the
// same spans again, when the root of some of them is already sent.
func (c *conversion) markRepeated(t *tracetree.Tree) {
	for id, nodes := range t.PushIDs() {
		if c.shared.seen.Add(id, c.now) {
			c.spanIDs = append(c.spanIDs, id)
			continue
		}
		for _, n := range nodes {
			n.Repeated = true
		}
	}
}

// addPending adds the spans that are pending for the roots in the push. It returns when they were due.
func (c *conversion) addPending(t *tracetree.Tree) map[tracetree.PartKey]time.Time {
	due := map[tracetree.PartKey]time.Time{}
	for _, n := range t.Nodes { // not those that are added here
		if _, done := due[n.Part]; done || !n.IsLocalRoot() || c.alreadySent(n) {
			continue
		}
		if part := c.shared.pending.Take(n.Part); part != nil {
			due[n.Part] = part.Due
			c.addTo(t, part)
		}
	}
	return due
}

func (c *conversion) addTo(t *tracetree.Tree, part *tracetree.Part) {
	c.Discard(item.ReasonInternal, item.Route{}, protocol.CategorySpan, part.AddTo(t))
}

// alreadySent reports whether the transaction of a root was accepted for delivery before.
func (c *conversion) alreadySent(root *tracetree.Node) bool {
	return c.shared.seen.Contains(convert.TransactionID(root), c.now)
}

func (c *conversion) transaction(s *tracetree.Segment) {
	result := c.shared.converter.Transaction(s)
	for _, it := range result.Items {
		c.shared.seen.Add(it.ID, c.now)
	}
	c.Add(result)
}

// wait makes the spans of a segment pending that came for the first time: those without their root, and those whose
// root is already sent.
func (c *conversion) wait(s *tracetree.Segment, due time.Time) {
	fresh := slices.DeleteFunc(slices.Clone(s.Nodes), func(n *tracetree.Node) bool {
		return n.Repeated || s.Complete && n == s.Root
	})
	c.Discard(item.ReasonDuplicate, s.Route, protocol.CategorySpan, len(s.Nodes)-len(fresh))
	if s.Complete {
		c.Discard(item.ReasonDuplicate, s.Route, protocol.CategoryTransaction, 1)
	}
	if len(fresh) == 0 {
		return
	}
	if due.IsZero() {
		due = c.now.Add(c.shared.cfg.RootWait)
	}
	c.release(c.shared.pending.Add(fresh, due))
}

// release makes transactions of spans whose root did not come: one for each process and trace.
func (c *conversion) release(parts []*tracetree.Part) {
	for _, part := range parts {
		t := tracetree.New(part.Spans(), c.now)
		c.addTo(t, part)
		t.Link()
		segments := t.Segments()
		convert.SetRoutes(segments, c.routes)
		for _, s := range segments {
			c.transaction(s)
		}
	}
}
