// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// role returns the part of Dify that a resource describes: the role that the operator set, else the role by what the
// process does in this or an earlier batch, else the role by its names. Only the role by what it does is remembered,
// since the name of a host can mislead.
func (f *filter) role(res pcommon.Map, from emitter.Origin, seen string, now time.Time) string {
	role := ""
	if from == emitter.SDK && !attrs.Has(res, difysemconv.AttrRole) {
		role = f.rememberRole(attrs.Text(res, attrs.ServiceInstanceID), seen, now)
	}
	if role == "" && !attrs.Has(res, difysemconv.AttrRole) {
		role = roleByNames(res, from)
	}
	return setRole(res, role)
}

// setRole sets the role if none is set, and returns the role that the resource has then.
func setRole(res pcommon.Map, role string) string {
	if role != "" {
		attrs.PutAbsent(res, difysemconv.AttrRole, role)
	}
	return attrs.Text(res, difysemconv.AttrRole)
}

// roleByNames returns the role by the names of a resource, which is constant for the lifetime of a process.
func roleByNames(res pcommon.Map, from emitter.Origin) string {
	switch from {
	case emitter.PluginDaemon:
		return difysemconv.RolePluginDaemon
	case emitter.SDK:
		return cmp.Or(roleByName(attrs.Text(res, attrs.ServiceName)), roleByName(attrs.Text(res, attrs.HostName)))
	case emitter.Container:
		return roleByContainer(attrs.Text(res, "com.docker.compose.service"), attrs.Text(res, attrs.ContainerName))
	case emitter.Other:
	}
	return ""
}

// setPointRoles sets the role on data points. The role of a series must never change, since that would start a second
// series that counts the same events again. So it does not use the role that is learned over time. If the names do not
// give the role, streams that only an API or only a worker has give it from their first point on; other streams have
// none.
func setPointRoles(rm pmetric.ResourceMetrics, role string, from emitter.Origin) {
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

// rememberRole stores the role that was seen, if any, and returns the current role of a process.
func (f *filter) rememberRole(instance, seen string, now time.Time) string {
	if instance == "" {
		return seen
	}
	f.memory.mu.Lock()
	defer f.memory.mu.Unlock()
	known, ok := f.memory.roles.get(instance, now)
	if seen == "" || (ok && known == seen) {
		return known
	}
	f.memory.roles.set(instance, seen, now)
	return seen
}

// roleBySpans returns the role by what a process does: only the API serves requests with Flask, only a worker runs tasks
// or polls queues. A worker polls from its first second on.
func roleBySpans(rs ptrace.ResourceSpans) string {
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

func roleByMetrics(rm pmetric.ResourceMetrics) string {
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

// roleByName returns the role for names like dify-worker-beat-0 or worker. The names of a beat and of a plugin daemon may
// contain worker or api too, so these are checked first.
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

// roleByContainer returns the role of a service of Dify's compose file, by its label or by the name of the container.
func roleByContainer(service, name string) string {
	if service == "" {
		service = composeService(name)
	}
	switch service {
	case "web":
		return difysemconv.RoleWeb
	case "nginx":
		return difysemconv.RoleNginx
	case "sandbox":
		return difysemconv.RoleSandbox
	case "ssrf_proxy":
		return difysemconv.RoleSSRFProxy
	}
	return roleByName(service)
}

// composeService returns the service of <project>-<service>-<number>, the form in which docker compose names containers.
// The names of Dify's services have no dash. Any other name is returned unchanged.
func composeService(name string) string {
	at := strings.LastIndexByte(name, '-')
	if at < 0 || at == len(name)-1 || strings.Trim(name[at+1:], "0123456789") != "" {
		return name
	}
	return name[strings.LastIndexByte(name[:at], '-')+1 : at]
}
