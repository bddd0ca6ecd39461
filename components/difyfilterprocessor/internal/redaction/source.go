// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"cmp"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
)

// source is what emitted the current item. Unknown content is removed if Dify or a GenAI library did, or if it is not
// known. Most items have no unknown content, so that it is only determined when it is needed.
type source struct {
	resource pcommon.Map
	scope    string
	known    bool
	denied   bool
	item     decision // on the current item
}

// decision is whether unknown content of an item is removed.
type decision uint8

const (
	undecided decision = iota
	denied
	allowed
)

// genAIScopes begin the names of the scopes of Dify's tracing providers and of GenAI libraries.
var genAIScopes = [...]string{
	"dify", "unified_otel_", "pydantic-ai", "arize_phoenix_tracer", "arize", "phoenix", "openinference", "langfuse",
	"traceloop", "langsmith", "logfire", "opik", "weave", "opentelemetry.instrumentation.openai",
	"opentelemetry.instrumentation.anthropic", "opentelemetry.instrumentation.langchain", "loongsuite", "ai",
}

// genAIPrefixes begin the attributes of Dify and of GenAI libraries.
var genAIPrefixes = [...]string{
	"gen_ai.", "dify.", "openinference.", "llm.", "traceloop.", "langfuse.", "langsmith.", "pydantic_ai.", "logfire.",
	"input.", "output.", "retrieval.", "embedding.", "mlflow.", "ai.",
}

func (s *source) enter(resource pcommon.Map, scope string) {
	*s = source{resource: resource, scope: scope}
}

// denies reports whether unknown content is removed from the current item, which has these attributes. It decides once
// for each item, since the attributes by which it decides may be removed.
func (s *source) denies(m pcommon.Map) bool {
	if !s.known {
		s.known, s.denied = true, s.isGenAI()
	}
	if s.item == undecided {
		s.item = allowed
		if s.denied || hasGenAI(m) {
			s.item = denied
		}
	}
	return s.item == denied
}

func (s *source) isGenAI() bool {
	for _, prefix := range genAIScopes {
		if strings.HasPrefix(s.scope, prefix) {
			return true
		}
	}
	name := attrs.Text(s.resource, attrs.ServiceName)
	return name == "" || strings.HasPrefix(name, "unknown_service") ||
		strings.Contains(strings.ToLower(name), "dify") ||
		attrs.Text(s.resource, attrs.ServiceNamespace) == "dify" || hasGenAI(s.resource) ||
		emitter.Of(s.resource, false).Dify()
}

// ownAttributes are set by this processor, on items of any emitter.
var ownAttributes = words("dify.arrival_time dify.original_time dify.limited dify.role dify.original_status " +
	"dify.trace_id.unverified dify.installation " + AttrAudit)

func hasGenAI(m pcommon.Map) bool {
	for key := range m.All() {
		if ownAttributes[key] {
			continue
		}
		for _, prefix := range genAIPrefixes {
			if strings.HasPrefix(key, prefix) {
				return true
			}
		}
	}
	return false
}

// isOneWord reports whether a value is a word of a program, a number or a boolean, rather than content.
func isOneWord(v pcommon.Value) bool {
	const longWord = 32
	switch v.Type() {
	case pcommon.ValueTypeStr:
		s := v.Str()
		return len(s) <= longWord && (isIdentifier(strings.NewReplacer("-", "", ".", "", "/", "").Replace(s)) ||
			s == Mask)
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice, pcommon.ValueTypeBytes:
		return false
	}
	return true
}

func databaseSystem(m pcommon.Map) string {
	return cmp.Or(attrs.Text(m, attrs.OldDBSystem), attrs.Text(m, attrs.DBSystemName))
}
