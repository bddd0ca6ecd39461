// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"slices"
	"strings"

	"github.com/getsentry/sentry-go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/route"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// TransactionID returns the event ID of the transaction of a root, which is the same whenever the root comes.
func TransactionID(root *tracetree.Node) item.ID {
	return item.NewID("transaction", root.TraceHex(), root.IDHex())
}

// ClientRoot returns the discards of a segment that is no transaction, because it is only calls to databases, Redis or
// other services, below no request, task or run; false if it is one. Calls of models are always sent.
func (c *Converter) ClientRoot(s *tracetree.Segment) (Result, bool) {
	var r Result
	if c.ClientRoots || !s.Complete || !s.Root.ParentID.IsEmpty() || slices.ContainsFunc(s.Nodes, isNoCall) {
		return r, false
	}
	r.Discard(item.ReasonClientRoot, s.Route, protocol.CategoryTransaction, 1)
	r.Discard(item.ReasonClientRoot, s.Route, protocol.CategorySpan, len(s.Nodes))
	return r, true
}

func isNoCall(n *tracetree.Node) bool {
	op := describe(n).op
	return n.Span.Kind() != ptrace.SpanKindClient ||
		op != "http.client" && !strings.HasPrefix(op, "db") && !strings.HasPrefix(op, "cache.")
}

// SetRoutes sets the routes of segments.
func SetRoutes(segments []*tracetree.Segment, routes *route.Lookup) {
	if !routes.HasRules() {
		return
	}
	for _, s := range segments {
		attrs := make([]pcommon.Map, 0, len(s.Nodes))
		for _, n := range s.Nodes {
			attrs = append(attrs, n.Span.Attributes())
		}
		s.Route = routes.FindInTrace(s.Root.Part.Trace, s.Root.Identity.Attributes, attrs...)
	}
}

// Transaction makes one transaction of a segment, or several of the same trace if one would be larger than Sentry
// accepts: each later one begins with the first span that did not fit.
func (c *Converter) Transaction(s *tracetree.Segment) Result {
	var r Result
	for left := s.Nodes; len(left) > 0; {
		left = c.part(&r, s, left)
	}
	return r
}

func (c *Converter) transactionEvent(
	s *tracetree.Segment,
	root *tracetree.Node,
	nodes []*tracetree.Node,
	id item.ID,
) *protocol.Event {
	d := describe(root)
	start := root.Start.UTC()
	ev := &protocol.Event{
		EventID: id.String(), Type: protocol.TypeTransaction, StartTimestamp: &start, Timestamp: root.End.UTC(),
		Transaction:     transactionOf(root),
		TransactionInfo: &sentry.TransactionInfo{Source: d.source},
		Request:         requestOfSpan(root),
	}
	root.Identity.Fill(ev)
	ev.SDK = c.SDK
	ev.User = userOf(attributeOf(nodes, keysUser...))
	for _, key := range eventTags {
		if key != "node.type" && key != "node.id" || len(nodes) == 1 { // which belong to single spans
			tag(ev, key, attributeOf(nodes, key))
		}
	}
	data := spanData(root, nil)
	setResponse(ev, root.Span.Attributes())
	ev.Contexts["otel"] = root.Identity.OTelContext
	ev.Contexts["trace"] = protocol.TraceContext{
		TraceID: root.TraceHex(), SpanID: root.IDHex(), ParentSpanID: root.ParentHex(),
		Op: protocol.Text(d.op, protocol.MaxOp), Status: statusOf(root.Span), Origin: protocol.Origin(d.origin, root.Scope),
		Data: data.Encode(protocol.MaxContextBytes - 3072), Links: linksOf(root.Span, 16),
	}
	if root != s.Root {
		protocol.Tag(ev.Tags, "otelcol.part_of", s.Root.IDHex())
	}
	return ev
}

// AppAndUser returns the IDs of the app and the user of a request.
func AppAndUser(s *tracetree.Segment) (app, user string) {
	return attributeOf(s.Nodes, difysemconv.AttrAppID), attributeOf(s.Nodes, keysUser...)
}

// attributeOf returns the first of the attributes found on any of the spans, the root first.
func attributeOf(nodes []*tracetree.Node, keys ...string) string {
	for _, n := range nodes {
		if v := attr.Text(n.Span.Attributes(), keys...); v != "" {
			return v
		}
	}
	return ""
}
