// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package outcome

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/workflowlogreceiver/internal/source"
)

// Whatever a row says, counters only grow, by amounts that a counter survives.
func FuzzUsage(f *testing.F) {
	for _, metadata := range []string{
		`{"total_tokens": 12, "total_price": "0.0012", "currency": "USD"}`,
		`{"total_tokens": "12", "total_price": null, "tool_info": {"provider_type": "workflow"}}`,
		`{"total_tokens": -1, "total_price": 1e400, "currency": "\u0000"}`, `[]`, `{"total_tokens": {"a": 1}}`, "",
	} {
		f.Add(metadata, "llm")
	}
	f.Fuzz(func(t *testing.T, metadata, nodeType string) {
		var usage Usage
		usage.Add(source.Node{Type: nodeType, Metadata: metadata})
		assert.GreaterOrEqual(t, usage.Total, int64(0))
		assert.GreaterOrEqual(t, usage.Nested, int64(0))
		for _, price := range usage.Prices {
			assert.Greater(t, price.Amount, 0.0)
			assert.Less(t, price.Amount, maxPrice)
		}
	})
}
