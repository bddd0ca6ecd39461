// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// SetRole sets the role if none is set, and returns the role that the resource has then.
func SetRole(res pcommon.Map, role string) string {
	if role != "" {
		attrs.PutAbsent(res, difysemconv.AttrRole, role)
	}
	return attrs.Text(res, difysemconv.AttrRole)
}

// RoleByNames returns the role by the names of a resource, which is constant for the lifetime of a process.
func RoleByNames(res pcommon.Map, from emitter.Origin) string {
	switch from {
	case emitter.PluginDaemon:
		return difysemconv.RolePluginDaemon
	case emitter.SDK:
		return cmp.Or(roleByName(attrs.Text(res, attrs.ServiceName)), roleByName(attrs.Text(res, attrs.HostName)))
	case emitter.Container:
		return RoleByContainer(attrs.Text(res, AttrComposeService), attrs.Text(res, attrs.ContainerName))
	case emitter.Other:
	}
	return ""
}

// SetPointRoles sets the role on data points. The role of a series must never change, since that would start a second
// series that counts the same events again. So it does not use the role that is learned over time. If the names do not
// give the role, streams that only an API or only a worker has give it from their first point on; other streams have
// none.
func SetPointRoles(rm pmetric.ResourceMetrics, role string, from emitter.Origin) {
	if from == emitter.Other {
		return
	}
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			own := role
			if own == "" && from == emitter.SDK {
				own = roleByMetric(sm.Scope().Name(), m)
			}
			if own != "" {
				attrs.EachPointOf(m, func(p attrs.Point) { attrs.PutAbsent(p.Attributes(), difysemconv.AttrRole, own) })
			}
		}
	}
}

// SetScopeRole sets the role on the data points of a scope.
func SetScopeRole(sm pmetric.ScopeMetrics, role string) {
	if role == "" {
		return
	}
	for _, m := range sm.Metrics().All() {
		attrs.EachPointOf(m, func(p attrs.Point) { attrs.PutAbsent(p.Attributes(), difysemconv.AttrRole, role) })
	}
}

// RoleBySpans returns the role by what a process does: only the API serves requests with Flask, only a worker runs
// tasks or polls queues. A worker polls from its first second on.
func RoleBySpans(rs ptrace.ResourceSpans) string {
	role := ""
	for _, ss := range rs.ScopeSpans().All() {
		switch ss.Scope().Name() {
		case emitter.ScopeFlask:
			return difysemconv.RoleAPI
		case emitter.ScopeCelery:
			if role == "" && runsTasks(ss.Spans()) {
				role = difysemconv.RoleWorker
			}
		case emitter.ScopeRedis:
			if role == "" && pollsQueues(ss.Spans()) {
				role = difysemconv.RoleWorker
			}
		}
	}
	return role
}

func runsTasks(spans ptrace.SpanSlice) bool {
	for _, span := range spans.All() {
		if span.Kind() == ptrace.SpanKindConsumer && strings.HasPrefix(span.Name(), "run/") {
			return true
		}
	}
	return false
}

// pollsQueues looks only at root spans: within a request, the API reads queues too.
func pollsQueues(spans ptrace.SpanSlice) bool {
	for _, span := range spans.All() {
		if span.ParentSpanID().IsEmpty() && emitter.IsBrokerCommand(span.Name()) {
			return true
		}
	}
	return false
}

// RoleByMetrics returns the role by the streams that only an API or only a worker has.
func RoleByMetrics(rm pmetric.ResourceMetrics) string {
	role := ""
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			role = cmp.Or(role, roleByMetric(sm.Scope().Name(), m))
		}
	}
	return role
}

func roleByMetric(scope string, m pmetric.Metric) string {
	switch {
	case scope == emitter.ScopeFlask, scope == emitter.ScopeResponseCount:
		return difysemconv.RoleAPI
	case scope == emitter.ScopeCelery && strings.HasPrefix(m.Name(), "flower."):
		return difysemconv.RoleWorker
	}
	return ""
}

// roleByName returns the role for names like dify-worker-beat-0 or worker. The names of a beat and of a plugin daemon
// may contain worker or api too, so these are checked first.
func roleByName(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool {
		return c == '-' || c == '_' || c == '.' || c == '/' || c == ' '
	})
	switch {
	case slices.Contains(words, "beat"):
		return difysemconv.RoleBeat
	case slices.Contains(words, "plugin") && slices.Contains(words, "daemon"):
		return difysemconv.RolePluginDaemon
	case slices.Contains(words, "worker"):
		return difysemconv.RoleWorker
	case slices.Contains(words, "api"):
		return difysemconv.RoleAPI
	default:
		return ""
	}
}
