// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

func spanWithExceptions(n int) ptrace.Span {
	span := ptrace.NewSpan()
	span.SetSpanID(pcommon.SpanID{1})
	for range n {
		span.Events().AppendEmpty().SetName("x")
		span.Events().AppendEmpty().SetName(eventException)
	}
	return span
}

func TestExceptionsOfASpanAreBounded(t *testing.T) {
	for _, test := range []struct{ exceptions, most, read, left int }{
		{0, 2, 0, 0}, {2, 2, 2, 0}, {3, 2, 2, 1}, {300_000, 128, 128, 300_000 - 128}, {3, 0, 0, 3},
	} {
		read, left := recordedBy(&tracetree.Node{Span: spanWithExceptions(test.exceptions)}, test.most)
		assert.Len(t, read, test.read)
		assert.Equal(t, test.left, left)
	}
}

func TestDiscardsOfAKindAreOne(t *testing.T) {
	var r Result
	for range 1000 {
		r.Discard(item.ReasonBufferFull, item.Route{}, protocol.CategoryError, 2)
	}
	r.Discard(item.ReasonBufferFull, item.Route{}, protocol.CategoryLogItem, 1)
	r.Discard(item.ReasonBufferFull, item.Route{}, protocol.CategoryLogItem, 0)
	assert.Equal(t, []item.Discard{
		{Reason: item.ReasonBufferFull, Category: protocol.CategoryError, Quantity: 2000},
		{Reason: item.ReasonBufferFull, Category: protocol.CategoryLogItem, Quantity: 1},
	}, r.Discards)
}
