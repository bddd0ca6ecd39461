// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

func TestRequestSurvivesItsEncoding(t *testing.T) {
	want := &request{items: []*item.Item{
		{
			Category: "error",
			EventID:  "a",
			Route:    item.Route{Attribute: "dify.tenant_id", Value: "t"},
			Time:     time.Unix(1, 2).UTC(),
			Count:    1,
			Size:     5,
			Payload:  []byte("{\n\"\"}"),
		},
		{
			Category: "transaction",
			EventID:  "b",
			Time:     time.Unix(3, 0).UTC(),
			Count:    1,
			Spans:    7,
			Size:     2,
			Payload:  []byte("{}"),
		},
	}}
	b, err := Encoding{}.Marshal(t.Context(), want)
	require.NoError(t, err)
	_, got, err := Encoding{}.Unmarshal(b)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Equal(t, 8, got.ItemsCount())
	assert.Equal(t, 7, got.BytesSize())
	for _, damaged := range [][]byte{nil, []byte("2{}"), []byte("1{"), []byte("1{}x\n"), b[:len(b)-1]} {
		_, _, err := Encoding{}.Unmarshal(damaged)
		require.Error(t, err, string(damaged))
	}
}

// TestQueueOfAnEarlierVersionIsRead decodes a request that the version with the collector v0.165 stored first.
func TestQueueOfAnEarlierVersionIsRead(t *testing.T) {
	stored, err := os.ReadFile(filepath.Join("testdata", "queued_request.txt"))
	require.NoError(t, err)
	_, r, err := Encoding{}.Unmarshal(stored)
	require.NoError(t, err)
	items := r.(*request).items
	require.Len(t, items, 3)
	for i, category := range []protocol.Category{
		protocol.CategoryError, protocol.CategoryTransaction, protocol.CategoryLogItem,
	} {
		assert.Equal(t, category, items[i].Category)
		assert.Equal(t, item.Route{Attribute: "dify.tenant_id", Value: "b"}, items[i].Route)
		assert.Len(t, items[i].Payload, items[i].Size)
		assert.True(t, json.Valid(items[i].Payload))
		assert.Equal(t, time.UTC, items[i].Time.Location())
	}
	again, err := Encoding{}.Marshal(t.Context(), r)
	require.NoError(t, err)
	assert.Equal(t, string(stored), string(again), "the form has not changed")
}
