// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"encoding/hex"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// aliases are pairs of names: the first, which Sentry's pages read, is added if only the second exists.
var aliases = [][2]string{
	{"http.request.method", "http.method"},
	{"http.response.status_code", "http.status_code"},
	{"messaging.destination.name", "messaging.destination"},
	{"db.system", "db.system.name"},
}

// clientAliases are aliases for spans that call, whose peer is the server.
var clientAliases = [][2]string{{"server.address", "net.peer.name"}, {"server.port", "net.peer.port"}}

// renamed returns the name of an attribute in Sentry, which removes some names; "" if another field has the value.
func renamed(key string) string {
	switch key {
	case "db.statement", "db.query.text", "url.query":
		return ""
	case "db.operation":
		return "db.operation.name"
	case "gen_ai.system":
		return "gen_ai.provider.name"
	case "environment", "release", "transaction", "method":
		return "otel." + key
	}
	return key
}

// spanData returns the span's attributes, with what Sentry's pages need. The statement is already in the description.
// The memory of data is used again.
func spanData(n *tracetree.Node, data protocol.Data) protocol.Data {
	attrs := n.Span.Attributes()
	data = attr.AppendData(data[:0], attrs)
	for i, f := range data {
		switch f.Key {
		case "http.url", "url.full", "http.target":
			data[i].Value = protocol.TextValue(attr.StripURL(f.Value.Text()))
		}
	}
	alias(&data, aliases)
	if n.Span.Kind() != ptrace.SpanKindServer {
		alias(&data, clientAliases)
	}
	data = withSentryNames(data)
	if op := genAIOperation(attrs); op != "" {
		supplyGenAI(&data, op, attrs)
	}
	supplyQueue(&data)
	if keys := cacheKeys(attrs); len(keys) > 0 {
		data.Set("cache.key", protocol.TextsValue(keys...)) // Sentry expects a list
	}
	if message := n.Span.Status().Message(); message != "" {
		data.Set("otel.status_description", protocol.TextValue(message))
	}
	return data
}

func alias(data *protocol.Data, names [][2]string) {
	for _, name := range names {
		if value, ok := data.Get(name[1]); ok {
			data.Supply(name[0], value)
		}
	}
}

// withSentryNames renames attributes to names that Sentry keeps, unless such an attribute exists.
func withSentryNames(data protocol.Data) protocol.Data {
	out := data[:0]
	for _, f := range data {
		if name := renamed(f.Key); name != f.Key {
			if _, exists := data.Get(name); exists || name == "" {
				continue
			}
			f.Key = name
		}
		out = append(out, f)
	}
	return out
}

// supplyQueue adds what the Celery instrumentation does not write, or writes under its own names.
func supplyQueue(data *protocol.Data) {
	if _, ok := data.Get("celery.task_name"); !ok {
		return
	}
	data.Supply("messaging.system", protocol.TextValue("celery"))
	if retries, ok := data.Get("celery.retries"); ok {
		data.Supply("messaging.message.retry.count", retries)
	}
}

func supplyGenAI(data *protocol.Data, op string, attrs pcommon.Map) {
	data.Set("gen_ai.operation.name", protocol.TextValue(op))
	supply := func(key string, from ...string) {
		if v := attr.Text(attrs, from...); v != "" {
			data.Supply(key, protocol.TextValue(v))
		}
	}
	if reason, ok := data.Get("gen_ai.response.finish_reason"); ok {
		data.Delete("gen_ai.response.finish_reason")
		data.Set("gen_ai.response.finish_reasons", protocol.TextsValue(reason.Text()))
	}
	switch op {
	case "invoke_agent":
		supply("gen_ai.agent.name", difysemconv.AttrNodeTitle)
	case "execute_tool":
		supply("gen_ai.tool.name", difysemconv.AttrNodeTitle)
	default:
		supply("gen_ai.response.model", "gen_ai.request.model")
	}
}

func linksOf(span ptrace.Span, most int) []protocol.Link {
	var out []protocol.Link
	for _, l := range span.Links().All() {
		trace, id := l.TraceID(), l.SpanID()
		if !trace.IsEmpty() && !id.IsEmpty() {
			out = append(out, protocol.Link{TraceID: hex.EncodeToString(trace[:]), SpanID: hex.EncodeToString(id[:])})
		}
	}
	return out[:min(len(out), most)]
}

// maxLinks of a span; SDKs keep 128.
const maxLinks = 128
