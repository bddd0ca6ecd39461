// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

func TestRequestSurvivesItsEncoding(t *testing.T) {
	want := &request{items: []*item.Item{
		{Category: "error", EventID: "a", Route: item.Route{Attribute: "dify.tenant_id", Value: "t"}, Time: time.Unix(1, 2).UTC(), Count: 1, Size: 5, Payload: []byte("{\n\"\"}")},
		{Category: "transaction", EventID: "b", Time: time.Unix(3, 0).UTC(), Count: 1, Spans: 7, Size: 2, Payload: []byte("{}")},
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
