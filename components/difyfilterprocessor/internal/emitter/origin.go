// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package emitter recognizes what emitted a resource: Dify's Python SDK, its plugin daemon, a container or another
// process. It also has the names of the instrumentation scopes by which Dify's processes are recognized.
package emitter

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
)

const (
	// ServiceDify is Dify's default for APPLICATION_NAME.
	ServiceDify = "langgenius/dify"
	// ServicePluginDaemon is the service name of Dify's plugin daemon.
	ServicePluginDaemon = "dify-plugin-daemon"
	// VersionPrefix begins the service version of Dify.
	VersionPrefix = "dify-"
	// AttrGitCommit is the attribute with the commit from which Dify was built.
	AttrGitCommit = "custom.deployment.git_commit"
)

// Origin is the kind of process or container that a resource describes. Repairs apply to Dify only; noise rules and
// redaction apply to every origin.
type Origin int

// Origins.
const (
	Other        Origin = iota
	SDK                 // Dify's api, worker or beat, through its Python SDK
	PluginDaemon        // Dify's plugin daemon
	Container           // a container as the docker_stats receiver reports it
)

// Dify reports whether the origin is a process of Dify.
func (o Origin) Dify() bool { return o == SDK || o == PluginDaemon }

// OwnScope reports whether a scope belongs to Dify's own code, not to an instrumentation.
func (o Origin) OwnScope(scope pcommon.InstrumentationScope) bool {
	return o == SDK && !strings.HasPrefix(scope.Name(), ScopeInstrumentation)
}

// Of returns the origin of a resource. Dify's Python processes differ from others in one way: their setup builds
// the resource with the bare constructor, so that it has a service.name but no telemetry.sdk.*. To distinguish it from
// other bare resources, one more mark of Dify is required: the commit, a version that begins with dify-, the scope of
// the enterprise edition, or process ID and host name. The process scraper of hostmetrics has the latter too, but also
// the executable's name, and an instance ID must be absent or the one that package identity sets.
func Of(res pcommon.Map, enterprise bool) Origin {
	name, named := res.Get(attrs.ServiceName)
	if !named {
		if attrs.Has(res, attrs.ContainerID) {
			return Container
		}
		return Other
	}
	if name.AsString() == ServicePluginDaemon {
		return PluginDaemon
	}
	if attrs.Has(res, attrs.TelemetrySDKName) {
		return Other
	}
	switch {
	case enterprise,
		attrs.Has(res, AttrGitCommit),
		strings.HasPrefix(attrs.Text(res, attrs.ServiceVersion), VersionPrefix):
		return SDK
	case ProcessID(res) != "" && !attrs.Has(res, attrs.ProcessExecutableName) &&
		(!attrs.Has(res, attrs.ServiceInstanceID) || hasProcessInstanceID(res)):
		return SDK
	default:
		return Other
	}
}

// hasProcessInstanceID reports whether the resource has the instance ID that package identity sets.
func hasProcessInstanceID(res pcommon.Map) bool {
	id := attrs.Text(res, attrs.ServiceInstanceID)
	process, start, second := strings.Cut(id, "@")
	return id != "" && process == ProcessID(res) && (!second || start != "" && strings.Trim(start, "0123456789") == "")
}

// ProcessID returns <host.name>:<process.pid>, and "" if one of them is absent.
func ProcessID(res pcommon.Map) string {
	host, hasHost := res.Get(attrs.HostName)
	pid, hasPID := res.Get(attrs.ProcessPID)
	if !hasHost || !hasPID {
		return ""
	}
	return host.AsString() + ":" + pid.AsString()
}

// HasEnterpriseSpans reports whether a resource has spans of the enterprise edition.
func HasEnterpriseSpans(rs ptrace.ResourceSpans) bool {
	for _, ss := range rs.ScopeSpans().All() {
		if ss.Scope().Name() == ScopeEnterprise {
			return true
		}
	}
	return false
}

// HasEnterpriseMetrics reports whether a resource has metrics of the enterprise edition.
func HasEnterpriseMetrics(rm pmetric.ResourceMetrics) bool {
	for _, sm := range rm.ScopeMetrics().All() {
		if sm.Scope().Name() == ScopeEnterprise {
			return true
		}
	}
	return false
}
