// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilter

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-dify/otelcol-dify/testkit/sink"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/repo"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/servers"
	"github.com/otelcol-dify/otelcol-dify/tests/internal/wait"
)

// What the samples say: one tenant, one app, and the run of each file.
const (
	sampleTenant = "31d6427b-0068-5bbb-8136-f23b5128a261"
	sampleApp    = "01cbc834-a228-5ed2-9171-5d1b6cf07975"
	failureText  = "The model refused the request"
)

// emitted are the samples with runs: the role of the process, the attribute by which the run is found, and the numbers
// of its spans and of its errors.
var emitted = []struct {
	file, role, key, id string
	spans, errors       int
	alone               bool // one request for each span, as the provider sends them
}{
	{"provider_workflow.json", "worker", "dify.workflow_run_id", "fcd0c81f-61a2-5fd1-bf4e-4ed274575ee8", 9, 0, true},
	{
		"provider_nested_tool_1.19.json", "worker", "dify.workflow_run_id", "b718d47a-fdd9-52b7-8647-c940e4d89b01",
		11, 0, true,
	},
	{"provider_message.json", "worker", "dify.message_id", "eb91577c-3d27-5460-b57a-2a51d3c5af2f", 7, 0, true},
	{"ops_spans.json", "worker", "dify.workflow_run_id", "4144568e-e6ae-5d7d-af77-f5f4b8001cee", 4, 1, false},
	{"trajectory_content.json", "agent_backend", "dify.workflow_run_id", "09d0ceea-824f-5301-846f-dc5553acb60c", 4, 0, false},
	{"trajectory_error.json", "agent_backend", "dify.workflow_run_id", "7cfd35d8-26ca-53f8-bc3f-5e8def08950e", 3, 1, false},
	{"enterprise_spans.json", "worker", "dify.workflow_run_id", "9923df91-5c96-50e2-9956-f5faa7f6b6fb", 2, 1, false},
}

func sampleTraces(t *testing.T, file string) ptrace.Traces {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repo.Path("components", "difyfilterprocessor", "testdata", "samples"), file))
	require.NoError(t, err)
	request := ptraceotlp.NewExportRequest()
	require.NoError(t, request.UnmarshalJSON(atTime(t, text, time.Now())))
	return request.Traces()
}

func (s *stack) sendTraces(t *testing.T, td ptrace.Traces) {
	t.Helper()
	body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	require.NoError(t, err)
	s.export(t, "traces", body)
}

// sendEachAlone sends a request for each span, in their order.
func (s *stack) sendEachAlone(t *testing.T, td ptrace.Traces) {
	t.Helper()
	eachSpan(td, func(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span) {
		one := ptrace.NewTraces()
		to := one.ResourceSpans().AppendEmpty()
		rs.Resource().CopyTo(to.Resource())
		scope := to.ScopeSpans().AppendEmpty()
		ss.Scope().CopyTo(scope.Scope())
		span.CopyTo(scope.Spans().AppendEmpty())
		s.sendTraces(t, one)
	})
}

func eachSpan(td ptrace.Traces, visit func(ptrace.ResourceSpans, ptrace.ScopeSpans, ptrace.Span)) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				visit(rs, ss, span)
			}
		}
	}
}

// failedRun is provider_workflow.json, with other IDs and a node that failed, as the provider sends it.
func failedRun(t *testing.T, run, execution string, salt byte) ptrace.Traces {
	t.Helper()
	td := sampleTraces(t, "provider_workflow.json")
	eachSpan(td, func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, span ptrace.Span) {
		for _, key := range []string{"metadata", "session.id", "dify.span.id", "gen_ai.conversation.id"} {
			if v, ok := span.Attributes().Get(key); ok {
				v.SetStr(strings.NewReplacer(
					"fcd0c81f-61a2-5fd1-bf4e-4ed274575ee8", run, "730c2ac4-4ba6-5e75-aa3e-91199bbef25b", execution,
				).Replace(v.Str()))
			}
		}
		trace, id, parent := span.TraceID(), span.SpanID(), span.ParentSpanID()
		trace[0], id[0] = trace[0]^salt, id[0]^salt
		if !parent.IsEmpty() {
			parent[0] ^= salt
		}
		span.SetTraceID(trace)
		span.SetSpanID(id)
		span.SetParentSpanID(parent)
		switch {
		case strings.HasPrefix(span.Name(), "workflow_"):
			span.SetName("workflow_" + run)
			failSpan(span)
		case strings.HasPrefix(span.Name(), "llm_"):
			failSpan(span)
		}
	})
	return td
}

func failSpan(span ptrace.Span) {
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Status().SetMessage(failureText)
	event := span.Events().AppendEmpty()
	event.SetName("exception")
	event.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	for key, value := range map[string]string{
		"exception.type": "RuntimeError", "exception.message": failureText, "exception.stacktrace": "NoneType: None\n",
		"exception.escaped": "False",
	} {
		event.Attributes().PutStr(key, value)
	}
}

var runInOutput = regexp.MustCompile(`("sys\.workflow_run_id": ?")[0-9a-f-]{36}`)

