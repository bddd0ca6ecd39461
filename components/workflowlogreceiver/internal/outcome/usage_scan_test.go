// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package outcome

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
)

const plainMetadata = `{"total_tokens": 90, "total_price": "0.0001", "currency": "USD"}`

// scan returns the same result as encoding/json.
func FuzzScan(f *testing.F) {
	for _, text := range []string{
		plainMetadata, `{}`, `{"total_tokens":1}`, `{ "total_tokens" : 1 }`,
		`{"total_tokens": 1.5, "iteration_id": "a", "iteration_index": 0}`,
		`{"total_tokens": "", "currency": ""}`, `{"Total_Tokens": 5}`, `{"total_tokens": 01}`,
		`{"total_tokens": -0}`, `{"total_tokens": "1e3"}`,
		`{"total_tokens": 1,}`, `{,}`, `{"total_tokens": 1} x`, `{"total_tokens": null}`,
		`{"currency": 1}`, `{"currency": "a\u0041"}`, `{"currency": "é"}`,
		`{"tool_info": "a"}`, `{"tool_info": {"provider_type": "workflow"}}`,
		`{"agent_log": [{"total_tokens": 5}]}`, `{"total_tokens": 5`, ``, `[]`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var scanned, decoded nodeUsage
		if scanned.scan(text) {
			assert.NoError(t, json.Unmarshal([]byte(text), &decoded))
		}
		assert.Equal(t, decoded, scanned)
	})
}

func TestPlainMetadataIsScanned(t *testing.T) {
	var used nodeUsage
	assert.True(t, used.scan(plainMetadata))
	assert.Equal(t, nodeUsage{TotalTokens: "90", TotalPrice: "0.0001", Currency: "USD"}, used)
	assert.True(t, used.scan(`{"total_tokens": 1, "iteration_index": 0, "loop_id": "a"}`))
}
