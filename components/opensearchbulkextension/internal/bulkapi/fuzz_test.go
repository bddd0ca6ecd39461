// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The shortcut for a response without errors accepts nothing that the decoder reads otherwise.
func FuzzReadResponse(f *testing.F) {
	f.Add([]byte(`{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":200}}]}`))
	f.Add([]byte(`{"errors":true,"items":[{"create":{"status":409,"error":{"type":"version_conflict_engine_exception"}}},` +
		`{"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"r","caused_by":{}}}}]}`))
	f.Add([]byte(`{"items":[{},{"a":1}],"errors":"false"}`))
	f.Add([]byte(`{"error":{"type":"x"},"status":400}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		items := make([]Item, 2)
		results, err := ReadResponse(body, items)
		if err != nil {
			return
		}
		assert.Len(t, results, len(items))
		var response struct {
			Errors bool              `json:"errors"`
			Items  []json.RawMessage `json:"items"`
		}
		if withoutErrors(body, len(items)) && json.Unmarshal(body, &response) == nil {
			assert.False(t, response.Errors)
			assert.Len(t, response.Items, len(items))
		}
	})
}
