// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilter

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// Attributes that contain nothing but content, according to Dify's parsers and OpenTelemetry's conventions.
var contentKeys = []string{
	"gen_ai.prompt", "gen_ai.completion", "gen_ai.prompt.0.content", "gen_ai.completion.0.content",
	"gen_ai.input.messages",
	"gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result",
	"gen_ai.tool.definitions", "input.value", "output.value", "retrieval.query", "retrieval.document",
	"retrieval.documents",
	"http.request.body", "http.response.body", "messaging.message.body", "db.query.parameter.0",
}

// Attributes of Dify that may contain a secret in addition to their purpose.
var mixedKeys = []string{
	"http.target", "http.url", "url.full", "url.query", "http.user_agent", "http.host", "http.route", "db.statement",
	"db.query.text",
	"gen_ai.tool.name", "gen_ai.tool.description", "gen_ai.user.id", "dify.workflow.abort.reason", "exception.message",
	"log.message",
	"celery.delivery_info", "celery.task_name", "node.title", "pool.name", "custom.anything",
}

const canarySpans = 5

// canaryTraces returns a trace as Dify emits it, with a canary in every text.
func canaryTraces(t *testing.T, c *canaries, end time.Time) []byte {
	t.Helper()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	res := rs.Resource().Attributes()
	difyResource(res)
	res.PutStr("os.description", c.secret("resource of spans"))
	res.PutStr("custom.note", c.secret("resource of spans, unknown key"))
	rs.SetSchemaUrl("https://opentelemetry.io/?" + c.secret("schema URL"))

	flask := rs.ScopeSpans().AppendEmpty()
	flask.Scope().SetName("opentelemetry.instrumentation.flask")
	flask.Scope().SetVersion(c.secret("scope version"))
	flask.Scope().Attributes().PutStr("note", c.secret("scope attribute"))
	root := newSpan(flask, 1, 0, "POST /v1/workflows/run", ptrace.SpanKindServer, end)
	root.Attributes().PutInt("http.status_code", 500)
	for _, key := range mixedKeys {
		root.Attributes().PutStr(key, secretFor(c, key))
	}
	root.TraceState().FromRaw("vendor=" + c.secret("trace state"))
	root.Status().SetCode(ptrace.StatusCodeError)
	root.Status().SetMessage(c.secret("status message"))
	link := root.Links().AppendEmpty()
	link.SetTraceID(pcommon.TraceID{9})
	link.SetSpanID(pcommon.SpanID{9})
	link.Attributes().PutStr("note", c.secret("link attribute"))
	link.TraceState().FromRaw("vendor=" + c.secret("link's trace state"))
	exception(root, c, "root")
	event := root.Events().AppendEmpty()
	event.SetName(c.secret("event name"))
	event.Attributes().PutStr("log.message", c.secret("event attribute"))
	for _, key := range contentKeys {
		event.Attributes().PutStr(key, c.content("event attribute "+key))
	}

	nodes := rs.ScopeSpans().AppendEmpty()
	nodes.Scope().SetName("core.app.workflow.layers.observability")
	node := newSpan(nodes, 2, 1, c.secret("title of a node"), ptrace.SpanKindInternal, end)
	node.Attributes().PutStr("node.type", "llm")
	node.Attributes().PutStr("node.id", "1")
	for _, key := range contentKeys {
		node.Attributes().PutStr(key, c.content("span attribute "+key))
	}
	node.Attributes().PutEmptySlice("custom.list").AppendEmpty().SetStr(c.secret("list"))
	node.Attributes().PutEmptyMap("custom.map").PutEmptyMap("inner").PutStr("deep", c.secret("map"))
	node.Attributes().PutEmptyMap("custom.keys").PutStr("password", c.next("secret by its key in a map"))
	node.Attributes().PutStr("custom.api_key", c.next("secret by its key"))
	node.Attributes().PutDouble("custom.score", math.NaN()) // the exporter would drop the span because of it
	node.Attributes().PutEmptyBytes("custom.bytes").FromRaw([]byte(c.secret("bytes")))
	exception(node, c, "node")

	sql := rs.ScopeSpans().AppendEmpty()
	sql.Scope().SetName("opentelemetry.instrumentation.sqlalchemy")
	statement := newSpan(sql, 3, 2, "SELECT dify", ptrace.SpanKindClient, end)
	statement.Attributes().PutStr("db.system", "postgresql")
	statement.Attributes().
		PutStr("db.statement", "SELECT * FROM accounts WHERE name = '"+c.content("literal in SQL")+"' /* "+c.content("comment in SQL")+" */")
	statement.Status().SetCode(ptrace.StatusCodeError)
	statement.Status().
		SetMessage("relation does not exist\nLINE 1: SELECT '" + c.content("excerpt of SQL in a status") + "'\n        ^")

	httpx := rs.ScopeSpans().AppendEmpty()
	httpx.Scope().SetName("opentelemetry.instrumentation.httpx")
	call := newSpan(httpx, 4, 2, "GET", ptrace.SpanKindClient, end)
	call.Attributes().
		PutStr("http.url", "https://user:"+c.next("password in a URL")+"@example.org/x?q="+c.content("query of a URL"))

	log := rs.ScopeSpans().AppendEmpty()
	log.Scope().SetName("dify.exception.logging")
	old := newSpan(log, 5, 1, "log.exception", ptrace.SpanKindInternal, end)
	old.Attributes().PutStr("log.message", c.secret("old log.exception"))
	old.Attributes().PutStr("exception.message", c.secret("old log.exception, message"))
	exception(old, c, "old log.exception")

	body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	require.NoError(t, err)
	return body
}