// sameRun is the run of failedRun as ENABLE_OTEL (node_spans.json) and the enterprise edition send it.
func sameRun(t *testing.T, run, execution string) (own, enterprise ptrace.Traces) {
	t.Helper()
	own, enterprise = sampleTraces(t, "node_spans.json"), sampleTraces(t, "enterprise_spans.json")
	eachSpan(own, func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, span ptrace.Span) {
		if output, ok := span.Attributes().Get("output.value"); ok { // the start node has the run's ID
			output.SetStr(runInOutput.ReplaceAllString(output.Str(), "${1}"+run))
		}
		if nodeType, ok := span.Attributes().Get("node.type"); ok && nodeType.Str() == "llm" {
			span.Attributes().PutStr("node.execution_id", execution)
			failSpan(span)
		}
	})
	id := pcommon.TraceID([16]byte{0xee})
	eachSpan(enterprise, func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, span ptrace.Span) {
		span.SetTraceID(id)
		span.Attributes().PutStr("dify.trace_id", run)
		span.Attributes().PutStr("dify.workflow.run_id", run)
		if span.Name() == "dify.node.execution" {
			span.Attributes().PutStr("dify.node.execution_id", execution)
			span.Attributes().PutStr("dify.node.error", failureText)
		} else {
			span.Attributes().PutStr("dify.workflow.error", failureText)
		}
	})
	enterprise.ResourceSpans().At(0).ScopeSpans().At(0).Spans().RemoveIf(func(span ptrace.Span) bool {
		return span.Name() == "dify.node.execution.draft"
	})
	return own, enterprise
}

// TestEveryEmitterEndToEnd sends what each of Dify's emitters sends. Each run is found by its ID in the tenant's index
// and Sentry project, a failed one is one error, and Prometheus has exact counts.
func TestEveryEmitterEndToEnd(t *testing.T) {
	s := newStack(t,
		"yaml:exporters::opensearch::traces_index: dify-traces-{dify.tenant_id}",
		"yaml:exporters::sentry::run_window: 1s",
		"yaml:exporters::sentry::root_wait: 1s",
		"yaml:exporters::sentry::routes: [{attribute: dify.tenant_id, values: ["+sampleTenant+
			"], dsn: \"${env:TENANT_SENTRY_DSN}\"}]",
	)
	prometheus, err := servers.StartPrometheus(t.Context(), s.Prometheus)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, prometheus.Stop()) })

	errors := 0
	for _, e := range emitted {
		errors += e.errors
		if e.alone {
			s.sendEachAlone(t, sampleTraces(t, e.file))
		} else {
			s.sendTraces(t, sampleTraces(t, e.file))
		}
	}
	s.sendMetricSamples(t)
	for _, e := range emitted {
		hits := s.documents(t, e.spans, "dify-traces-"+sampleTenant+"-*", withAttribute(e.key, e.id))
		for _, hit := range hits {
			assert.Equal(t, sampleTenant, attribute(hit, "dify.tenant_id"), e.file)
			assert.Equal(t, sampleApp, attribute(hit, "dify.app_id"), e.file)
			res, _ := hit.Source["resource"].(map[string]any)
			assert.Equal(t, e.role, fmt.Sprint(res["dify.role"]), e.file)
		}
	}
	t.Run("one run of several emitters", func(t *testing.T) { s.checkOneRun(t) })
	errors++ // of that run

	wait.For(t, "the errors in Sentry", func(context.Context) error {
		if n := len(s.sentry.Events()); n < errors {
			return fmt.Errorf("%d errors, expected %d", n, errors)
		}
		return nil
	})
	s.checkMetrics(t, prometheus)
	assert.Len(t, s.sentry.Events(), errors, titlesOf(s.sentry.Events()))
	for _, event := range s.sentry.Events() {
		assert.Equal(t, tenantProject, event.Project, event.Title())
	}
	s.checkNoContent(t)
}

// checkNoContent fails for content and secrets of what was sent span by span.
func (s *stack) checkNoContent(t *testing.T) {
	t.Helper()
	policies := readPolicies(t)
	hits, err := s.search.Search(t.Context(), "dify-traces-*", servers.All())
	require.NoError(t, err)
	text, err := json.Marshal(hits)
	require.NoError(t, err)
	assert.Empty(t, policies.markers(string(text), "remove", "hash"), "in OpenSearch")
	assert.NotEmpty(t, policies.markers(string(text), "keep"), "in OpenSearch")
	for _, item := range append(s.sentry.Events(), s.sentry.Transactions()...) {
		assert.Empty(t, policies.markers(string(item.Payload), "remove", "hash"), "in Sentry")
	}
}

func titlesOf(events []sink.SentryEvent) (out []string) {
	for _, event := range events {
		out = append(out, event.Title())
	}
	return out
}

// withAttribute finds documents by the value of an attribute.
func withAttribute(key, value string) map[string]any {
	return map[string]any{"term": map[string]any{"attributes." + key: value}}
}

