// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"cmp"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// stepOf returns what failed: the node, else another step that has an ID of its own, else the run or the message.
func stepOf(n *tracetree.Node, runs []string) item.Step {
	attributes := n.Span.Attributes()
	s := item.Step{
		Emitter: attr.Text(attributes, difysemconv.AttrEmitter),
		Node:    n.Inherited(difysemconv.AttrNodeExecutionID),
		Run:     attr.Text(attributes, difysemconv.AttrMessageID),
	}
	if len(runs) > 0 {
		s.Run = runs[0]
	}
	if s.Emitter == "" || s.Node != "" {
		return s
	}
	id := attr.Text(attributes, difysemconv.AttrSpanID)
	if id, _, _ = strings.Cut(id, ":"); id != s.Run && id != attr.Text(attributes, difysemconv.AttrMessageID) {
		s.Node = id
	}
	if s.Run == "" {
		s.Node = cmp.Or(s.Node, n.TraceHex())
	}
	return s
}
