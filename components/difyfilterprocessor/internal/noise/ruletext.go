// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package noise

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
)

// inAttributes searches the attributes that can describe an error. It skips content that users write, who may ask
// about the Langfuse error, stack traces, which may show an unrelated exception, and attributes about users and the
// infrastructure.
func (r *rule) inAttributes(attributes pcommon.Map) bool {
	for key, v := range attributes.All() {
		if v.Type() == pcommon.ValueTypeStr && describesError(key) && r.inText(v.Str()) {
			return true
		}
	}
	return false
}

func describesError(key string) bool {
	if key == attrs.ExceptionStacktrace {
		return false
	}
	prefix, _, _ := strings.Cut(key, ".")
	switch prefix {
	case "db", "net", "http", "url", "server", "client", "network", "node", "celery", "messaging",
		"gen_ai", "input", "output", "retrieval", "dify", "service", "user", "enduser":
		return false
	}
	return true
}

func (r *rule) inValue(v pcommon.Value) bool {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return r.inText(v.Str())
	case pcommon.ValueTypeMap:
		for key, child := range v.Map().All() {
			if describesError(key) && r.inValue(child) {
				return true
			}
		}
	case pcommon.ValueTypeSlice:
		for _, child := range v.Slice().All() {
			if r.inValue(child) {
				return true
			}
		}
	default: // no text
	}
	return false
}

func (r *rule) inText(s string) bool {
	if slices.ContainsFunc(r.texts, func(literal string) bool { return strings.Contains(s, literal) }) {
		return true
	}
	return r.textRegexp != nil && r.textRegexp.MatchString(s)
}
