// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

func readMetricSample(t *testing.T, file string) pmetric.Metrics {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "samples", file))
	require.NoError(t, err)
	md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(text)
	require.NoError(t, err)
	return md
}

// Each sample of metrics leaves as cumulative points with the role of its process and an identity of it.
func TestMetricsOfEveryEmitter(t *testing.T) {
	for file, want := range map[string]struct {
		role, instance string
	}{
		"ops_metrics_delta.json":      {"worker", ""}, // added up over all workers
		"ops_metrics_cumulative.json": {"worker", "dify-ops-"},
		"enterprise_metrics.json":     {"worker", "dify-worker-7f8b@1794996400000000000"},
		"agent_backend_metrics.json":  {"agent_backend", "8d6838a8-"},
		"plugin_daemon_metrics.json":  {"plugin_daemon", "dify-plugin-daemon@"},
	} {
		t.Run(file, func(t *testing.T) {
			out := newHarness(t).metrics(t, readMetricSample(t, file))
			for _, rm := range out.ResourceMetrics().All() {
				res := rm.Resource().Attributes()
				assert.Equal(t, "dify", attrs.Text(res, attrs.ServiceNamespace))
				assert.Contains(t, attrs.Text(res, attrs.ServiceInstanceID), want.instance)
				attrs.EachPoint(rm, func(p attrs.Point) {
					assert.Equal(t, want.role, attrs.Text(p.Attributes(), difysemconv.AttrRole))
				})
				for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
					switch m.Type() {
					case pmetric.MetricTypeSum:
						assert.Equal(t, pmetric.AggregationTemporalityCumulative, m.Sum().AggregationTemporality())
					case pmetric.MetricTypeHistogram:
						assert.Equal(t, pmetric.AggregationTemporalityCumulative, m.Histogram().AggregationTemporality())
						for _, p := range m.Histogram().DataPoints().All() {
							assert.Positive(t, p.Count())
							assert.Equal(t, p.ExplicitBounds().Len()+1, p.BucketCounts().Len())
						}
					default:
						t.Errorf("%s is a %s", m.Name(), m.Type())
					}
				}
			}
		})
	}
}

// A sample that is sent three times is three runs.
func TestDeltasAddUp(t *testing.T) {
	b := newHarness(t)
	var out pmetric.Metrics
	for range 3 {
		out = b.metrics(t, readMetricSample(t, "ops_metrics_delta.json"))
	}
	counted := 0
	for _, m := range out.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if m.Type() == pmetric.MetricTypeHistogram {
			for _, p := range m.Histogram().DataPoints().All() {
				assert.Equal(t, uint64(3), p.Count(), m.Name())
				counted++
			}
		}
	}
	assert.GreaterOrEqual(t, counted, 4)
}
