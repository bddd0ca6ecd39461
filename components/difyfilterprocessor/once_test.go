// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/ptracetest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

func readSample(t *testing.T, file string) ptrace.Traces {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "samples", file))
	require.NoError(t, err)
	td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
	require.NoError(t, err)
	return td
}

// eachAlone returns a batch for each span, as the provider posts them.
func eachAlone(td ptrace.Traces) []ptrace.Traces {
	var out []ptrace.Traces
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				one := ptrace.NewTraces()
				to := one.ResourceSpans().AppendEmpty()
				rs.Resource().CopyTo(to.Resource())
				scope := to.ScopeSpans().AppendEmpty()
				ss.Scope().CopyTo(scope.Scope())
				span.CopyTo(scope.Spans().AppendEmpty())
				out = append(out, one)
			}
		}
	}
	return out
}

// withNewIDs is what the provider sends when it sends a trace again.
func withNewIDs(td ptrace.Traces, salt byte) ptrace.Traces {
	out := copyTraces(td)
	for _, s := range spansOf(out) {
		trace, span, parent := s.TraceID(), s.SpanID(), s.ParentSpanID()
		trace[0], span[0] = trace[0]^salt, span[0]^salt
		if !parent.IsEmpty() {
			parent[0] ^= salt
		}
		s.SetTraceID(trace)
		s.SetSpanID(span)
		s.SetParentSpanID(parent)
	}
	return out
}

// sampleRuns are the spans of the samples that describe runs, with what all of them must have.
var sampleRuns = map[string]struct {
	emitter, role       string
	runs, usages, input int
	ids                 []string
}{
	"provider_workflow.json":           {"otel_provider", "worker", 1, 2, 132, runKeys},
	"provider_nested_tool_1.19.json":   {"otel_provider", "worker", 1, 3, 172, runKeys},
	"provider_message.json":            {"otel_provider", "worker", 0, 1, 90, messageKeys},
	"ops_spans.json":                   {"ops_provider", "worker", 1, 1, 120, runKeys},
	"trajectory.json":                  {"agent_trajectory", "agent_backend", 0, 2, 110, runKeys},
	"trajectory_content.json":          {"agent_trajectory", "agent_backend", 0, 2, 110, runKeys},
	"trajectory_error.json":            {"agent_trajectory", "agent_backend", 0, 1, 50, runKeys},
	"trajectory_ids_only.json":         {"agent_trajectory", "agent_backend", 0, 2, 110, []string{difysemconv.AttrTenantID}},
	"enterprise_spans.json":            {"enterprise", "worker", 1, 2, 240, []string{difysemconv.AttrTenantID}},
	"provider_check.json":              {"otel_provider", "worker", 0, 0, 0, nil},
	"provider_workflow.json stripped":  {"otel_provider", "worker", 1, 2, 132, runKeys},
	"provider_workflow.json no scope":  {"otel_provider", "worker", 1, 2, 132, runKeys},
	"provider_message.json no scope":   {"otel_provider", "worker", 0, 1, 90, messageKeys},
	"provider_workflow.json retried":   {"otel_provider", "worker", 1, 2, 132, runKeys},
	"trajectory_content.json no scope": {"agent_trajectory", "agent_backend", 0, 2, 110, runKeys},
	"ops_spans.json no scope":          {"ops_provider", "worker", 1, 1, 120, runKeys},
	"enterprise_spans.json no scope":   {"enterprise", "worker", 1, 2, 240, []string{difysemconv.AttrTenantID}},
}

var (
	runKeys = []string{
		difysemconv.AttrTenantID, difysemconv.AttrAppID, difysemconv.AttrWorkflowID, difysemconv.AttrWorkflowRunID,
		attrs.UserID,
	}
	messageKeys = []string{
		difysemconv.AttrTenantID, difysemconv.AttrAppID, difysemconv.AttrMessageID, difysemconv.AttrConversationID,
		attrs.UserID,
	}
)

// changed returns a sample as an unknown version might send it: without scope, or without the marks on the spans.
func changedSample(t *testing.T, name string) []ptrace.Traces {
	t.Helper()
	file, change, _ := strings.Cut(name, " ")
	td := readSample(t, file)
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			switch change {
			case "no scope":
				ss.Scope().SetName("")
			case "stripped":
				ss.Scope().SetName("x")
				rs.Resource().Attributes().PutStr(attrs.ServiceName, "renamed")
				for _, span := range ss.Spans().All() {
					span.Attributes().Remove(difysemconv.AttrSpanSynthetic)
				}
			}
		}
	}
	out := eachAlone(td)
	if change == "retried" {
		out = append(out, eachAlone(withNewIDs(td, 0x55))...)
	}
	return out
}

