// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const (
	scopeProvider = "unified_otel_dify"
	executionID   = "22222222-2222-4222-8222-222222222222"
	messageID     = "33333333-3333-4333-8333-333333333333"
)

func provider(id, parent byte, spanName, metadata string) spanSpec {
	return spanSpec{
		id: id, parent: parent, scope: scopeProvider, name: spanName, kind: internalSpan,
		kv: kv{"dify.span.synthetic": false, "session.id": runA, "metadata": metadata},
	}
}

func providerRun() []spanSpec {
	return []spanSpec{
		provider(1, 0, "workflow_"+runA, fmt.Sprintf(
			`{"workflow_id":%q,"workflow_run_id":%q,"tenant_id":%q,"app_id":%q,"user_id":"u","conversation_id":null,`+
				`"file_list":[{"app_id":"x"}]}`,
			workflowA, runA, tenant, appA)),
		provider(2, 1, "llm_My title", fmt.Sprintf(
			`{"node_id":"n","node_execution_id":%q,"node_type":"llm","total_price":0.1}`, executionID)),
		provider(3, 2, "iteration[0]", `{"wrapper_type":"iteration"}`),
		provider(4, 3, "tool_Search", `{"node_id":"m","node_type":"tool"}`),
	}
}

func assertOfRun(t *testing.T, span ptrace.Span) {
	t.Helper()
	for key, want := range map[string]string{
		difysemconv.AttrTenantID: tenant, difysemconv.AttrAppID: appA, difysemconv.AttrWorkflowID: workflowA,
		difysemconv.AttrWorkflowRunID: runA,
	} {
		assert.Equal(t, want, attrs.Text(span.Attributes(), key), "%s of %s", key, span.Name())
	}
}

// Provider posts each span alone, the root first. Only the root has the IDs.
func TestSpansOfTheProvider(t *testing.T) {
	res := kv{"service.name": "dify", "telemetry.sdk.name": "opentelemetry", "service.instance.id": "i"}
	for name, batches := range map[string][][]spanSpec{
		"each alone": {providerRun()[:1], providerRun()[1:2], providerRun()[2:3], providerRun()[3:]},
		"together":   {providerRun()},
		"leaf first": {{providerRun()[3], providerRun()[2], providerRun()[1], providerRun()[0]}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newHarness(t)
			names, titles := map[string]int{}, map[string]int{}
			for _, specs := range batches {
				td := b.traces(t, batchOf(res, specs...))
				rs := td.ResourceSpans().At(0).Resource().Attributes()
				assert.Equal(t, "worker", attrs.Text(rs, difysemconv.AttrRole))
				assert.Equal(t, "dify", attrs.Text(rs, attrs.ServiceNamespace))
				for _, span := range spansOf(td) {
					assertOfRun(t, span.Span)
					assert.False(t, attrs.Has(span.Attributes(), "metadata") &&
						attrs.Text(span.Attributes(), "metadata") == providerRun()[0].kv["metadata"])
					names[span.Name()]++
					titles[attrs.Text(span.Attributes(), difysemconv.AttrNodeTitle)]++
				}
			}
			assert.Equal(t, map[string]int{"workflow": 1, "llm": 1, "iteration": 1, "tool": 1}, names)
			assert.Equal(t, map[string]int{"": 2, "My title": 1, "Search": 1}, titles)
		})
	}
	t.Run("before the root", func(t *testing.T) {
		td := newHarness(t).traces(t, batchOf(res, providerRun()[1]))
		assert.Equal(t, runA, attrs.Text(byID(td, 2).Attributes(), "session.id"))
		assert.False(t, attrs.Has(byID(td, 2).Attributes(), difysemconv.AttrWorkflowRunID))
	})
	t.Run("a called workflow is another run", func(t *testing.T) {
		nested := provider(5, 4, "workflow_"+runB, fmt.Sprintf(`{"workflow_run_id":%q,"app_id":%q}`, runB, appB))
		td := newHarness(t).traces(t, batchOf(res, append(providerRun(), nested)...))
		assert.Equal(t, runB, attrs.Text(byID(td, 5).Attributes(), difysemconv.AttrWorkflowRunID))
		assert.False(t, attrs.Has(byID(td, 5).Attributes(), difysemconv.AttrTenantID))
	})
	t.Run("operations of a message", func(t *testing.T) {
		metadata := fmt.Sprintf(`{"message_id":%q,"tenant_id":%q,"app_id":%q}`, messageID, tenant, appA)
		search := provider(6, 0, "My search", metadata)
		search.kv["openinference.span.kind"] = "TOOL"
		td := newHarness(t).traces(t, batchOf(res, search))
		assert.Equal(t, messageID, attrs.Text(byID(td, 6).Attributes(), difysemconv.AttrMessageID))
		assert.Equal(t, "execute_tool", byID(td, 6).Name())
	})
	t.Run("metadata that is no object", func(t *testing.T) {
		for _, metadata := range []string{"", "[", `{"app_id":`, `"x"`, `{"app_id":{"a":1}}`} {
			td := newHarness(t).traces(t, batchOf(res, provider(7, 0, "x", metadata)))
			assert.False(t, attrs.Has(byID(td, 7).Attributes(), difysemconv.AttrAppID), metadata)
		}
	})
}

// Other emitters have the IDs on each span, under names of their own.
func TestSpansOfOtherEmitters(t *testing.T) {
	ids := kv{
		"dify.tenant_id": tenant, "dify.app_id": appA, "dify.workflow.id": workflowA, "dify.workflow.run_id": runA,
		"dify.node.execution_id": executionID, "dify.node.type": "llm", "dify.conversation.id": "c",
	}
	for name, tt := range map[string]struct {
		res           kv
		scope, span   string
		more          kv
		role, renamed string
		failed        bool
	}{
		"ops": {
			kv{"service.name": "x"}, "dify.ops", "My title", kv{"dify.span.type": "node"}, "worker", "llm", false,
		},
		"trajectory": {
			kv{"service.name": "y", "logfire.version": "4"}, "pydantic-ai", "chat m", nil, "agent_backend", "chat m", false,
		},
		"enterprise": {
			kv{"service.name": "dify", "host.name": "h"},
			"dify.enterprise", "dify.node.execution",
			kv{"dify.node.status": "succeeded"},
			"worker", "dify.node.execution", false,
		},
		"failed node": {
			kv{"service.name": "dify", "host.name": "h"},
			"dify.enterprise", "dify.node.execution",
			kv{"dify.node.status": "failed"},
			"worker", "dify.node.execution", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := spanSpec{id: 1, scope: tt.scope, name: tt.span, kind: internalSpan, kv: kv{}}
			maps.Copy(spec.kv, ids)
			maps.Copy(spec.kv, tt.more)
			td := newHarness(t).traces(t, batchOf(tt.res, spec))
			span := byID(td, 1)
			assertOfRun(t, span.Span)
			assert.Equal(t, executionID, attrs.Text(span.Attributes(), difysemconv.AttrNodeExecutionID))
			assert.Equal(t, "c", attrs.Text(span.Attributes(), difysemconv.AttrConversationID))
			assert.Equal(t, tt.renamed, span.Name())
			assert.Equal(t, tt.failed, span.Status().Code() == ptrace.StatusCodeError)
			res := td.ResourceSpans().At(0).Resource().Attributes()
			assert.Equal(t, tt.role, attrs.Text(res, difysemconv.AttrRole))
			assert.Equal(t, "dify", attrs.Text(res, attrs.ServiceNamespace))
		})
	}
}
