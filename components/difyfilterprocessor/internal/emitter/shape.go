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

// Shape is the form of what one emitter of Dify sends. Each has its own names for the IDs of a run. The order is the
// one in which emitters are preferred if a request has a run of several of them; see package counting.
type Shape int

// Shapes.
const (
	NoShape       Shape = iota
	Trajectory          // the runs of Agents, from the agent backend
	Application         // ENABLE_OTEL: recognized by the resource, see Of
	ProviderOps         // the provider "OpenTelemetry" in its rewritten form, whose scope is dify.ops
	Provider            // the tracing provider "OpenTelemetry" of an app, since Dify 1.20
	OlderProvider       // the provider Phoenix or Arize, which points at a collector
	Enterprise          // the telemetry of the enterprise edition
	AgentPlatform       // HTTP, Redis and other calls of the agent backend
	Daemon              // the plugin daemon
)

const (
	scopeProvider      = "unified_otel_"
	scopeProviderOps   = "dify.ops"
	scopeTrajectory    = "pydantic-ai"
	attrLogfireVersion = "logfire.version"
	attrDifyAgentID    = "dify.agent_id"
	attrSpanKind       = "openinference.span.kind"
	attrProject        = "openinference.project.name"
	serviceTrajectory  = "dify-agent-trajectory"
)

// scope is what is known of the spans or metrics of a scope.
type scope struct {
	name  string
	res   pcommon.Map
	first pcommon.Map // attributes of the first span; the spans of a scope have one form
	spans bool        // first is set
}

func (s scope) named(prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(s.name, prefix) {
			return true
		}
	}
	return false
}

func (s scope) onSpan(keys ...string) bool {
	for _, key := range keys {
		if !s.spans || !attrs.Has(s.first, key) {
			return false
		}
	}
	return true
}

func (s scope) onResource(key string) bool { return attrs.Has(s.res, key) }

func (s scope) service(name string) bool { return attrs.Text(s.res, attrs.ServiceName) == name }

// mark is one way to recognize an emitter.
type mark func(scope) bool

// emitters has all emitters with their own names, and the marks of each: any is enough, since forms after Dify 1.17 are
// known from its documentation and from single files. The first whose mark applies wins.
var emitters = []struct {
	shape Shape
	name  string // the value of difysemconv.AttrEmitter
	role  string
	marks []mark
}{
	{Enterprise, "enterprise", difysemconv.RoleWorker, []mark{
		func(s scope) bool { return s.named(ScopeEnterprise) },
		func(s scope) bool { return s.onSpan("dify.trace_id", "dify.workflow.status") },
		func(s scope) bool { return s.onSpan("dify.trace_id", "dify.node.status", "dify.node.title") },
	}},
	{ProviderOps, "ops_provider", difysemconv.RoleWorker, []mark{
		func(s scope) bool { return s.name == scopeProviderOps || s.named(scopeProviderOps+".") },
		func(s scope) bool { return s.onSpan("dify.span.type", "dify.span.status") },
	}},
	{Provider, "otel_provider", difysemconv.RoleWorker, []mark{
		func(s scope) bool { return s.named(scopeProvider) },
		func(s scope) bool { return s.onSpan(difysemconv.AttrSpanSynthetic) },
		func(s scope) bool { return s.onSpan(difysemconv.AttrSpanID, attrSpanKind) },
		func(s scope) bool { return s.onSpan(difysemconv.AttrSpanID, AttrMetadata) },
	}},
	{OlderProvider, "older_provider", difysemconv.RoleWorker, []mark{
		func(s scope) bool { return s.named("arize_phoenix_tracer", "arize_tracer") },
		func(s scope) bool { return s.onResource(attrProject) && s.onSpan(AttrMetadata) },
		func(s scope) bool { return s.onSpan(attrSpanKind, AttrMetadata) && describesRun(s.first) },
	}},
	{AgentPlatform, "agent_platform", difysemconv.RoleAgentBackend, []mark{
		func(s scope) bool {
			return s.onResource(attrLogfireVersion) && s.named(ScopeInstrumentation, "logfire")
		},
	}},
	{Trajectory, "agent_trajectory", difysemconv.RoleAgentBackend, []mark{
		func(s scope) bool { return s.service(serviceTrajectory) },
		func(s scope) bool { return s.onSpan(attrDifyAgentID) },
		func(s scope) bool { return s.named(scopeTrajectory) && s.onResource(attrLogfireVersion) },
		func(s scope) bool {
			return s.named(scopeTrajectory) && (s.onSpan("dify.trace_id") || s.onSpan(difysemconv.AttrTenantID))
		},
	}},
	{Daemon, "plugin_daemon", difysemconv.RolePluginDaemon, []mark{
		func(s scope) bool { return s.service(ServicePluginDaemon) },
		func(s scope) bool { return s.named(ServicePluginDaemon + "/") },
	}},
}

// applicationName is the value of difysemconv.AttrEmitter of ENABLE_OTEL.
const applicationName = "enable_otel"

// describesRun reports whether the JSON in metadata has Dify's IDs: Phoenix's users have metadata of their own.
func describesRun(attributes pcommon.Map) bool {
	metadata := attrs.Text(attributes, AttrMetadata)
	for _, key := range [...]string{`"workflow_run_id"`, `"message_id"`, `"node_execution_id"`, `"node_type"`} {
		if strings.Contains(metadata, key) {
			return true
		}
	}
	return false
}

// AttrMetadata is the attribute with the IDs of a provider's span, as JSON.
const AttrMetadata = "metadata"

// ShapeOf returns the shape of the spans of a scope, and NoShape for those of ENABLE_OTEL and of strangers.
func ShapeOf(res pcommon.Map, ss ptrace.ScopeSpans) Shape {
	s := scope{name: ss.Scope().Name(), res: res}
	if ss.Spans().Len() > 0 {
		s.first, s.spans = ss.Spans().At(0).Attributes(), true
	}
	return s.shape()
}

// ShapeOfScope returns the shape of the metrics of a scope.
func ShapeOfScope(res pcommon.Map, name string) Shape { return scope{name: name, res: res}.shape() }

func (s scope) shape() Shape {
	for i := range emitters {
		for _, applies := range emitters[i].marks {
			if applies(s) {
				return emitters[i].shape
			}
		}
	}
	return NoShape
}

// Role returns the role of the processes that emit a shape, or "".
func (s Shape) Role() string {
	for i := range emitters {
		if emitters[i].shape == s {
			return emitters[i].role
		}
	}
	return ""
}

// String returns the value of the attribute dify.emitter.
func (s Shape) String() string {
	for i := range emitters {
		if emitters[i].shape == s {
			return emitters[i].name
		}
	}
	if s == Application {
		return applicationName
	}
	return ""
}

// HasMetadata reports whether the IDs are in the JSON of the attribute AttrMetadata, those of the run only at its root.
func (s Shape) HasMetadata() bool { return s == Provider || s == OlderProvider }

// TellsRuns reports whether the spans describe runs, rather than calls.
func (s Shape) TellsRuns() bool { return s >= Trajectory && s <= Enterprise }