// Each span of each emitter has the IDs of its run, and names of few values. Runs and tokens are counted once.
func TestSamplesHaveIDsAndCountOnce(t *testing.T) {
	for name, want := range sampleRuns {
		t.Run(name, func(t *testing.T) {
			b := newHarness(t)
			runs, usages, input := 0, 0, 0
			for _, td := range changedSample(t, name) {
				out := b.traces(t, td)
				res := out.ResourceSpans().At(0).Resource().Attributes()
				assert.Equal(t, want.role, attrs.Text(res, difysemconv.AttrRole))
				assert.Equal(t, "dify", attrs.Text(res, attrs.ServiceNamespace))
				for _, span := range spansOf(out) {
					assert.Equal(t, want.emitter, attrs.Text(span.Attributes(), difysemconv.AttrEmitter))
					for _, key := range want.ids {
						assert.NotEmpty(t, attrs.Text(span.Attributes(), key), "%s of %s", key, span.Name())
					}
					assert.NotRegexp(t, `[0-9a-f]{8}-|CONTENT|\[\d`, span.Name())
					switch attrs.Text(span.Attributes(), difysemconv.AttrCounts) {
					case "run":
						runs++
					case "usage":
						usages++
						n, _ := span.Attributes().Get("gen_ai.usage.input_tokens")
						input += int(n.Int())
					}
				}
			}
			assert.Equal(t, [3]int{want.runs, want.usages, want.input}, [3]int{runs, usages, input})
		})
	}
}

// runOfAll is one run as three emitters send it: ENABLE_OTEL while it runs, the enterprise edition, and the provider.
func runOfAll(t *testing.T) map[string][]ptrace.Traces {
	t.Helper()
	td := readSample(t, "provider_workflow.json")
	var run, execution string
	for _, span := range spansOf(td) {
		switch id := attrs.Text(span.Attributes(), difysemconv.AttrSpanID); {
		case strings.HasPrefix(span.Name(), "workflow_"):
			run = id
		case strings.HasPrefix(span.Name(), "llm_"):
			execution = id
		}
	}
	ids := fmt.Sprintf("%s %s", run, execution)
	require.Len(t, ids, 73)
	own := batchOf(difyProcess(1),
		spanSpec{id: 1, scope: "core.app", name: "WorkflowAppRunner.run", kind: internalSpan, kv: kv{
			"dify.tenant_id": tenant, "dify.app_id": appA, "dify.workflow_run_id": run,
		}},
		spanSpec{id: 2, parent: 1, scope: "core.app", name: "My LLM", kind: internalSpan, kv: kv{
			"node.id": "llm1", "node.type": "llm", "node.execution_id": execution, "gen_ai.usage.input_tokens": 120,
			"output.value": `{"text":"x","usage":{"total_price":"0.0006000","currency":"USD","prompt_tokens":120}}`,
		}})
	enterprise := batchOf(kv{"service.name": "dify", "host.name": "h"},
		spanSpec{id: 3, scope: "dify.enterprise", name: "dify.workflow.run", kind: internalSpan, kv: kv{
			"dify.tenant_id": tenant, "dify.app_id": appA, "dify.workflow.run_id": run, "dify.workflow.status": "succeeded",
		}},
		spanSpec{id: 4, parent: 3, scope: "dify.enterprise", name: "dify.node.execution", kind: internalSpan, kv: kv{
			"dify.workflow.run_id": run, "dify.node.execution_id": execution, "dify.node.type": "llm",
			"gen_ai.usage.input_tokens": 120,
		}})
	return map[string][]ptrace.Traces{"O": {own}, "E": {enterprise}, "A": eachAlone(td)}
}

func TestOneRunOfSeveralEmittersCountsOnce(t *testing.T) {
	for _, order := range []string{"OEA", "AEO", "EAO", "OAE"} {
		t.Run(order, func(t *testing.T) {
			b := newHarness(t)
			counts, executions := map[string]int{}, map[string]int{}
			traces := map[string]pcommon.TraceID{}
			for _, from := range order {
				for _, td := range runOfAll(t)[string(from)] {
					for _, span := range spansOf(b.traces(t, td)) {
						id := attrs.Text(span.Attributes(), difysemconv.AttrNodeExecutionID)
						kind := attrs.Text(span.Attributes(), difysemconv.AttrCounts)
						counts[kind]++
						if kind == "usage" {
							executions[id]++
						}
						if of := attrs.Text(span.Attributes(), difysemconv.AttrDuplicateOf); of != "" {
							assert.Equal(t, traces[string(order[0])].String(), of, "the first one's trace")
						}
						traces[string(from)] = span.TraceID()
					}
				}
			}
			assert.Equal(t, 1, counts["run"])
			assert.Equal(t, 2, counts["usage"], "the model and the retrieval, which only the provider has")
			for id, n := range executions {
				assert.Equal(t, 1, n, id)
			}
		})
	}
}

