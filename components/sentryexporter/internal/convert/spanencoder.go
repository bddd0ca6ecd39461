// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"sync"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// spanEncoder encodes the spans of a transaction in memory that it uses again.
type spanEncoder struct {
	data    protocol.Data
	origins map[[2]string]string // by category and scope
	encoded []byte               // with a comma after each
}

var spanEncoders = sync.Pool{New: func() any { return &spanEncoder{origins: map[[2]string]string{}} }}

// reset removes what was encoded, and the origins if there are too many scopes.
func (e *spanEncoder) reset() {
	const maxOrigins = 200
	if len(e.origins) > maxOrigins {
		clear(e.origins)
	}
	clear(e.data)
	e.encoded = e.encoded[:0]
}

func (e *spanEncoder) add(n *tracetree.Node) {
	d := describe(n)
	e.data = spanData(n, e.data)
	s := protocol.Span{
		TraceID: n.Part.Trace, SpanID: n.ID, ParentSpanID: n.ParentID,
		Op: protocol.Text(d.op, protocol.MaxOp), Description: protocol.Text(d.name, protocol.MaxDescription),
		Status: statusOf(n.Span), Origin: e.origin(d.origin, n.Scope),
		StartTimestamp: n.Start.UTC(), Timestamp: n.End.UTC(),
		Data: e.data, Links: linksOf(n.Span, maxLinks),
	}
	e.encoded = append(s.Append(e.encoded), ',')
}

func (e *spanEncoder) origin(category, scope string) string {
	key := [2]string{category, scope}
	origin, ok := e.origins[key]
	if !ok {
		origin = protocol.Origin(category, scope)
		e.origins[key] = origin
	}
	return origin
}
