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

// origin is the kind of process or container that a resource describes. Repairs apply to Dify only; noise rules and
// redaction apply to every origin.
type origin int

const (
	originOther origin = iota
	originSDK          // Dify's api, worker or beat, through its Python SDK
	originPluginDaemon
	originContainer // a container as the docker_stats receiver reports it
)

func (o origin) dify() bool { return o == originSDK || o == originPluginDaemon }

// ownWork reports whether a scope belongs to Dify's own code, not to an instrumentation.
func (o origin) ownWork(scope pcommon.InstrumentationScope) bool {
	return o == originSDK && !strings.HasPrefix(scope.Name(), scopeInstrumentation)
}

// originOf returns the origin of a resource. Dify's Python processes differ from others in one way: their setup builds
// the resource with the bare constructor, so that it has a service.name but no telemetry.sdk.*. To distinguish it from
// other bare resources, one more mark of Dify is required: the commit, a version that begins with dify-, the scope of
// the enterprise edition, or process ID and host name. The process scraper of hostmetrics has the latter too, but also
// the executable's name, and an instance ID must be absent or the one that identify sets.
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

// enrich sets the namespace and splits version, commit, edition and environment. It never changes what the operator set.
func (f *filter) enrich(res pcommon.Map) {
	if f.cfg.ServiceNamespace != "" {
		putAbsent(res, attrServiceNamespace, f.cfg.ServiceNamespace)
	}
	splitVersion(res)
	splitEnvironment(res)
}

// splitVersion reads dify-<version>-<commit>. The original attribute is kept: Sentry matches releases by it.
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

// editions maps the suffix of Dify's environment name to the edition. Up to 1.16.1, a self-hosted Dify uses SELF_HOSTED.
var editions = []struct{ suffix, edition string }{
	{"-SELF_HOSTED", "COMMUNITY"},
	{"-COMMUNITY", "COMMUNITY"},
	{"-ENTERPRISE", "ENTERPRISE"},
	{"-CLOUD", "CLOUD"},
}

// splitEnvironment reads <environment>-<edition> from the current key, or from the key of Dify up to 1.13.0.
func splitEnvironment(res pcommon.Map) {
	if old, ok := res.Get(difysemconv.AttrOldEnvironment); ok && !has(res, difysemconv.AttrEnvironment) {
		value := old.AsString()
		res.Remove(difysemconv.AttrOldEnvironment)
		res.PutStr(difysemconv.AttrEnvironment, value)
	}
	env, ok := res.Get(difysemconv.AttrEnvironment)
	if !ok || has(res, difysemconv.AttrEdition) {
		return // already split, or set by the operator
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

// str returns a string value, and "" for a value of another type.
func str(v pcommon.Value) string {
	if v.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return v.Str()
}

// text returns the value of a string attribute, and "" if there is none.
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

// rename moves a string value to another key. If that key is already set, it only removes the old one. A value of
// another type is left alone.
func rename(m pcommon.Map, from, to string) {
	v, ok := m.Get(from)
	if !ok || v.Type() != pcommon.ValueTypeStr {
		return
	}
	value := v.Str()
	m.Remove(from)
	putAbsent(m, to, value)
}
