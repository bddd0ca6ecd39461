// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package spanrepair

import (
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	conventions "go.opentelemetry.io/otel/semconv/v1.40.0"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
)

// Content of node spans, before redaction.
const (
	inputValue  = "input.value"
	outputValue = "output.value"
	spanKind    = "gen_ai.span.kind" // since Dify 1.12.0, as the content
)

// haveOutputs are the types of nodes that have an output whenever they succeed: of 5,543 recorded executions, one that
// failed had one too. An assigner, a human input and the start of an iteration or loop succeed without one, and an
// iteration fails with one.
var haveOutputs = map[string]bool{
	"llm": true, "code": true, "http-request": true, "tool": true, "knowledge-retrieval": true,
}

// NodeStatus repairs the status of nodes that failed. It remembers which processes export outputs at all, since Dify's
// enterprise edition may be set not to. It is safe for concurrent use.
type NodeStatus struct {
	exporting *expiring.Set[string] // service.instance.id
}

// NewNodeStatus returns a NodeStatus that remembers at most limit processes.
func NewNodeStatus(limit int, ttl time.Duration) *NodeStatus {
	return &NodeStatus{exporting: expiring.NewSet[string](limit, ttl)}
}

// Exporting reports whether the process of a resource exports outputs, as spans in this batch or earlier ones show.
func (s *NodeStatus) Exporting(rs ptrace.ResourceSpans, now time.Time) bool {
	instance := attrs.Text(rs.Resource().Attributes(), attrs.ServiceInstanceID)
	for _, ss := range rs.ScopeSpans().All() {
		if !emitter.SDK.OwnScope(ss.Scope()) {
			continue
		}
		for _, span := range ss.Spans().All() {
			if attrs.Has(span.Attributes(), outputValue) {
				s.exporting.Add(instance, now)
				return true
			}
		}
	}
	return s.exporting.Contains(instance, now)
}

// Repair sets the status ERROR of a node that failed, also if the workflow handled it: Dify sets OK over the error. It
// must come before NameNode, whose mark shows that a span was seen before: redaction has removed the output then.
func (*NodeStatus) Repair(span ptrace.Span, exporting bool) {
	attributes := span.Attributes()
	if span.Status().Code() != ptrace.StatusCodeOk || !haveOutputs[attrs.Text(attributes, difysemconv.AttrNodeType)] ||
		attrs.Has(attributes, outputValue) || attrs.Has(attributes, difysemconv.AttrNodeTitle) ||
		!attrs.Has(attributes, spanKind) || !exporting && !attrs.Has(attributes, inputValue) {
		return
	}
	attrs.PutAbsent(attributes, difysemconv.AttrOriginalStatus, "OK")
	setFailed(span)
}

// setFailed sets the status ERROR of a span whose error is not known.
func setFailed(span ptrace.Span) {
	attrs.PutAbsent(span.Attributes(), attrs.ErrorType, conventions.ErrorTypeOther.Value.AsString())
	span.Status().SetCode(ptrace.StatusCodeError)
}
