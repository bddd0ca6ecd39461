// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/metadatatest"
)

// TestClassify holds the answers of a real node (OpenSearch 3.6) for one document.
func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		status int
		kind   string
		create bool
		want   result
	}{
		{http.StatusCreated, "", true, accepted},
		{http.StatusOK, "", false, accepted},
		{http.StatusConflict, "version_conflict_engine_exception", true, duplicate},
		{http.StatusConflict, "version_conflict_engine_exception", false, rejected},
		{http.StatusUnauthorized, "security_exception", true, retryLater},
		{http.StatusForbidden, "cluster_block_exception", true, retryLater},
		{http.StatusForbidden, "security_exception", true, retryLater},
		{http.StatusNotFound, "index_not_found_exception", true, retryLater},
		{http.StatusNotFound, "document_missing_exception", true, rejected},
		{http.StatusTooManyRequests, "rejected_execution_exception", true, retryLater},
		{http.StatusTooManyRequests, "circuit_breaking_exception", true, retryLater},
		{http.StatusInternalServerError, "i_o_exception", true, retryLater},
		{http.StatusServiceUnavailable, "unavailable_shards_exception", true, retryLater},
		{http.StatusBadRequest, "validation_exception", true, retryLater},
		{http.StatusBadRequest, "mapper_parsing_exception", true, rejected},
		{http.StatusBadRequest, "strict_dynamic_mapping_exception", true, rejected},
		{http.StatusBadRequest, "invalid_index_name_exception", true, rejected},
		{http.StatusBadRequest, "index_closed_exception", true, rejected},
		{0, "", true, retryLater},
	} {
		got := responseItem{Status: tt.status}
		if tt.kind != "" {
			got.Error = &responseError{Type: tt.kind}
		}
		assert.Equal(t, tt.want, judge(got, item{create: tt.create}).result, "%d %s", tt.status, tt.kind)
	}
}

func TestResponsesWithoutErrors(t *testing.T) {
	for answer, want := range map[string]bool{
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
		assert.Equal(t, want, withoutErrors([]byte(answer), 2), answer)
	}
}

func TestReadResponseGivesCauses(t *testing.T) {
	results, err := readResponse([]byte(`{"items":[{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse","caused_by":{"type":"number_format_exception","reason":"for input"}}}}]}`), make([]item, 1))
	require.NoError(t, err)
	assert.Equal(t, "failed to parse; caused by number_format_exception: for input", results[0].reason)
}

func TestOwnTelemetry(t *testing.T) {
	node := newFakeNode(t, status(http.StatusServiceUnavailable, ""), status(http.StatusTooManyRequests, ""), status(http.StatusOK, "junk"))
	r := start(t, testConfig(), newTestHost(t))
	_, _, err := post(t.Context(), r.client(t), node.URL, bulk("l", logDoc("a", "t"), logDoc("b", "t")))
	require.NoError(t, err)
	require.NoError(t, r.deliverer.store.put(t.Context(), someItems(t, "c")))

	var retries []metricdata.DataPoint[int64]
	happened := map[reason]int64{reasonRefused: 1, reasonThrottled: 1, reasonNotJSON: 1}
	for why := range reasonOptions { // each is counted from zero
		retries = append(retries, metricdata.DataPoint[int64]{
			Value: happened[why], Attributes: attribute.NewSet(attribute.String("reason", string(why))),
		})
	}
	ignore := []metricdatatest.Option{metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreValue()}
	metadatatest.AssertEqualOpensearchBulkRetries(t, r.tel, retries, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualOpensearchBulkRequests(t, r.tel, []metricdata.DataPoint[int64]{{Value: 4}}, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualOpensearchBulkHoldDuration(t, r.tel, []metricdata.HistogramDataPoint[float64]{{}}, ignore...)
	metadatatest.AssertEqualOpensearchBulkStoredItems(t, r.tel, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualOpensearchBulkStoredBytes(t, r.tel, []metricdata.DataPoint[int64]{{Value: int64(len(join(someItems(t, "c"))))}}, metricdatatest.IgnoreTimestamp())
	r.requireItems(t, map[outcome]int64{outcomeDelivered: 2})
}

func TestNetworkFailureHidesTheURL(t *testing.T) {
	r := start(t, testConfig(), newTestHost(t))
	client := newOwnTarget(&http.Client{Transport: roundTripperFunc(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("refused")
	})}, "http://user:secret@127.0.0.1:1")
	resp, err := client.send(t.Context(), nil)
	if resp != nil {
		require.NoError(t, resp.Body.Close())
	}
	require.Error(t, err)
	assert.Equal(t, "refused", networkFailure(err).text)
	assertNoContent(t, r)
}
