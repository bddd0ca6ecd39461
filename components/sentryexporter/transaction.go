// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"encoding/binary"
	"math"

	"github.com/getsentry/sentry-go"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// transactionID is the same whenever a root comes.
func transactionID(root *node) item.ID {
	return item.NewID("transaction", root.traceHex(), root.idHex())
}

// alreadySent tells whether the transaction of a root was handed on.
func (c *conversion) alreadySent(root *node) bool {
	return c.shared.seen.known(transactionID(root), c.now)
}

// transaction makes one transaction of a segment, or several of the same trace where one would be larger than Sentry
// takes: each later one begins with the first span that had no room.
func (c *conversion) transaction(s *segment) {
	for left := s.nodes; len(left) > 0; {
		left = c.onePart(s, left)
	}
}

// onePart makes a transaction of as many nodes as it can hold and returns the others.
func (c *conversion) onePart(s *segment, nodes []*node) (left []*node) {
	root := nodes[0]
	spans := spanEncoders.Get().(*spanEncoder)
	defer spanEncoders.Put(spans)
	fitting := spans.fit(nodes[1:])
	left = nodes[1+fitting:]
	id := transactionID(root)
	payload, err := c.transactionEvent(s, root, nodes[:1+fitting], id).Encode(spans.encoded)
	if err != nil {
		c.discard(item.ReasonInternal, s.route, protocol.CategoryTransaction, 1)
		c.discard(item.ReasonInternal, s.route, protocol.CategorySpan, 1+fitting)
		return left
	}
	c.shared.seen.add(id, c.now)
	c.rest = append(c.rest, &item.Item{
		Category: protocol.CategoryTransaction, EventID: id.String(), Route: s.route, Time: root.end, Count: 1, Spans: 1 + fitting,
		Size: len(payload), Payload: payload, ID: id,
	})
	return left
}

// fit encodes spans as long as there is room.
func (e *spanEncoder) fit(nodes []*node) (fitting int) {
	e.reset()
	for _, n := range nodes[:min(len(nodes), protocol.MaxSpans)] {
		before := len(e.encoded)
		e.add(n)
		if len(e.encoded) > protocol.MaxSpanBytes {
			e.encoded = e.encoded[:before]
			break
		}
		fitting++
	}
	return fitting
}

func (*conversion) transactionEvent(s *segment, root *node, nodes []*node, id item.ID) *protocol.Event {
	d := describe(root)
	start := root.start.UTC()
	ev := &protocol.Event{
		EventID: id.String(), Type: protocol.TypeTransaction, StartTimestamp: &start, Timestamp: root.end.UTC(),
		Transaction:     protocol.Line(d.transactionName(root.span), protocol.MaxTransaction),
		TransactionInfo: &sentry.TransactionInfo{Source: d.source},
		Request:         requestOfSpan(root),
	}
	root.identity.Fill(ev)
	ev.SDK = sdkInfo()
	ev.User = userOf(attributeOf(nodes, keysUser...))
	for _, key := range eventTags {
		if key != "node.type" && key != "node.id" || len(nodes) == 1 { // of single spans
			tag(ev, key, attributeOf(nodes, key))
		}
	}
	data := spanData(root, nil)
	protocol.Tag(ev.Tags, "http.status_code", attr.Text(root.span.Attributes(), keysStatus...))
	if status, ok := data.Get("http.response.status_code"); ok {
		if code, ok := status.Scalar().(int64); ok {
			ev.Contexts["response"] = map[string]any{"status_code": code}
		}
	}
	ev.Contexts["otel"] = root.identity.OTelContext
	ev.Contexts["trace"] = protocol.TraceContext{
		TraceID: root.traceHex(), SpanID: root.idHex(), ParentSpanID: root.parentHex(),
		Op: protocol.Text(d.op, protocol.MaxOp), Status: statusOf(root.span), Origin: protocol.Origin(d.origin, root.scope),
		Data: data.Encode(protocol.MaxContextBytes - 3072), Links: linksOf(root.span, 16),
	}
	if root != s.root {
		protocol.Tag(ev.Tags, "otelcol.part_of", s.root.idHex())
	}
	return ev
}

// attributeOf is the first of the attributes found on any of the spans, the root first.
func attributeOf(nodes []*node, keys ...string) string {
	for _, n := range nodes {
		if v := attr.Text(n.span.Attributes(), keys...); v != "" {
			return v
		}
	}
	return ""
}

// sampled decides by trace id, so that all parts of a trace are sent or none. The id is mixed first: samplers before this
// one may have chosen by its bits.
func sampled(trace pcommon.TraceID, rate float64) bool {
	if rate >= 1 {
		return true
	}
	x := binary.BigEndian.Uint64(trace[:8]) ^ mix(binary.BigEndian.Uint64(trace[8:]))
	return float64(mix(x)) < rate*math.MaxUint64
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}
