// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tally

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/metadata"
)

func TestReport(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	builder, err := metadata.NewTelemetryBuilder(telemetry.NewTelemetrySettings())
	require.NoError(t, err)
	total := func(name string) map[string]int64 {
		got, err := telemetry.GetMetric(name)
		if err != nil {
			return nil
		}
		counts := map[string]int64{}
		for _, p := range got.Data.(metricdata.Sum[int64]).DataPoints {
			counts[p.Attributes.Encoded(attribute.DefaultEncoder())] += p.Value
		}
		return counts
	}

	var c Tally
	c.Report(t.Context(), builder)
	assert.Nil(t, total("otelcol_dify_filter_dropped_items"))

	c.Drop(RuleHealthCheck, KindSpan, 2)
	c.Drop(RuleHealthCheck, KindSpan, 1)
	c.Drop(RuleParseError, KindEvent, 0)
	c.Redact(ReasonSecret, PlaceSpan)
	c.RemoveKey(ReasonUnknown, "acme.blob")
	c.RemoveKey(ReasonUnknown, "what a user asked")
	c.Derive(4)
	assert.EqualValues(t, 1, c.Redacted())
	c.Report(t.Context(), builder)
	assert.Equal(t, map[string]int64{"kind=span,rule=health_check": 3}, total("otelcol_dify_filter_dropped_items"))
	assert.Equal(t, map[string]int64{"place=span,reason=secret": 1}, total("otelcol_dify_filter_redacted_values"))
	assert.Equal(t, map[string]int64{"key=acme.blob": 1, "key=other": 1},
		total("otelcol_dify_filter_removed_unknown_attributes"))
	assert.Equal(t, map[string]int64{"": 4}, total("otelcol_dify_filter_derived_data_points"))
	builder.Shutdown()
	require.NoError(t, telemetry.Shutdown(t.Context()))
}
