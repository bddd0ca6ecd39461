// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package opensearchbulkextension

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulktest"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/deliver"
	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/metadatatest"
)

func TestOwnTelemetry(t *testing.T) {
	node := newFakeNode(
		t,
		status(http.StatusServiceUnavailable, ""),
		status(http.StatusTooManyRequests, ""),
		status(http.StatusOK, "junk"),
	)
	r := start(t, testConfig(), newTestHost(t))
	_, _, err := post(
		t.Context(),
		r.client(t),
		node.URL,
		bulktest.Body("l", bulktest.LogDoc("a", "t"), bulktest.LogDoc("b", "t")),
	)
	require.NoError(t, err)
	require.NoError(t, r.store.Put(t.Context(), storedBody(t, "c"), 1))

	var retries []metricdata.DataPoint[int64]
	happened := map[deliver.Reason]int64{deliver.ReasonRefused: 1, deliver.ReasonThrottled: 1, deliver.ReasonNotJSON: 1}
	for why := range reasonOptions { // each is counted from zero
		retries = append(retries, metricdata.DataPoint[int64]{
			Value: happened[why], Attributes: attribute.NewSet(attribute.String("reason", string(why))),
		})
	}
	ignore := []metricdatatest.Option{metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreValue()}
	metadatatest.AssertEqualOpensearchBulkRetries(t, r.tel, retries, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualOpensearchBulkRequests(
		t,
		r.tel,
		[]metricdata.DataPoint[int64]{{Value: 4}},
		metricdatatest.IgnoreTimestamp(),
	)
	metadatatest.AssertEqualOpensearchBulkBlockDuration(t, r.tel, []metricdata.HistogramDataPoint[float64]{{}}, ignore...)
	metadatatest.AssertEqualOpensearchBulkStoredItems(
		t,
		r.tel,
		[]metricdata.DataPoint[int64]{{Value: 1}},
		metricdatatest.IgnoreTimestamp(),
	)
	metadatatest.AssertEqualOpensearchBulkStoredBytes(
		t,
		r.tel,
		[]metricdata.DataPoint[int64]{{Value: int64(len(storedBody(t, "c")))}},
		metricdatatest.IgnoreTimestamp(),
	)
	r.requireItems(t, map[deliver.Outcome]int64{deliver.OutcomeDelivered: 2})
}
