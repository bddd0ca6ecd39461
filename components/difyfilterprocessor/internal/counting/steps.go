// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package counting

import (
	"cmp"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const kindNode = "node"

// stepOf returns what a span reports, and its ID: a run, a message, a node or another step. Trajectories say more about
// a node than the node's own span, and are no duplicates of it.
func stepOf(shape emitter.Shape, span ptrace.Span) (kind, id string) {
	attributes := span.Attributes()
	run := attrs.Text(attributes, difysemconv.AttrWorkflowRunID)
	execution := attrs.Text(attributes, difysemconv.AttrNodeExecutionID)
	switch {
	case shape == emitter.Trajectory:
		return "", ""
	case shape == emitter.Application && strings.HasSuffix(span.Name(), "Runner.run"):
		return CountsRun, run
	case shape == emitter.Application:
		return kindNode, execution
	case shape == emitter.ProviderOps:
		return ofOps(span, run, execution)
	case shape == emitter.Enterprise && span.Name() == "dify.workflow.run":
		return CountsRun, run
	case shape == emitter.Enterprise:
		return kindNode, execution
	case span.Name() == "workflow" && execution == "":
		return CountsRun, run
	case span.Name() == "message", span.Name() == "chatflow":
		return CountsMessage, attrs.Text(attributes, difysemconv.AttrMessageID)
	default: // of what has no node, the provider has an ID
		return kindNode, cmp.Or(execution, attrs.Text(attributes, difysemconv.AttrSpanID))
	}
}

// ofOps tells the attempts of a node apart.
func ofOps(span ptrace.Span, run, execution string) (kind, id string) {
	attributes := span.Attributes()
	switch {
	case attrs.Text(attributes, "dify.span.type") == "workflow":
		return CountsRun, run
	case strings.EqualFold(span.Name(), "message"):
		return CountsMessage, attrs.Text(attributes, difysemconv.AttrMessageID)
	case execution == "":
		return kindNode, attrs.Text(attributes, difysemconv.AttrSpanID)
	}
	if attempt, ok := attributes.Get("dify.node.attempt"); ok && attempt.AsString() != "0" {
		return kindNode, execution + "#" + attempt.AsString()
	}
	return kindNode, execution
}

// containers are the nodes whose usage is the sum of the nodes in them.
var containers = map[string]bool{"iteration": true, "loop": true}

// usageOf returns the ID of the use of a model that a span has, and "" if it has none, or only sums that other spans
// have too: runs, messages, iterations, loops, tools and whole trajectories. A tool that calls a model, and is no
// workflow, is counted by its price alone.
func usageOf(shape emitter.Shape, span ptrace.Span) string {
	attributes := span.Attributes()
	if !usesModel(attributes) {
		return ""
	}
	if shape == emitter.Trajectory {
		if attrs.Text(attributes, "gen_ai.operation.name") == "invoke_agent" {
			return ""
		}
		return cmp.Or(attrs.Text(attributes, difysemconv.AttrNodeExecutionID), span.TraceID().String())
	}
	nodeType := attrs.Text(attributes, difysemconv.AttrNodeType)
	execution := attrs.Text(attributes, difysemconv.AttrNodeExecutionID)
	if containers[nodeType] || nodeType == "tool" && callsWorkflow(attributes) {
		return ""
	}
	if execution != "" {
		return execution
	}
	id := attrs.Text(attributes, difysemconv.AttrSpanID)
	switch {
	case strings.HasSuffix(id, ":llm"): // made up below a message
		return id
	case shape == emitter.ProviderOps && attrs.Text(attributes, "dify.span.type") == "llm":
		return cmp.Or(id, span.SpanID().String())
	case shape == emitter.OlderProvider && attrs.Text(attributes, "openinference.span.kind") == "LLM":
		return cmp.Or(attrs.Text(attributes, difysemconv.AttrMessageID), span.SpanID().String())
	}
	return ""
}

// callsWorkflow reports whether a tool is a workflow, by the part of the metadata that is not content.
func callsWorkflow(attributes pcommon.Map) bool {
	metadata := strings.ReplaceAll(attrs.Text(attributes, emitter.AttrMetadata), " ", "")
	return strings.Contains(metadata, `"provider_type":"workflow"`)
}

// usageKeys are the numbers that a use of a model has.
var usageKeys = [...]string{
	"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.total_tokens",
	"llm.token_count.total", "llm.token_count.prompt", difysemconv.AttrUsageTotalPrice,
}

func usesModel(attributes pcommon.Map) bool {
	for _, key := range usageKeys {
		if v, ok := attributes.Get(key); ok && (v.Type() == pcommon.ValueTypeInt && v.Int() > 0 ||
			v.Type() == pcommon.ValueTypeDouble && v.Double() > 0) {
			return true
		}
	}
	return false
}
