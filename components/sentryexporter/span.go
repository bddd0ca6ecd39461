// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"cmp"
	"encoding/hex"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/getsentry/sentry-go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// description is what a span is called in Sentry, by its conventions.
type description struct {
	op, name string
	source   sentry.TransactionSource
	origin   string // category of the origin
}

// transactionName is the name of a transaction that begins with the span. It must not differ from one time to the next:
// a statement is no such name.
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

// sourceSanitized is the source of a name made of a URL without ids; sentry-go lacks it.
const sourceSanitized sentry.TransactionSource = "sanitized"

// idSegment is a part of a path that Sentry takes for an id: with two digits in a row, a UUID, a hash or a hex number.
var idSegment = regexp.MustCompile(`([/\\])[^/\\]*(?:\d\d|\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b|\b[0-9a-fA-F]{32,40}\b|\b0[xX][0-9a-fA-F]+\b)[^/\\]*`)

// sanitized replaces ids in a path by `*`, as Sentry would.
func sanitized(name string) string { return idSegment.ReplaceAllString(name, "${1}*") }

// Both generations of OpenTelemetry's names occur: the older ones come from Dify's instrumentations.
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

func describe(n *node) description {
	attrs := n.span.Attributes()
	switch {
	case attr.Text(attrs, keysMethod...) != "":
		return describeHTTP(n.span, attrs)
	case genAIOperation(attrs) != "":
		return describeGenAI(n.span, attrs)
	case attr.Text(attrs, "cache.key", "cache.hit") != "":
		return describeCache(n.span, attrs)
	case attr.Text(attrs, keysDBSystem...) != "":
		return describeDB(n.span, attrs)
	case n.span.Kind() == ptrace.SpanKindProducer:
		return description{"queue.publish", cmp.Or(attr.Text(attrs, keysDestination...), n.span.Name()), sentry.SourceTask, "queue"}
	case n.span.Kind() == ptrace.SpanKindConsumer:
		return description{"queue.process", cmp.Or(attr.Text(attrs, keysDestination...), n.span.Name()), sentry.SourceTask, "queue"}
	case attr.Text(attrs, "rpc.system", "rpc.service") != "":
		return describeRPC(n.span, attrs)
	case attr.Text(attrs, difysemconv.AttrNodeType) != "":
		return description{"dify.node", cmp.Or(attr.Text(attrs, difysemconv.AttrNodeTitle), n.span.Name()), sentry.SourceCustom, "function"}
	case n.span.Kind() == ptrace.SpanKindInternal:
		return description{"function", n.span.Name(), sentry.SourceComponent, "function"}
	default:
		return description{"default", n.span.Name(), sentry.SourceCustom, "default"}
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
	return description{op, strings.TrimSpace(method + " " + attr.StripURL(attr.Text(attrs, keysURL...))), sourceSanitized, "http"}
}

// cacheOperations are Sentry's, by what caches call theirs.
var cacheOperations = map[string]string{
	"set": "put", "put": "put", "add": "put", "delete": "remove", "remove": "remove", "clear": "flush", "flush": "flush",
}

func describeCache(span ptrace.Span, attrs pcommon.Map) description {
	op := cmp.Or(cacheOperations[strings.ToLower(attr.Text(attrs, "cache.operation"))], "get")
	return description{"cache." + op, cmp.Or(strings.Join(cacheKeys(attrs), ", "), span.Name()), sentry.SourceCustom, "cache"}
}

// cacheKeys are one key or a list of them.
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

// genAIOperations are what Dify leaves out, by node type and by gen_ai.span.kind.
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

// statusOf is Sentry's status: an explicit code first, then OpenTelemetry's. A request follows its answer, not the
// exceptions on its way.
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

// codeIn reads a number, which some write as text.
func codeIn(attrs pcommon.Map, keys ...string) (code int, ok bool) {
	s := attr.Text(attrs, keys...)
	if s == "" {
		return 0, false
	}
	code, err := strconv.Atoi(s)
	return code, err == nil
}

// aliases are today's names, and those that Sentry's pages read, beside older ones.
var aliases = [][2]string{
	{"http.request.method", "http.method"},
	{"http.response.status_code", "http.status_code"},
	{"messaging.destination.name", "messaging.destination"},
	{"db.system", "db.system.name"},
}

// clientAliases hold for spans that call: the peer is the server then.
var clientAliases = [][2]string{{"server.address", "net.peer.name"}, {"server.port", "net.peer.port"}}

// renamed is what an attribute is called whose name Sentry would remove with a complaint; "" is said elsewhere already.
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

// spanData is the span's attributes, with what Sentry's pages need supplied. The statement is the description already. The
// room of earlier data is used again.
func spanData(n *node, data protocol.Data) protocol.Data {
	attrs := n.span.Attributes()
	data = attr.AppendData(data[:0], attrs)
	for i, f := range data {
		switch f.Key {
		case "http.url", "url.full", "http.target":
			data[i].Value = protocol.TextValue(attr.StripURL(f.Value.Text()))
		}
	}
	alias(&data, aliases)
	if n.span.Kind() != ptrace.SpanKindServer {
		alias(&data, clientAliases)
	}
	data = withSentryNames(data)
	if op := genAIOperation(attrs); op != "" {
		supplyGenAI(&data, op, attrs)
	}
	supplyQueue(&data)
	if keys := cacheKeys(attrs); len(keys) > 0 {
		data.Set("cache.key", protocol.TextsValue(keys...)) // Sentry wants a list
	}
	if message := n.span.Status().Message(); message != "" {
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

// withSentryNames gives attributes the names that Sentry keeps, unless such a one is there.
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

// supplyQueue adds what the Celery instrumentation leaves out or calls by its own names.
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

// spanEncoder encodes the spans of a transaction, with room that it uses again.
type spanEncoder struct {
	data    protocol.Data
	origins map[[2]string]string // by category and scope
	encoded []byte               // a comma after each
}

var spanEncoders = sync.Pool{New: func() any { return &spanEncoder{origins: map[[2]string]string{}} }}

// reset forgets what was encoded, and the origins where scopes turn out to be without number.
func (e *spanEncoder) reset() {
	const knownOrigins = 200
	if len(e.origins) > knownOrigins {
		clear(e.origins)
	}
	clear(e.data)
	e.encoded = e.encoded[:0]
}

func (e *spanEncoder) add(n *node) {
	d := describe(n)
	e.data = spanData(n, e.data)
	s := protocol.Span{
		TraceID: n.part.trace, SpanID: n.id, ParentSpanID: n.parentID,
		Op: protocol.Text(d.op, protocol.MaxOp), Description: protocol.Text(d.name, protocol.MaxDescription),
		Status: statusOf(n.span), Origin: e.origin(d.origin, n.scope),
		StartTimestamp: n.start.UTC(), Timestamp: n.end.UTC(),
		Data: e.data, Links: linksOf(n.span, maxLinks),
	}
	e.encoded = append(s.Append(e.encoded), ',')
}

func (e *spanEncoder) origin(category, scope string) string {
	key := [2]string{category, scope}
	origin, ok := e.origins[key]
	if !ok {
		origin = protocol.Origin(category, scope)
		e.origins[key] = origin
	}
	return origin
}

// requestOfSpan is the HTTP request of a server span.
func requestOfSpan(n *node) *protocol.Request {
	attrs := n.span.Attributes()
	method := attr.Text(attrs, keysMethod...)
	if n.span.Kind() != ptrace.SpanKindServer || method == "" {
		return nil
	}
	u := attr.StripURL(attr.Text(attrs, keysURL...))
	if u == "" {
		u = attr.URLPath(attr.Text(attrs, keysPath...))
	}
	if len(method) > len(http.MethodOptions)+9 {
		method = ""
	}
	return &protocol.Request{Method: method, URL: protocol.URL(u)}
}
