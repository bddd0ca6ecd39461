// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// part makes a transaction of as many nodes as fit, and returns the others.
func (c *Converter) part(r *Result, s *tracetree.Segment, nodes []*tracetree.Node) (left []*tracetree.Node) {
	root := nodes[0]
	spans := spanEncoders.Get().(*spanEncoder)
	defer spanEncoders.Put(spans)
	fitting := spans.fit(nodes[1:])
	left = nodes[1+fitting:]
	id := TransactionID(root)
	payload, err := c.transactionEvent(s, root, nodes[:1+fitting], id).Encode(spans.encoded)
	if err != nil {
		r.Discard(item.ReasonInternal, s.Route, protocol.CategoryTransaction, 1)
		r.Discard(item.ReasonInternal, s.Route, protocol.CategorySpan, 1+fitting)
		return left
	}
	r.Items = append(r.Items, &item.Item{
		Category: protocol.CategoryTransaction, EventID: id.String(), Route: s.Route, Time: root.End, Count: 1,
		Spans: 1 + fitting,
		Size:  len(payload), Payload: payload, ID: id,
	})
	return left
}

// fit encodes spans as long as they fit, and returns their number.
func (e *spanEncoder) fit(nodes []*tracetree.Node) (fitting int) {
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