// checkOneRun sends one failed run by three emitters, and by one of them a second time under new IDs.
func (s *stack) checkOneRun(t *testing.T) {
	t.Helper()
	const run, execution = "a0000000-0000-4000-8000-00000000000a", "b0000000-0000-4000-8000-00000000000b"
	own, enterprise := sameRun(t, run, execution)
	s.sendTraces(t, own)
	s.sendEachAlone(t, failedRun(t, run, execution, 0x55))
	s.sendTraces(t, enterprise)
	s.sendEachAlone(t, failedRun(t, run, execution, 0x66))
	var hits []servers.Hit
	wait.For(t, "the spans of all", func(ctx context.Context) (err error) {
		hits, err = s.search.Search(ctx, "dify-traces-*", withAttribute("dify.workflow_run_id", run))
		if err == nil && len(hits) < 2*9+2+1 {
			err = fmt.Errorf("%d spans", len(hits))
		}
		return err
	})
	counts, tokens, steps := map[string]int{}, map[string]int{}, 0
	for _, hit := range hits {
		kind := attribute(hit, "dify.counts")
		counts[kind]++
		if kind == "usage" {
			tokens[attribute(hit, "node.execution_id")]++
		}
		if attribute(hit, "node.execution_id") == execution {
			steps++
		}
	}
	assert.Equal(t, 1, counts["run"])
	assert.Equal(t, 1, tokens[execution])
	for id, n := range tokens {
		assert.Equal(t, 1, n, id)
	}
	assert.Equal(t, 4, steps, "the node is found in each trace")
}

// sendMetricSamples sends the deltas three times, and the enterprise edition's metrics from two processes of a host.
func (s *stack) sendMetricSamples(t *testing.T) {
	t.Helper()
	send := func(file string, earlier time.Duration) {
		text, err := os.ReadFile(filepath.Join(repo.Path("components", "difyfilterprocessor", "testdata", "samples"), file))
		require.NoError(t, err)
		request := pmetricotlp.NewExportRequest()
		require.NoError(t, request.UnmarshalJSON(atTime(t, text, time.Now())))
		for _, m := range request.Metrics().ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			startEarlier(m, earlier)
		}
		body, err := request.MarshalProto()
		require.NoError(t, err)
		s.export(t, "metrics", body)
	}
	for range 3 {
		send("ops_metrics_delta.json", 0)
	}
	send("enterprise_metrics.json", 0)
	send("enterprise_metrics.json", time.Minute)
	send("agent_backend_metrics.json", 0)
	send("plugin_daemon_metrics.json", 0)
}

func startEarlier(m pmetric.Metric, by time.Duration) {
	move := func(p interface {
		StartTimestamp() pcommon.Timestamp
		SetStartTimestamp(pcommon.Timestamp)
	},
	) {
		p.SetStartTimestamp(p.StartTimestamp() - pcommon.Timestamp(by))
	}
	switch m.Type() {
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			move(p)
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			move(p)
		}
	default:
	}
}

func (s *stack) checkMetrics(t *testing.T, prometheus *servers.Prometheus) {
	t.Helper()
	for expr, want := range map[string]float64{
		`sum(dify_ops_sample_calls_total{dify_role="worker"})`:                                         3,
		`sum(gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name="chat"})`:            3,
		`sum(gen_ai_client_operation_duration_seconds_sum{gen_ai_operation_name="chat"})`:              6,
		`sum(gen_ai_client_operation_duration_seconds_bucket{gen_ai_operation_name="chat",le="2.56"})`: 3,
		`sum(dify_tokens_total{operation_type!="node_execution"})`:                                     2 * (150 + 110),
		`count(count by (instance) (dify_tokens_total))`:                                               2,
		`sum(dify_workflow_duration_seconds_sum)/sum(dify_workflow_duration_seconds_count)`:            4.2,
		`sum(http_server_duration_milliseconds_count{dify_role="agent_backend"})`:                      3,
		`sum(plugin_invocations_total{dify_role="plugin_daemon"}) > bool 0`:                            1,
	} {
		wait.For(t, expr, func(ctx context.Context) error {
			got, err := prometheus.Value(ctx, expr)
			if err == nil && (got < want-1e-9 || got > want+1e-9) {
				err = fmt.Errorf("%v, expected %v", got, want)
			}
			return err
		})
	}
	exposition, err := s.exposition(t.Context())
	require.NoError(t, err)
	documented := documentedMetrics(t)
	require.Greater(t, len(documented), 10)
	for name, kind := range documented {
		assert.Contains(t, exposition, "# TYPE "+name+" "+kind+"\n", "docs/metrics.md has it")
	}
}

var (
	metricRow  = regexp.MustCompile(`(?m)^\| (` + "`[a-z_`, ]+`" + `) \| (counter|histogram|gauge) \|`)
	metricName = regexp.MustCompile("`([a-z_]+)`")
)

// documentedMetrics returns the type of each metric in the table of other emitters.
func documentedMetrics(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(repo.Path("docs", "metrics.md"))
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(text), "## From other emitters of Dify\n")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n## ")
	found := map[string]string{}
	for _, row := range metricRow.FindAllStringSubmatch(table, -1) {
		for _, name := range metricName.FindAllStringSubmatch(row[1], -1) {
			found[name[1]] = row[2]
		}
	}
	return found
}
