// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const (
	attrServiceName       = "service.name"
	attrServiceVersion    = "service.version"
	attrServiceNamespace  = "service.namespace"
	attrServiceInstanceID = "service.instance.id"
	attrHostName          = "host.name"
	attrProcessPID        = "process.pid"
	attrProcessName       = "process.executable.name"
	attrSDKName           = "telemetry.sdk.name"
	attrContainerID       = "container.id"
	attrContainerName     = "container.name"
	attrComposeService    = "com.docker.compose.service"
	attrGitCommit         = "custom.deployment.git_commit"

	serviceDify         = "langgenius/dify" // Dify's default for APPLICATION_NAME
	servicePluginDaemon = "dify-plugin-daemon"
	scopeEnterprise     = "dify.enterprise"
	versionPrefix       = "dify-"
)

// origin is who made a resource. Meaning is repaired for Dify only; noise and redaction know no origin.
type origin int

const (
	originOther origin = iota
	originSDK          // Dify's api, worker or beat, through its Python SDK
	originPluginDaemon
	originContainer // a container as docker_stats tells it
)

func (o origin) dify() bool { return o == originSDK || o == originPluginDaemon }

// ownWork says whether a scope is of Dify's own code, and not of an instrumentation.
func (o origin) ownWork(scope pcommon.InstrumentationScope) bool {
	return o == originSDK && !strings.HasPrefix(scope.Name(), scopeInstrumentation)
}

// originOf recognizes Dify's Python processes by the one thing that its set-up does unlike others: it builds the
// resource with the bare constructor, so that there is a service.name and no telemetry.sdk.*. To tell it from other bare
// resources, one of Dify's own marks must stand beside it: the commit, a version that begins with dify-, the enterprise
// edition's scope, or process id and host name, which together name a process (hostmetrics' process scraper also tells
// the executable's name; an instance id must be missing or be the one that identify gave).
func originOf(res pcommon.Map, enterprise bool) origin {
	name, named := res.Get(attrServiceName)
	if !named {
		if has(res, attrContainerID) {
			return originContainer
		}
		return originOther
	}
	if name.AsString() == servicePluginDaemon {
		return originPluginDaemon
	}
	if has(res, attrSDKName) {
		return originOther
	}
	switch {
	case enterprise, has(res, attrGitCommit), strings.HasPrefix(text(res, attrServiceVersion), versionPrefix):
		return originSDK
	case processID(res) != "" && !has(res, attrProcessName) && (!has(res, attrServiceInstanceID) || identified(res)):
		return originSDK
	default:
		return originOther
	}
}

// enrich sets the namespace and takes version, commit, edition and environment apart. What the operator set stays.
func (f *filter) enrich(res pcommon.Map) {
	if f.cfg.ServiceNamespace != "" {
		putAbsent(res, attrServiceNamespace, f.cfg.ServiceNamespace)
	}
	splitVersion(res)
	splitEnvironment(res)
}

// splitVersion reads dify-<version>-<commit>. The text itself stays whole: Sentry joins releases by it.
func splitVersion(res pcommon.Map) {
	v, ok := res.Get(attrServiceVersion)
	if !ok {
		return
	}
	rest, ok := strings.CutPrefix(v.AsString(), versionPrefix)
	if !ok {
		return
	}
	version, commit := rest, ""
	if i := strings.LastIndexByte(rest, '-'); i >= 0 && (i == len(rest)-1 || isHex(rest[i+1:])) {
		version, commit = rest[:i], rest[i+1:]
	}
	if c, ok := res.Get(attrGitCommit); ok && c.AsString() != "" {
		commit = c.AsString()
		version = strings.TrimSuffix(strings.TrimSuffix(rest, commit), "-")
	}
	if version != "" {
		putAbsent(res, difysemconv.AttrVersion, version)
	}
	if commit != "" {
		putAbsent(res, difysemconv.AttrCommit, commit)
	}
}

// editions maps the end of Dify's environment name to the edition. Up to 1.16.1 a self-hosted Dify said SELF_HOSTED.
var editions = []struct{ suffix, edition string }{
	{"-SELF_HOSTED", "COMMUNITY"},
	{"-COMMUNITY", "COMMUNITY"},
	{"-ENTERPRISE", "ENTERPRISE"},
	{"-CLOUD", "CLOUD"},
}

// splitEnvironment reads <environment>-<edition> under today's key or the one up to 1.13.0.
func splitEnvironment(res pcommon.Map) {
	if old, ok := res.Get(difysemconv.AttrOldEnvironment); ok && !has(res, difysemconv.AttrEnvironment) {
		value := old.AsString()
		res.Remove(difysemconv.AttrOldEnvironment)
		res.PutStr(difysemconv.AttrEnvironment, value)
	}
	env, ok := res.Get(difysemconv.AttrEnvironment)
	if !ok || has(res, difysemconv.AttrEdition) {
		return // taken apart before, or by the operator
	}
	for _, e := range editions {
		name, found := strings.CutSuffix(env.AsString(), e.suffix)
		if !found || name == "" {
			continue
		}
		env.SetStr(name)
		res.PutStr(difysemconv.AttrEdition, e.edition)
		return
	}
}

func isHex(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return len(s) >= 7
}

func has(m pcommon.Map, key string) bool {
	_, ok := m.Get(key)
	return ok
}

// str is empty for a value that is no string.
func str(v pcommon.Value) string {
	if v.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return v.Str()
}

// text is the value of a string attribute, empty without one.
func text(m pcommon.Map, key string) string {
	if v, ok := m.Get(key); ok {
		return str(v)
	}
	return ""
}

func putAbsent(m pcommon.Map, key, value string) {
	if !has(m, key) {
		m.PutStr(key, value)
	}
}

// rename moves a value to its key of today, or only removes it where that is already set. What is no string stays.
func rename(m pcommon.Map, from, to string) {
	v, ok := m.Get(from)
	if !ok || v.Type() != pcommon.ValueTypeStr {
		return
	}
	value := v.Str()
	m.Remove(from)
	putAbsent(m, to, value)
}
