// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package spanrepair

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// NameNode names a node span by the type of the node. Dify uses the title, which users write in any language. The
// title is kept as an attribute.
func NameNode(span ptrace.Span) {
	attributes := span.Attributes()
	nodeType := attrs.Text(attributes, difysemconv.AttrNodeType)
	if nodeType == "" || !attrs.Has(attributes, difysemconv.AttrNodeID) ||
		attrs.Has(attributes, difysemconv.AttrNodeTitle) {
		return
	}
	attributes.PutStr(difysemconv.AttrNodeTitle, span.Name()) // empty for the start of an iteration or a loop
	span.SetName(nodeType)
}
