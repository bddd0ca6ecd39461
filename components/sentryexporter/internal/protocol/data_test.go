// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func decoded(t *testing.T, encoded []byte) map[string]any {
	t.Helper()
	out := map[string]any{}
	require.NoError(t, json.Unmarshal(encoded, &out), string(encoded))
	return out
}

func TestDataEncodes(t *testing.T) {
	d := Data{
		{"text", TextValue("a\"b\\c\nd\x01\u2028é\xff")},
		{"texts", TextsValue("x", "y\t")},
		{"int", IntValue(math.MinInt64)},
		{"float", FloatValue(1e30)},
		{"nan", FloatValue(math.NaN())},
		{"true", BoolValue(true)},
		{"", BoolValue(false)},
	}
	assert.Equal(t, map[string]any{
		"text": "a\"b\\c\nd\x01\u2028é\uFFFD", "texts": []any{"x", "y\t"}, "int": float64(math.MinInt64), "float": 1e30,
		"nan": "NaN", "true": true, "": false,
	}, decoded(t, d.Append(nil)))
	assert.Equal(t, true, d[5].Value.Scalar())
	assert.Equal(t, `["x","y\u0009"]`, d[1].Value.Scalar())
	assert.Equal(t, "true", d[5].Value.Text())
}

func TestDataIsAList(t *testing.T) {
	var d Data
	d.Set("a", IntValue(1))
	d.Set("a", IntValue(2))
	d.Supply("a", IntValue(3))
	d.Supply("b", IntValue(4))
	d.Delete("a")
	_, ok := d.Get("a")
	assert.False(t, ok)
	assert.Equal(t, Data{{"b", IntValue(4)}}, d)
}

// FuzzText has encoding/json read what was written.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "\x00\x1f \"\\/", "\xff\xc3", "字\u2028", "<b>&"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		require.NoError(t, json.Unmarshal(appendText(nil, s), &got))
		want := strings.Builder{}
		for _, r := range s { // a replacement for each byte that is no UTF-8
			want.WriteRune(r)
		}
		assert.Equal(t, want.String(), got)
	})
}

func TestSpanEncodes(t *testing.T) {
	at := time.Unix(1, 2000).UTC()
	s := &Span{TraceID: [16]byte{15: 1}, SpanID: [8]byte{7: 2}, StartTimestamp: at, Timestamp: at}
	assert.Equal(t, map[string]any{
		"trace_id": "00000000000000000000000000000001", "span_id": "0000000000000002",
		"start_timestamp": "1970-01-01T00:00:01.000002Z", "timestamp": "1970-01-01T00:00:01.000002Z",
	}, decoded(t, s.Append(nil)))
	s.ParentSpanID = [8]byte{7: 3}
	s.Op, s.Description, s.Status, s.Origin = "db", "SELECT \"x\"", "ok", "auto.db"
	s.Data = Data{{"k", TextValue("v")}}
	s.Links = []Link{{"a", "b"}, {"c", "d"}}
	assert.Equal(t, map[string]any{
		"trace_id": "00000000000000000000000000000001", "span_id": "0000000000000002",
		"start_timestamp": "1970-01-01T00:00:01.000002Z", "timestamp": "1970-01-01T00:00:01.000002Z",
		"parent_span_id": "0000000000000003", "op": "db", "description": "SELECT \"x\"", "status": "ok",
		"origin": "auto.db", "data": map[string]any{"k": "v"},
		"links": []any{map[string]any{"trace_id": "a", "span_id": "b"}, map[string]any{"trace_id": "c", "span_id": "d"}},
	}, decoded(t, s.Append(nil)))
}

func TestEventEncodesWithItsSpans(t *testing.T) {
	s := &Span{TraceID: [16]byte{15: 1}, SpanID: [8]byte{7: 2}}
	spans := append(append(s.Append(nil), ','), append(s.Append(nil), ',')...)
	b, err := (&Event{EventID: "e"}).Encode(spans)
	require.NoError(t, err)
	assert.Len(t, decoded(t, b)["spans"], 2)
	b, err = (&Event{EventID: "e"}).Encode(nil)
	require.NoError(t, err)
	assert.NotContains(t, decoded(t, b), "spans")
}

func TestFit(t *testing.T) {
	d := Data{{"small", TextValue("x")}, {"number", IntValue(5)}}
	assert.Equal(t, d, d.Fit(1000))

	long := Data{{"long", TextValue(strings.Repeat("x", 3000))}, {"small", TextValue("y")}}.Fit(1000)
	assert.Equal(t, Data{{"long", TextValue(strings.Repeat("x", 59) + "...")}, {"small", TextValue("y")}}, long)

	many := Data{{"keep", TextValue("k")}}
	for i := range 100 {
		many = append(many, Field{fmt.Sprint("key-", i), TextValue(strings.Repeat("v", 50))})
	}
	many = many.Fit(1000)
	assert.LessOrEqual(t, len(many.Append(nil)), 1000)
	assert.Equal(t, "keep", many[0].Key, "the smallest stay")
	assert.Equal(t, trimmedKey, many[len(many)-1].Key)
}
