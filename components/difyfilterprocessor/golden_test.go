// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/ptracetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// updateGolden is the variable that makes the tests write the expected files. A test that has written fails.
const updateGolden = "OTELCOL_UPDATE_GOLDEN"

// goldenVersions returns the folders of testdata/golden: versions of Dify, and the recordings of a real one.
func goldenVersions(t *testing.T) []string {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join("testdata", "golden", "*", "traces.yaml"))
	require.NoError(t, err)
	names := make([]string, 0, len(folders))
	for _, folder := range folders {
		names = append(names, filepath.Base(filepath.Dir(folder)))
	}
	require.ElementsMatch(t, []string{"1.3.1", "1.9.2", "1.11.2", "1.13.0", "1.16.1", "recorded"}, names)
	return names
}

func goldenFile(generation, name string) string {
	return filepath.Join("testdata", "golden", generation, name)
}

// goldenOutput processes the exports of a generation, each as a batch of its own.
func goldenOutput(t *testing.T, b *harness, generation string) (ptrace.Traces, pmetric.Metrics) {
	t.Helper()
	traces, err := golden.ReadTraces(goldenFile(generation, "traces.yaml"))
	require.NoError(t, err)
	outTraces := ptrace.NewTraces()
	for _, rs := range traces.ResourceSpans().All() {
		batch := ptrace.NewTraces()
		rs.CopyTo(batch.ResourceSpans().AppendEmpty())
		b.traces(t, batch).ResourceSpans().MoveAndAppendTo(outTraces.ResourceSpans())
	}
	metrics, err := golden.ReadMetrics(goldenFile(generation, "metrics.yaml"))
	require.NoError(t, err)
	outMetrics := pmetric.NewMetrics()
	for _, rm := range metrics.ResourceMetrics().All() {
		batch := pmetric.NewMetrics()
		rm.CopyTo(batch.ResourceMetrics().AppendEmpty())
		b.metrics(t, batch).ResourceMetrics().MoveAndAppendTo(outMetrics.ResourceMetrics())
	}
	return outTraces, outMetrics
}

func TestGolden(t *testing.T) {
	for _, generation := range goldenVersions(t) {
		t.Run(generation, func(t *testing.T) {
			traces, metrics := goldenOutput(t, newHarness(t), generation)
			wantTraces, wantMetrics := goldenFile(
				generation,
				"traces_expected.yaml",
			), goldenFile(
				generation,
				"metrics_expected.yaml",
			)
			if os.Getenv(updateGolden) != "" {
				require.NoError(t, golden.WriteTraces(t, wantTraces, traces))
				require.NoError(t, golden.WriteMetrics(t, wantMetrics, metrics, golden.SkipMetricTimestampNormalization()))
				return
			}
			expectedTraces, err := golden.ReadTraces(wantTraces)
			require.NoError(t, err)
			require.NoError(t, ptracetest.CompareTraces(expectedTraces, traces))
			expectedMetrics, err := golden.ReadMetrics(wantMetrics)
			require.NoError(t, err)
			// golden sorted what it wrote.
			require.NoError(t, pmetrictest.CompareMetrics(
				expectedMetrics,
				metrics,
				pmetrictest.IgnoreResourceMetricsOrder(),
				pmetrictest.IgnoreScopeMetricsOrder(),
				pmetrictest.IgnoreMetricsOrder(),
				pmetrictest.IgnoreMetricDataPointsOrder(),
			))
		})
	}
}

// The output of every version must have these properties. A golden file shows the output; this test asserts what is
// right.
func TestGenerationsBecomeOne(t *testing.T) {
	for _, generation := range goldenVersions(t) {
		t.Run(generation, func(t *testing.T) {
			b := newHarness(t)
			traces, metrics := goldenOutput(t, b, generation)
			checkOneTraces(t, traces)
			checkOneMetrics(t, metrics)
			checkCanariesGone(t, wireTraces(t, traces)+wireMetrics(t, metrics))
		})
	}
}

func checkOneTraces(t *testing.T, traces ptrace.Traces) {
	t.Helper()
	names, known := map[string]bool{}, 0
	for _, s := range spansOf(traces) {
		names[s.Name()] = true
		if attrs.Has(s.Attributes(), difysemconv.AttrTenantID) && attrs.Has(s.Attributes(), "gen_ai.user.id") &&
			s.Kind() == ptrace.SpanKindServer {
			known++
		}
		assert.False(t, attrs.Has(s.res, "deployment.environment"))
		assert.False(t, attrs.Has(s.Attributes(), "service.tenant.id"))
		assert.False(t, attrs.Has(s.Attributes(), "service.user.id"))
		assert.Equal(t, "PRODUCTION", attrs.Text(s.res, difysemconv.AttrEnvironment))
		assert.Equal(t, "COMMUNITY", attrs.Text(s.res, difysemconv.AttrEdition))
		assert.NotEmpty(t, attrs.Text(s.res, attrs.ServiceInstanceID))
		switch s.Kind() {
		case ptrace.SpanKindConsumer:
			assert.Equal(t, "worker", attrs.Text(s.res, difysemconv.AttrRole))
		case ptrace.SpanKindServer:
			assert.Equal(t, "api", attrs.Text(s.res, difysemconv.AttrRole))
			code := attrs.StatusCode(s.Attributes())
			assert.Equal(t, code >= 500, s.Status().Code() == ptrace.StatusCodeError, "%s: %d", s.Name(), code)
		}
		for _, e := range s.Events().All() {
			message := attrs.Text(e.Attributes(), attrs.ExceptionMessage)
			assert.NotContains(t, message, "langfuse.com/support")
			assert.NotContains(t, message, "was created in a different Context")
			assert.NotContains(t, attrs.Text(e.Attributes(), attrs.ExceptionType), "NoScriptError")
		}
	}
	assert.NotContains(t, names, "GET /health")
	assert.NotContains(t, names, "BRPOP")
	assert.Contains(t, names, "POST /v1/workflows/run")
	assert.GreaterOrEqual(t, known, 5, "requests with a tenant and a user")
}

func checkOneMetrics(t *testing.T, metrics pmetric.Metrics) {
	t.Helper()
	durations, responses := map[seriesKey]int64{}, map[seriesKey]int64{}
	for _, rm := range metrics.ResourceMetrics().All() {
		instance := attrs.Text(rm.Resource().Attributes(), attrs.ServiceInstanceID)
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				switch m.Name() {
				case difysemconv.MetricServerDuration:
					for _, p := range m.Histogram().DataPoints().All() {
						durations[keyOf(instance, p.Attributes())] += int64(p.Count())
					}
				case difysemconv.MetricServerResponseCount:
					for _, p := range m.Sum().DataPoints().All() {
						responses[keyOf(instance, p.Attributes())] += p.IntValue()
					}
				}
			}
		}
	}
	assert.NotEmpty(t, durations)
	assert.Equal(t, durations, responses)
}

// checkCanariesGone looks for the content and the secrets that tests/golden/dify.py sends.
func checkCanariesGone(t *testing.T, out string) {
	t.Helper()
	for _, canary := range []string{
		"what the model said", "a secret page", "0123456789abcdef", "city=Ulm", `"Ulm"`, "mail@example.org", "a document of",
	} {
		if at := strings.Index(out, canary); at >= 0 {
			t.Errorf("%q is still there: …%s…", canary, out[max(0, at-300):min(len(out), at+100)])
		}
	}
}

func TestEachRuleIsDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "noise.md"))
	require.NoError(t, err)
	for _, rule := range tally.BuiltinRules {
		assert.Regexp(t, "(?m)^## .*\\b"+rule+"\\b", string(page))
	}
}