func difyResource(res pcommon.Map) {
	res.PutStr("service.name", "langgenius/dify")
	res.PutStr("service.version", "dify-1.16.1-0123abc")
	res.PutStr("host.name", "docker-api-1")
	res.PutInt("process.pid", 8)
	res.PutStr("deployment.environment.name", "PRODUCTION-COMMUNITY")
}

// secretFor puts a secret where such a value would have one.
func secretFor(c *canaries, key string) string {
	switch key {
	case "http.target":
		return "/v1/x?q=" + c.content("query of http.target")
	case "http.url", "url.full":
		return "http://h/v1/x?q=" + c.content("query of "+key)
	case "url.query":
		return "q=" + c.content("url.query")
	case "db.statement", "db.query.text":
		return "SELECT '" + c.content("literal in "+key) + "'"
	}
	return c.secret("span attribute " + key)
}

func newSpan(ss ptrace.ScopeSpans, id, parent byte, name string, kind ptrace.SpanKind, end time.Time) ptrace.Span {
	span := ss.Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	span.SetSpanID(pcommon.SpanID{id})
	if parent != 0 {
		span.SetParentSpanID(pcommon.SpanID{parent})
	}
	span.SetName(name)
	span.SetKind(kind)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(end.Add(-time.Second)))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
	return span
}

func exception(span ptrace.Span, c *canaries, where string) {
	event := span.Events().AppendEmpty()
	event.SetName("exception")
	event.SetTimestamp(span.EndTimestamp())
	event.Attributes().PutStr("exception.type", "PluginDaemonInnerError"+where)
	event.Attributes().PutStr("exception.message", c.secret("exception message of "+where))
	event.Attributes().
		PutStr("exception.stacktrace", fmt.Sprintf("Traceback (most recent call last):\n  File \"/app/api/x.py\", line 1, in f\n    g(%q)\n%s\n",
			c.secret("code line of "+where), "PluginDaemonInnerError: "+c.secret("stack trace of "+where)))
}

// canaryMetrics returns metrics with a canary in every text.
func canaryMetrics(t *testing.T, c *canaries, end time.Time) []byte {
	t.Helper()
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	difyResource(rm.Resource().Attributes())
	rm.Resource().Attributes().PutStr("custom.note", c.secret("resource of metrics"))
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName("scope " + c.secret("scope of metrics"))
	sm.Scope().Attributes().PutStr("note", c.secret("scope attribute of metrics"))
	for i, name := range []string{"http.server.duration", "canary"} {
		m := sm.Metrics().AppendEmpty()
		m.SetName(name)
		m.SetUnit([]string{"ms", "s"}[i])
		m.SetDescription(c.secret("description of a metric"))
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		p := m.Histogram().DataPoints().AppendEmpty()
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(end.Add(-time.Minute)))
		p.SetTimestamp(pcommon.NewTimestampFromTime(end))
		p.ExplicitBounds().FromRaw([]float64{1})
		p.BucketCounts().FromRaw([]uint64{1, 1})
		p.SetCount(2)
		p.SetSum(3)
		p.Attributes().PutInt("http.status_code", 500)
		p.Attributes().PutStr("http.target", "/v1/x?q="+c.content("http.target of a metric"))
		p.Attributes().PutStr("http.host", c.secret("http.host of a metric"))
		p.Attributes().PutStr("pool.name", c.secret("label of a metric"))
		exemplar := p.Exemplars().AppendEmpty()
		exemplar.SetDoubleValue(1)
		exemplar.SetTimestamp(p.Timestamp())
		exemplar.FilteredAttributes().PutStr("note", c.secret("exemplar"))
	}
	body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	require.NoError(t, err)
	return body
}
