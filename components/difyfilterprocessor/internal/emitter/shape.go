// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Shape is the form of spans that describe runs, other than those of ENABLE_OTEL. Each emitter has its own names.
type Shape int

// Shapes.
const (
	NoShape       Shape = iota
	Provider            // the tracing provider "OpenTelemetry" of an app, since Dify 1.20
	ProviderOps         // the same provider in its rewritten form, whose scope is dify.ops
	Trajectory          // the runs of Agents, from the agent backend
	AgentPlatform       // HTTP, Redis and other calls of the agent backend
	Enterprise          // the telemetry of the enterprise edition
)

const (
	scopeProvider      = "unified_otel_"
	scopeProviderOps   = "dify.ops"
	scopeTrajectory    = "pydantic-ai"
	attrLogfireVersion = "logfire.version"
	attrDifyAgentID    = "dify.agent_id"
	attrDifySynthetic  = "dify.span.synthetic"
	serviceTrajectory  = "dify-agent-trajectory"
)

// ShapeOf returns the shape of the spans of a scope. Forms after Dify 1.17 are known from its documentation and from
// single files, so that any of several marks is enough.
func ShapeOf(res pcommon.Map, ss ptrace.ScopeSpans) Shape {
	scope := ss.Scope().Name()
	switch {
	case strings.HasPrefix(scope, scopeProvider):
		return Provider
	case scope == scopeProviderOps:
		return ProviderOps
	case scope == ScopeEnterprise:
		return Enterprise
	}
	backend := attrs.Has(res, attrLogfireVersion)
	if backend && strings.HasPrefix(scope, ScopeInstrumentation) {
		return AgentPlatform
	}
	if scope == scopeTrajectory && (backend || attrs.Text(res, attrs.ServiceName) == serviceTrajectory) {
		return Trajectory
	}
	if ss.Spans().Len() == 0 {
		return NoShape
	}
	switch first := ss.Spans().At(0).Attributes(); { // all spans of a scope have one form
	case attrs.Has(first, attrDifySynthetic):
		return Provider
	case scope == scopeTrajectory && attrs.Has(first, attrDifyAgentID):
		return Trajectory
	default:
		return NoShape
	}
}

// Role returns the role of the processes that emit a shape, or "".
func (s Shape) Role() string {
	switch s {
	case Provider, ProviderOps:
		return difysemconv.RoleWorker
	case Trajectory, AgentPlatform:
		return difysemconv.RoleAgentBackend
	case NoShape, Enterprise:
	}
	return ""
}
