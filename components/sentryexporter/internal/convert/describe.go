// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"github.com/getsentry/sentry-go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

// description is how a span is named in Sentry, by its conventions.
type description struct {
	op, name string
	source   sentry.TransactionSource
	origin   string // category of the origin
}

// transactionName returns the name of a transaction that begins with the span. It must be the same for all
// transactions of a kind, so it must not be a statement.
func (d description) transactionName(span ptrace.Span) string {
	if d.op == "http.client" {
		attrs := span.Attributes()
		return sanitized(attr.Text(attrs, keysMethod...) + " " + attr.URLPath(attr.Text(attrs, keysPath...)))
	}
	if strings.HasPrefix(d.op, "db") || strings.HasPrefix(d.op, "cache.") || d.op == "dify.node" {
		return cmp.Or(span.Name(), d.op)
	}
	if d.source == sourceSanitized {
		return sanitized(d.name)
	}
	return cmp.Or(d.name, span.Name(), d.op)
}

// sourceSanitized is the source of a name made of a URL without IDs; sentry-go lacks it.
const sourceSanitized sentry.TransactionSource = "sanitized"

// idSegment is a part of a path that Sentry considers an ID: with two digits in a row, a UUID, a hash or a hex number.
var idSegment = regexp.MustCompile(
	`([/\\])[^/\\]*(?:\d\d|\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b|` +
		`\b[0-9a-fA-F]{32,40}\b|\b0[xX][0-9a-fA-F]+\b)[^/\\]*`,
)

// sanitized replaces IDs in a path by `*`, as Sentry would.
func sanitized(name string) string { return idSegment.ReplaceAllString(name, "${1}*") }

// Names of both generations of OpenTelemetry's conventions. The older ones come from Dify's instrumentations.
var (
	keysMethod      = []string{"http.request.method", "http.method"}
	keysStatus      = []string{"http.response.status_code", "http.status_code"}
	keysURL         = []string{"url.full", "http.url"}
	keysPath        = []string{"url.path", "http.target", "url.full", "http.url"}
	keysDBSystem    = []string{"db.system.name", "db.system"}
	keysStatement   = []string{"db.query.text", "db.statement"}
	keysDestination = []string{"celery.task_name", "messaging.destination.name", "messaging.destination"}
	keysUser        = []string{"gen_ai.user.id", "user.id", "enduser.id", difysemconv.AttrCreatedBy}
)

func describe(n *tracetree.Node) description {
	attrs := n.Span.Attributes()
	switch {
	case attr.Text(attrs, keysMethod...) != "":
		return describeHTTP(n.Span, attrs)
	case genAIOperation(attrs) != "":
		return describeGenAI(n.Span, attrs)
	case attr.Text(attrs, "cache.key", "cache.hit") != "":
		return describeCache(n.Span, attrs)
	case attr.Text(attrs, keysDBSystem...) != "":
		return describeDB(n.Span, attrs)
	case n.Span.Kind() == ptrace.SpanKindProducer:
		return description{
			"queue.publish",
			cmp.Or(attr.Text(attrs, keysDestination...), n.Span.Name()),
			sentry.SourceTask,
			"queue",
		}
	case n.Span.Kind() == ptrace.SpanKindConsumer:
		return description{
			"queue.process",
			cmp.Or(attr.Text(attrs, keysDestination...), n.Span.Name()),
			sentry.SourceTask,
			"queue",
		}
	case attr.Text(attrs, "rpc.system", "rpc.service") != "":
		return describeRPC(n.Span, attrs)
	case attr.Text(attrs, difysemconv.AttrNodeType) != "":
		return description{
			"dify.node",
			cmp.Or(attr.Text(attrs, difysemconv.AttrNodeTitle), n.Span.Name()),
			sentry.SourceCustom,
			"function",
		}
	case n.Span.Kind() == ptrace.SpanKindInternal:
		return description{"function", n.Span.Name(), sentry.SourceComponent, "function"}
	default:
		return description{"default", n.Span.Name(), sentry.SourceCustom, "default"}
	}
}

func describeHTTP(span ptrace.Span, attrs pcommon.Map) description {
	method := attr.Text(attrs, keysMethod...)
	if span.Kind() == ptrace.SpanKindServer {
		if route := attr.Text(attrs, "http.route"); route != "" {
			return description{"http.server", method + " " + route, sentry.SourceRoute, "http"}
		}
		if path := attr.URLPath(attr.Text(attrs, keysPath...)); path != "" {
			return description{"http.server", method + " " + path, sourceSanitized, "http"}
		}
		return description{"http.server", span.Name(), sentry.SourceCustom, "http"}
	}
	op := "http"
	if span.Kind() == ptrace.SpanKindClient {
		op = "http.client"
	}
	return description{
		op,
		strings.TrimSpace(method + " " + attr.StripURL(attr.Text(attrs, keysURL...))),
		sourceSanitized,
		"http",
	}
}

