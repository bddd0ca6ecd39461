// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

func TestValidate(t *testing.T) {
	for _, name := range []string{"", "second", "eu-west.2", "7", strings.Repeat("a", 63)} {
		require.NoError(t, Validate(name), name)
	}
	for _, name := range []string{"-a", "a b", `a"`, "a/b", "区", strings.Repeat("a", 64)} {
		require.ErrorContains(t, Validate(name), "`installation` is ", name)
	}
}

// The own metrics of two instances of a component are two streams.
func TestTelemetry(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.WithoutCancel(t.Context()))) })
	for i, name := range []string{"", "a", "b"} {
		set := Telemetry(tel.NewTelemetrySettings(), name)
		counter, err := set.MeterProvider.Meter("scope").Int64Counter("things")
		require.NoError(t, err)
		counter.Add(t.Context(), int64(1+i))
	}
	var all metricdata.ResourceMetrics
	require.NoError(t, tel.Reader.Collect(t.Context(), &all))
	counts := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		name, _ := scope.Scope.Attributes.Value(attribute.Key(Label))
		for _, point := range scope.Metrics[0].Data.(metricdata.Sum[int64]).DataPoints {
			counts[name.AsString()] += point.Value
		}
	}
	assert.Equal(t, map[string]int64{"": 1, "a": 2, "b": 3}, counts)
}
