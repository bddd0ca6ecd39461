// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package attrs

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func TestRename(t *testing.T) {
	for name, tt := range map[string]struct{ in, want map[string]any }{
		"moved":          {map[string]any{"old": "v"}, map[string]any{"new": "v"}},
		"already set":    {map[string]any{"old": "v", "new": "w"}, map[string]any{"new": "w"}},
		"not a string":   {map[string]any{"old": int64(7)}, map[string]any{"old": int64(7)}},
		"not there":      {map[string]any{"other": "v"}, map[string]any{"other": "v"}},
		"empty is moved": {map[string]any{"old": ""}, map[string]any{"new": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			m := pcommon.NewMap()
			require.NoError(t, m.FromRaw(tt.in))
			Rename(m, "old", "new")
			assert.Equal(t, tt.want, m.AsRaw())
		})
	}
}

func TestPlainDistinguishesValues(t *testing.T) {
	m := pcommon.NewMap()
	m.PutEmptySlice("a").AppendEmpty().SetDouble(math.NaN())
	m.PutEmptySlice("b").AppendEmpty().SetDouble(math.Inf(1))
	a, _ := m.Get("a")
	b, _ := m.Get("b")
	assert.NotEqual(t, Plain(a), Plain(b))
}

func TestFirstBytes(t *testing.T) {
	assert.Equal(t, "ab", FirstBytes("abc", 2))
	assert.Equal(t, "a", FirstBytes("a€b", 3))
	assert.Empty(t, FirstBytes("€", 1))
}

func TestNarrow(t *testing.T) {
	sum := func(values ...any) pmetric.Metric {
		m := pmetric.NewMetric()
		points := m.SetEmptySum().DataPoints()
		for _, v := range values {
			p := points.AppendEmpty()
			p.Attributes().PutStr("host", string(rune('a'+points.Len())))
			p.Attributes().PutStr("kept", "x")
			switch v := v.(type) {
			case int:
				p.SetIntValue(int64(v))
			case float64:
				p.SetDoubleValue(v)
			}
		}
		return m
	}
	host := map[string]bool{"host": true}

	m := sum(1, 2, 3)
	assert.Equal(t, 2, Narrow(m, host))
	require.Equal(t, 1, m.Sum().DataPoints().Len())
	assert.EqualValues(t, 6, m.Sum().DataPoints().At(0).IntValue())
	assert.Equal(t, map[string]any{"kept": "x"}, m.Sum().DataPoints().At(0).Attributes().AsRaw())

	m = sum(1, 2.5)
	assert.Zero(t, Narrow(m, host), "different types can't be added up")
	assert.Equal(t, 2, m.Sum().DataPoints().Len())
	assert.True(t, Has(m.Sum().DataPoints().At(0).Attributes(), "host"))

	gauge := pmetric.NewMetric()
	gauge.SetEmptyGauge().DataPoints().AppendEmpty()
	gauge.Gauge().DataPoints().AppendEmpty()
	assert.Zero(t, Narrow(gauge, host))
}