// cacheOperations are Sentry's names of operations, by those of caches.
var cacheOperations = map[string]string{
	"set": "put", "put": "put", "add": "put", "delete": "remove", "remove": "remove", "clear": "flush", "flush": "flush",
}

func describeCache(span ptrace.Span, attrs pcommon.Map) description {
	op := cmp.Or(cacheOperations[strings.ToLower(attr.Text(attrs, "cache.operation"))], "get")
	return description{
		"cache." + op,
		cmp.Or(strings.Join(cacheKeys(attrs), ", "), span.Name()),
		sentry.SourceCustom,
		"cache",
	}
}

// cacheKeys returns the keys of a cache operation, which are one or a list.
func cacheKeys(attrs pcommon.Map) []string {
	v, ok := attrs.Get("cache.key")
	if !ok {
		return nil
	}
	if v.Type() == pcommon.ValueTypeSlice {
		keys, _ := attr.Texts(v.Slice())
		return keys
	}
	return []string{v.AsString()}
}

func describeDB(span ptrace.Span, attrs pcommon.Map) description {
	op := "db"
	if system := attr.Text(attrs, keysDBSystem...); system == "redis" {
		op = "db.redis"
	}
	return description{op, cmp.Or(attr.Text(attrs, keysStatement...), span.Name()), sentry.SourceCustom, "db"}
}

func describeRPC(span ptrace.Span, attrs pcommon.Map) description {
	name := strings.Trim(attr.Text(attrs, "rpc.service")+"/"+attr.Text(attrs, "rpc.method"), "/")
	return description{"rpc", cmp.Or(name, span.Name()), sentry.SourceRoute, "rpc"}
}

// genAIOperations are the operations, which Dify does not write, by node type and by gen_ai.span.kind.
var genAIOperations = map[string]string{
	"llm": "chat", "agent": "invoke_agent", "tool": "execute_tool", "embedding": "embeddings",
}

func genAIOperation(attrs pcommon.Map) string {
	if op := attr.Text(attrs, "gen_ai.operation.name"); op != "" {
		return op
	}
	if op := genAIOperations[attr.Text(attrs, difysemconv.AttrNodeType)]; op != "" {
		return op
	}
	return genAIOperations[strings.ToLower(attr.Text(attrs, "gen_ai.span.kind"))]
}

func describeGenAI(span ptrace.Span, attrs pcommon.Map) description {
	op := genAIOperation(attrs)
	subject := attr.Text(attrs, "gen_ai.request.model")
	switch op {
	case "invoke_agent":
		subject = attr.Text(attrs, "gen_ai.agent.name", difysemconv.AttrNodeTitle)
	case "execute_tool":
		subject = attr.Text(attrs, "gen_ai.tool.name", difysemconv.AttrNodeTitle)
	}
	return description{"gen_ai." + op, op + " " + cmp.Or(subject, span.Name()), sentry.SourceCustom, "ai"}
}

// statusOf returns Sentry's status: by an explicit code first, then by OpenTelemetry's status. The status of a request
// follows from its response, whatever exceptions were recorded.
func statusOf(span ptrace.Span) string {
	attrs := span.Attributes()
	if code, ok := codeIn(attrs, keysStatus...); ok && code >= 100 && code < 600 {
		return sentry.HTTPtoSpanStatus(code).String()
	}
	if code, ok := codeIn(attrs, "rpc.grpc.status_code"); ok && code >= 0 && code <= 16 {
		return (sentry.SpanStatusOK + sentry.SpanStatus(code)).String() // the same order
	}
	switch span.Status().Code() {
	case ptrace.StatusCodeError:
		return sentry.SpanStatusInternalError.String()
	case ptrace.StatusCodeOk:
		return sentry.SpanStatusOK.String()
	default:
		return ""
	}
}

// codeIn returns a number, which some instrumentations write as text.
func codeIn(attrs pcommon.Map, keys ...string) (code int, ok bool) {
	s := attr.Text(attrs, keys...)
	if s == "" {
		return 0, false
	}
	code, err := strconv.Atoi(s)
	return code, err == nil
}

// maxMethod bounds the name of an HTTP method; Relay drops longer ones.
const maxMethod = 16

// requestOfSpan returns the HTTP request of a server span.
func requestOfSpan(n *tracetree.Node) *protocol.Request {
	attrs := n.Span.Attributes()
	method := attr.Text(attrs, keysMethod...)
	if n.Span.Kind() != ptrace.SpanKindServer || method == "" {
		return nil
	}
	u := attr.StripURL(attr.Text(attrs, keysURL...))
	if u == "" {
		u = attr.URLPath(attr.Text(attrs, keysPath...))
	}
	if len(method) > maxMethod {
		method = ""
	}
	return &protocol.Request{Method: method, URL: protocol.URL(u)}
}
