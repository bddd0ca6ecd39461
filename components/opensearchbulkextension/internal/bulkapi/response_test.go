// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestClassify has the responses of a real node (OpenSearch 3.6) for one document.
func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		status int
		kind   string
		create bool
		want   Result
	}{
		{http.StatusCreated, "", true, Accepted},
		{http.StatusOK, "", false, Accepted},
		{http.StatusConflict, "version_conflict_engine_exception", true, Duplicate},
		{http.StatusConflict, "version_conflict_engine_exception", false, Rejected},
		{http.StatusUnauthorized, "security_exception", true, RetryLater},
		{http.StatusForbidden, "cluster_block_exception", true, RetryLater},
		{http.StatusForbidden, "security_exception", true, RetryLater},
		{http.StatusNotFound, "index_not_found_exception", true, RetryLater},
		{http.StatusNotFound, "document_missing_exception", true, Rejected},
		{http.StatusTooManyRequests, "rejected_execution_exception", true, RetryLater},
		{http.StatusTooManyRequests, "circuit_breaking_exception", true, RetryLater},
		{http.StatusInternalServerError, "i_o_exception", true, RetryLater},
		{http.StatusServiceUnavailable, "unavailable_shards_exception", true, RetryLater},
		{http.StatusBadRequest, "validation_exception", true, RetryLater},
		{http.StatusBadRequest, "mapper_parsing_exception", true, Rejected},
		{http.StatusBadRequest, "strict_dynamic_mapping_exception", true, Rejected},
		{http.StatusBadRequest, "invalid_index_name_exception", true, Rejected},
		{http.StatusBadRequest, "index_closed_exception", true, Rejected},
		{0, "", true, RetryLater},
	} {
		got := responseItem{Status: tt.status}
		if tt.kind != "" {
			got.Error = &ErrorCause{Type: tt.kind}
		}
		assert.Equal(t, tt.want, classify(got, Item{Create: tt.create}).Result, "%d %s", tt.status, tt.kind)
	}
}

func TestResponsesWithoutErrors(t *testing.T) {
	for response, want := range map[string]bool{
		`{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":200}}]}`:             true,
		`{"took":3, "errors" : false, "items" : [ {"create":{"status":201}} , {"x":[1,{"y":2}]} ] }`: true,
		`{"items":[1,2],"errors":false}`:                                          true,
		`{"errors":true,"items":[{"create":{"status":201}},{"create":{}}]}`:       false,
		`{"errors":false,"items":[{"create":{"status":201}}]}`:                    false,
		`{"errors":false,"items":[]}`:                                             false,
		`{"errors":false,"items":{"a":1,"b":2}}`:                                  false,
		`{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":`: false,
		`{"items":[1,2]}`:  false,
		`{"errors":false}`: false,
		`<html>`:           false,
		``:                 false,
	} {
		assert.Equal(t, want, withoutErrors([]byte(response), 2), response)
	}
}

func TestReadResponseGivesCauses(t *testing.T) {
	results, err := ReadResponse(
		[]byte(
			`{"items":[{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse","caused_by":{"type":"number_format_exception","reason":"for input"}}}}]}`,
		),
		make([]Item, 1),
	)
	require.NoError(t, err)
	assert.Equal(t, "failed to parse; caused by number_format_exception: for input", results[0].Reason)
}