// The price of a model's use is where redaction removes it.
func TestUsageIsLifted(t *testing.T) {
	price := func(td ptrace.Traces, id byte) float64 {
		v, _ := byID(td, id).Attributes().Get(difysemconv.AttrUsageTotalPrice)
		return v.Double()
	}
	b := newHarness(t)
	assert.InDelta(t, 0.0006, price(b.traces(t, runOfAll(t)["O"][0]), 2), 1e-9)
	agent := provider(9, 0, "agent_My agent", `{"node_id":"n","node_execution_id":"`+executionID+`","node_type":"agent",`+
		`"total_price":0.5,"currency":"USD","total_tokens":0,"agent_log":{"agent_backend":{"usage":`+
		`{"total_tokens":30,"completion_tokens":10,"total_price":"0.5"}}}}`)
	agent.kv["gen_ai.usage.input_tokens"] = 0
	td := b.traces(t, batchOf(kv{"service.name": "dify"}, agent))
	assert.InDelta(t, 0.5, price(td, 9), 0)
	input, _ := byID(td, 9).Attributes().Get("gen_ai.usage.input_tokens")
	assert.Equal(t, int64(20), input.Int())
	assert.Equal(t, "usage", attrs.Text(byID(td, 9).Attributes(), difysemconv.AttrCounts))
}

// An Agent's calls are counted by its trajectory, if that is received.
func TestTrajectoryCountsAnAgentsTokens(t *testing.T) {
	b := newHarness(t)
	calls := batchOf(kv{"service.name": "dify-agent-trajectory", "logfire.version": "4"},
		spanSpec{id: 2, scope: "pydantic-ai", name: "chat m", kind: internalSpan, kv: kv{
			"dify.node.execution_id": executionID, "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5,
		}})
	assert.Equal(t, "usage", attrs.Text(byID(b.traces(t, calls), 2).Attributes(), difysemconv.AttrCounts))
	agent := provider(9, 0, "agent_My agent", `{"node_id":"n","node_execution_id":"`+executionID+
		`","node_type":"agent","total_price":0.5}`)
	td := b.traces(t, batchOf(kv{"service.name": "dify"}, agent))
	assert.False(t, attrs.Has(byID(td, 9).Attributes(), difysemconv.AttrCounts))
	assert.False(t, attrs.Has(byID(td, 9).Attributes(), difysemconv.AttrDuplicateOf), "it says more of the node")
}

// TestGoldenSamples shows what becomes of each sample, each span of the provider in a request of its own.
func TestGoldenSamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "samples", "*.json"))
	require.NoError(t, err)
	seen := 0
	for _, path := range files {
		file := filepath.Base(path)
		if file == "manifest.json" {
			continue
		}
		seen++
		t.Run(file, func(t *testing.T) {
			want := filepath.Join("testdata", "golden", "samples", strings.TrimSuffix(file, ".json")+"_expected.yaml")
			b := newHarness(t)
			if strings.Contains(file, "metrics") {
				checkGoldenMetrics(t, want, b.metrics(t, readMetricSample(t, file)))
				return
			}
			batches := []ptrace.Traces{readSample(t, file)}
			if strings.HasPrefix(file, "provider") {
				batches = eachAlone(batches[0])
			}
			out := ptrace.NewTraces()
			for _, td := range batches {
				b.traces(t, td).ResourceSpans().MoveAndAppendTo(out.ResourceSpans())
			}
			if os.Getenv(updateGolden) != "" {
				require.NoError(t, golden.WriteTraces(t, want, out))
				return
			}
			expected, err := golden.ReadTraces(want)
			require.NoError(t, err)
			require.NoError(t, ptracetest.CompareTraces(expected, out, ptracetest.IgnoreResourceSpansOrder(),
				ptracetest.IgnoreScopeSpansOrder(), ptracetest.IgnoreSpansOrder()))
		})
	}
	require.GreaterOrEqual(t, seen, 17)
}

func checkGoldenMetrics(t *testing.T, want string, out pmetric.Metrics) {
	t.Helper()
	if os.Getenv(updateGolden) != "" {
		require.NoError(t, golden.WriteMetrics(t, want, out, golden.SkipMetricTimestampNormalization()))
		return
	}
	expected, err := golden.ReadMetrics(want)
	require.NoError(t, err)
	require.NoError(t, pmetrictest.CompareMetrics(expected, out, pmetrictest.IgnoreResourceMetricsOrder(),
		pmetrictest.IgnoreScopeMetricsOrder(), pmetrictest.IgnoreMetricsOrder(),
		pmetrictest.IgnoreMetricDataPointsOrder()))
}
