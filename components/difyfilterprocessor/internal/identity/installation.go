// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/internal/installation"
)

// SetInstallation sets the namespace on a resource of Dify, unless namespace is empty, and splits version, commit,
// edition and environment. It never changes what the operator set.
func SetInstallation(res pcommon.Map, namespace string) {
	if namespace != "" {
		attrs.PutAbsent(res, attrs.ServiceNamespace, namespace)
	}
	splitVersion(res)
	splitEnvironment(res)
}

// SetProjectName gives a resource of the older providers, which has a project only, the project's name.
func SetProjectName(res pcommon.Map, shape emitter.Shape) {
	if project := attrs.Text(res, "openinference.project.name"); shape == emitter.OlderProvider && project != "" {
		attrs.PutAbsent(res, attrs.ServiceName, project)
	}
}

// SetName sets the name of the installation on a resource of spans or log records, unless the name is empty. It
// replaces what a client sent.
func SetName(res pcommon.Map, name string) {
	if name != "" {
		res.PutStr(difysemconv.AttrInstallation, name)
	}
}

// SetPointNames sets the name of the installation on a resource of metrics, for target_info, and on its data points, as
// the label that the rules and dashboards use. It replaces what a client sent.
func SetPointNames(rm pmetric.ResourceMetrics, name string) {
	if name == "" {
		return
	}
	rm.Resource().Attributes().PutStr(installation.Label, name)
	attrs.EachPoint(rm, func(p attrs.Point) { p.Attributes().PutStr(installation.Label, name) })
}

// splitVersion reads dify-<version>-<commit>. The original attribute is kept: Sentry matches releases by it.
func splitVersion(res pcommon.Map) {
	v, ok := res.Get(attrs.ServiceVersion)
	if !ok {
		return
	}
	rest, ok := strings.CutPrefix(v.AsString(), emitter.VersionPrefix)
	if !ok {
		return
	}
	version, commit := rest, ""
	if i := strings.LastIndexByte(rest, '-'); i >= 0 && (i == len(rest)-1 || isCommit(rest[i+1:])) {
		version, commit = rest[:i], rest[i+1:]
	}
	if c, ok := res.Get(emitter.AttrGitCommit); ok && c.AsString() != "" {
		commit = c.AsString()
		version = strings.TrimSuffix(strings.TrimSuffix(rest, commit), "-")
	}
	if version != "" {
		attrs.PutAbsent(res, difysemconv.AttrVersion, version)
	}
	if commit != "" {
		attrs.PutAbsent(res, difysemconv.AttrCommit, commit)
	}
}

// splitEnvironment reads <environment>-<edition> from the current key, or from the key of Dify up to 1.13.0.
func splitEnvironment(res pcommon.Map) {
	if old, ok := res.Get(difysemconv.AttrOldEnvironment); ok && !attrs.Has(res, difysemconv.AttrEnvironment) {
		value := old.AsString()
		res.Remove(difysemconv.AttrOldEnvironment)
		res.PutStr(difysemconv.AttrEnvironment, value)
	}
	env, ok := res.Get(difysemconv.AttrEnvironment)
	if !ok || attrs.Has(res, difysemconv.AttrEdition) {
		return // already split, or set by the operator
	}
	if name, edition := difysemconv.SplitEnvironment(env.AsString()); edition != "" {
		env.SetStr(name)
		res.PutStr(difysemconv.AttrEdition, edition)
	}
}

// isCommit reports whether a text can be a commit: at least seven hexadecimal digits.
func isCommit(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return len(s) >= 7
}
