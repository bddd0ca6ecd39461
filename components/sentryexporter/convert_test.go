// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// recordedAt is shortly after the recordings were made.
func recordedAt() time.Time { return time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC) }

func startAt(t *testing.T, r *relay, change func(*Config), now func() time.Time) *harness {
	t.Helper()
	cfg := testConfig(r.dsn(1))
	if change != nil {
		change(cfg)
	}
	return startHarness(t, cfg, componenttest.NewNopHost(), now)
}

// at is a path into decoded JSON.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			require.True(t, ok, "%v of %v", p, path)
			v = m[p]
		case int:
			list, ok := v.([]any)
			require.True(t, ok, "%v of %v", p, path)
			if p < 0 {
				p += len(list)
			}
			v = list[p]
		}
	}
	return v
}

// TestEventsAgreeWithTheSDK compares what Dify's own Sentry SDK reported of a round of failing requests with what this
// exporter makes of the OpenTelemetry of the same round.
func TestEventsAgreeWithTheSDK(t *testing.T) {
	r := newRelay(t)
	r.anyTime = true
	h := startAt(t, r, nil, recordedAt)
	for _, td := range readTraces(t, filepath.Join("testdata", "recorded.jsonl.gz")) {
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), td))
	}
	h.stop(t)
	r.requireNoFaults(t)
	ours := r.payloads(t, "event")

	raw, err := os.ReadFile(filepath.Join("testdata", "sdk_events.json"))
	require.NoError(t, err)
	var theirs []map[string]any
	require.NoError(t, json.Unmarshal(raw, &theirs))
	require.Len(t, theirs, 5)
	for _, their := range theirs {
		match := slices.IndexFunc(ours, func(our map[string]any) bool {
			return our["logger"] == their["logger"] && outline(t, our) == outline(t, their)
		})
		require.GreaterOrEqual(t, match, 0, "no event of ours has the SDK's shape:\n%s", outline(t, their))
		for _, field := range []string{"platform", "level", "release", "environment", "server_name"} {
			assert.Equal(t, their[field], ours[match][field], field)
		}
		assert.Equal(
			t,
			at(t, their, "exception", "values", 0, "mechanism"),
			at(t, ours[match], "exception", "values", 0, "mechanism"),
		)
	}
}

// outline is what decides to which issue an event belongs: types, modules, order and frames of its exceptions.
func outline(t *testing.T, ev map[string]any) string {
	t.Helper()
	var out strings.Builder
	for _, e := range at(t, ev, "exception", "values").([]any) {
		e := e.(map[string]any)
		module, _ := e["module"].(string)
		fmt.Fprintln(&out, e["type"], module)
		for _, f := range at(t, e, "stacktrace", "frames").([]any) {
			f := f.(map[string]any)
			fmt.Fprintln(
				&out,
				" ",
				f["module"],
				f["function"],
				f["lineno"],
				f["in_app"],
				strings.TrimSpace(fmt.Sprint(f["context_line"])),
			)
		}
	}
	return out.String()
}

func TestRecordedExceptionsAreReportedOnce(t *testing.T) {
	r := newRelay(t)
	r.anyTime = true
	h := startAt(t, r, nil, recordedAt)
	for range 2 { // the second time is a redelivery
		for _, td := range readTraces(t, filepath.Join("testdata", "recorded.jsonl.gz")) {
			require.NoError(t, h.traces.ConsumeTraces(t.Context(), td))
		}
	}
	h.stop(t)
	r.requireNoFaults(t)
	ids := map[any]bool{}
	var kinds []string
	for _, ev := range r.payloads(t, "event") {
		assert.False(t, ids[ev["event_id"]], "reported twice")
		ids[ev["event_id"]] = true
		kinds = append(kinds, fmt.Sprint(at(t, ev, "exception", "values", -1, "type"), " in ", ev["transaction"]))
	}
	slices.Sort(kinds)
	assert.Equal(t, []string{
		"ConnectError in POST /v1/workflows/run",
		"ConnectError in tasks.app_generate.workflow_execute_task.workflow_based_app_execution_task",
		"PluginDaemonInnerError in POST /v1/workflows/run",
		"PluginDaemonInnerError in tasks.app_generate.workflow_execute_task.workflow_based_app_execution_task",
		"RuntimeError in POST /v1/workflows/run",
		"RuntimeError in tasks.app_generate.workflow_execute_task.workflow_based_app_execution_task",
	}, kinds)
	for _, tx := range r.payloads(t, "transaction") {
		assert.False(t, ids[tx["event_id"]], "a transaction was sent twice")
		ids[tx["event_id"]] = true
	}
}

func TestExceptionBecomesEvent(t *testing.T) {
	now := time.Now()
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	p := newPush(now)
	spans := p.resource("telemetry.sdk.language", "python", "dify.role", "api", "process.runtime.name", "cpython")
	root := p.request(spans, 1, 1, "gen_ai.user.id", "user-1", "url.full", "http://dify/v1/workflows/run?key=secret")
	runner := p.span(spans, 1, 2, 1, "runner", ptrace.SpanKindInternal,
		difysemconv.AttrAppID, "app-1", difysemconv.AttrTenantID, "tenant-1", difysemconv.AttrWorkflowID, "unknown")
	n := p.span(spans, 1, 3, 2, "llm", ptrace.SpanKindInternal, difysemconv.AttrNodeType, "llm")
	frames := []string{"/usr/local/lib/python3.12/ssl.py", "/app/api/.venv/lib/python3.12/site-packages/httpx/_client.py"}
	p.exception(n, "httpx.ConnectError", "refused", frames...)
	p.logLine(runner, "core.plugin", "Request failed")
	p.exception(runner, "httpx.ConnectError", "refused", append([]string{"/app/api/core/runner.py"}, frames...)...)
	p.exception(
		root,
		"httpx.ConnectError",
		"refused",
		append([]string{"/app/api/controllers/x.py", "/app/api/core/runner.py"}, frames...)...)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	r.requireAccepted(t, "event", 1)
	r.requireNoFaults(t)

	ev := r.payloads(t, "event")[0]
	assert.Equal(t, map[string]any{
		"service.name": "langgenius/dify", "dify.edition": "COMMUNITY", "dify.role": "api", "dify.app_id": "app-1",
		"dify.tenant_id": "tenant-1", "node.type": "llm", "http.status_code": "500",
	}, ev["tags"])
	assert.Equal(t, map[string]any{"id": "user-1"}, ev["user"])
	assert.Equal(t, "POST /v1/workflows/run", ev["transaction"])
	assert.Equal(t, map[string]any{"method": "POST", "url": "http://dify/v1/workflows/run"}, ev["request"])
	assert.Equal(t, "PRODUCTION", ev["environment"])
	assert.Equal(t, "cpython", at(t, ev, "contexts", "runtime", "name"))
	assert.Equal(t, map[string]any{
		"trace_id": "9e3779b97f4a7c150000000000000001", "span_id": "0000000000000003", "parent_span_id": "0000000000000002",
		"op": "gen_ai.chat", "origin": "auto.ai.otel.opentelemetry.instrumentation.flask",
	}, at(t, ev, "contexts", "trace"))
	assert.Equal(t, "core.plugin", ev["logger"], "of the recording that the SDK would have made")
	assert.Equal(t, "core/runner.py", at(t, ev, "exception", "values", 0, "stacktrace", "frames", 0, "filename"))
	assert.Nil(t, ev["fingerprint"], "a frame of the application")
	r.requireAccepted(t, "transaction", 1) // of another queue than the event
	tx := r.payloads(t, "transaction")
	assert.Equal(t, at(t, tx[0], "contexts", "trace", "trace_id"), at(t, ev, "contexts", "trace", "trace_id"), "they link")
}

func TestShapesOfRecordedExceptions(t *testing.T) {
	for _, c := range []struct {
		name   string
		record func(p *push, s ptrace.Span)
		want   []string // logger, log message, type, value of each event
	}{
		{"pair", func(p *push, s ptrace.Span) {
			p.logLine(s, "core.a", "failed")
			p.exception(s, "RuntimeError", "x", "/app/api/a.py")
		}, []string{"core.a|failed|RuntimeError|x"}},
		{"line alone", func(p *push, s ptrace.Span) { p.logLine(s, "core.a", "failed") }, []string{"core.a|failed||"}},
		{"two lines, two exceptions", func(p *push, s ptrace.Span) {
			p.logLine(s, "core.a", "first")
			p.exception(s, "KeyError", "a", "/app/api/a.py")
			p.logLine(s, "core.b", "second")
			p.exception(s, "TypeError", "b", "/app/api/b.py")
		}, []string{"core.a|first|KeyError|a", "core.b|second|TypeError|b"}},
		{"something between: no pair", func(p *push, s ptrace.Span) {
			p.logLine(s, "core.a", "failed")
			s.Events().AppendEmpty().SetName("other")
			p.exception(s, "KeyError", "a", "/app/api/a.py")
		}, []string{"core.a|failed||", "||KeyError|a"}},
		{"before 1.11.3: a span of its own", func(_ *push, s ptrace.Span) {
			s.SetName("log.exception")
			putAll(s.Attributes(), "log.level", "ERROR", "log.logger", "core.a", "log.message", "failed",
				"exception.type", "RuntimeError", "exception.message", "x")
		}, []string{"core.a|failed|RuntimeError|x"}},
		{"before 1.11.3, after dify_filter", func(p *push, s ptrace.Span) {
			s.SetName("log.exception")
			putAll(s.Attributes(), "exception.type", "RuntimeError")
			p.exception(s, "RuntimeError", "x", "/app/api/a.py")
			p.logLine(s, "core.a", "failed")
		}, []string{"core.a|failed|RuntimeError|x"}},
		{"no stack trace", func(_ *push, s ptrace.Span) {
			e := s.Events().AppendEmpty()
			e.SetName("exception")
			e.Attributes().PutStr("exception.type", "java.io.IOException")
		}, []string{"||IOException|"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRelay(t)
			h := startAt(t, r, nil, nil)
			p := newPush(time.Now())
			spans := p.resource()
			p.ResourceSpans().At(0).ScopeSpans().At(0).Scope().SetName("dify.exception.logging")
			c.record(p, p.span(spans, 1, 1, 0, "work", ptrace.SpanKindInternal))
			require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
			h.stop(t)
			r.requireNoFaults(t)
			var got []string
			for _, ev := range r.payloads(t, "event") {
				line := []string{"", "", "", ""}
				line[0], _ = ev["logger"].(string)
				if ev["logentry"] != nil {
					line[1] = fmt.Sprint(at(t, ev, "logentry", "message"))
				}
				if ev["exception"] != nil {
					line[2], _ = at(t, ev, "exception", "values", -1, "type").(string)
					line[3], _ = at(t, ev, "exception", "values", -1, "value").(string)
				}
				got = append(got, strings.Join(line, "|"))
			}
			slices.Sort(got)
			slices.Sort(c.want)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestUnreadableStackTraceIsKeptWhole(t *testing.T) {
	text := "System.InvalidOperationException: boom\n" + strings.Repeat(
		"   at App.Program.F(Int32 n) in C:\\app\\Program.cs:line 12\n",
		2000,
	)
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	p := newPush(time.Now())
	e := p.span(
		p.resource("telemetry.sdk.language", "dotnet"),
		1,
		1,
		0,
		"work",
		ptrace.SpanKindInternal,
	).Events().AppendEmpty()
	e.SetName("exception")
	putAll(
		e.Attributes(),
		"exception.type",
		"System.InvalidOperationException",
		"exception.message",
		"boom",
		"exception.stacktrace",
		text,
	)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	r.requireAccepted(t, "event", 1)
	ev := r.payloads(t, "event")[0]
	assert.Equal(t, "csharp", ev["platform"])
	assert.Equal(t, "System.InvalidOperationException", at(t, ev, "exception", "values", 0, "type"))
	extra := ev["extra"].(map[string]any)
	pieces := []string{extra["exception.stacktrace"].(string)}
	for i := 2; i <= len(extra); i++ {
		pieces = append(pieces, extra[fmt.Sprintf("exception.stacktrace.%02d", i)].(string))
	}
	assert.Equal(t, text, strings.Join(pieces, ""))
}

func TestNoiseAndIgnoredAreCounted(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	p := newPush(time.Now())
	spans := p.resource()
	s := p.request(spans, 1, 1)
	p.exception(s, "langfuse.api.Error", difysemconv.NoiseParseErrorText, "/app/api/a.py")
	p.exception(s, "parse_error.defaultErrorResponse", "x", "/app/api/a.py")
	p.exception(s, "ValueError", "bad input", "/app/api/a.py")
	p.exception(s, "RuntimeError", "can't create new thread at interpreter shutdown", "/app/api/a.py")
	l := newRecords(time.Now())
	l.record(plog.SeverityNumberError, "langfuse: "+difysemconv.NoiseParseErrorText)
	l.record(plog.SeverityNumberError, "kept")
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), l.Logs))
	h.stop(t)
	r.requireNoFaults(t)
	assert.Empty(t, r.raw("event"))
	assert.Len(t, r.raw("transaction"), 1, "the transaction is not touched")
	assert.Equal(t, map[string]int64{
		"event_processor error": 3, "ignored error": 1, "event_processor log_item": 1,
	}, h.discarded(t))
	assert.Equal(t, map[string]float64{"event_processor error": 4, "event_processor log_item": 1}, r.discards(t))
}

func TestTransaction(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	p := newPush(time.Now())
	spans := p.resource()
	root := p.request(spans, 1, 1, "gen_ai.user.id", "user-1")
	root.Status().SetCode(ptrace.StatusCodeError)
	p.span(
		spans,
		1,
		2,
		1,
		"SELECT",
		ptrace.SpanKindClient,
		"db.system",
		"postgresql",
		"db.statement",
		"SELECT x FROM y WHERE z = %(z)s",
		"db.operation",
		"SELECT",
	)
	p.span(spans, 1, 3, 1, "GET", ptrace.SpanKindClient, "db.system", "redis", "db.statement", "GET ?")
	p.span(
		spans,
		1,
		4,
		1,
		"POST",
		ptrace.SpanKindClient,
		"http.method",
		"POST",
		"http.url",
		"http://u:p@sandbox:8194/run?code=1",
		"net.peer.name",
		"sandbox",
	)
	llm := p.span(
		spans,
		1,
		5,
		1,
		"llm",
		ptrace.SpanKindInternal,
		difysemconv.AttrNodeType,
		"llm",
		"gen_ai.request.model",
		"gpt-5",
		"gen_ai.provider.name",
		"openai",
		difysemconv.AttrAppID,
		"app-1",
	)
	llm.Attributes().PutInt("gen_ai.usage.input_tokens", 12)
	p.span(
		spans,
		1,
		6,
		1,
		"tool",
		ptrace.SpanKindInternal,
		"gen_ai.span.kind",
		"TOOL",
		difysemconv.AttrNodeTitle,
		"weather",
	)
	p.span(
		spans,
		1,
		7,
		1,
		"apply_async/tasks.x",
		ptrace.SpanKindProducer,
		"celery.task_name",
		"tasks.x",
		"messaging.destination",
		"dataset",
	)
	p.span(spans, 1, 8, 1, "core.rag.f", ptrace.SpanKindInternal)
	cached := p.span(spans, 1, 10, 1, "cache", ptrace.SpanKindInternal, "cache.operation", "SET", "cache.key", "k")
	cached.Attributes().PutBool("cache.hit", true)
	p.span(
		spans,
		1,
		9,
		1,
		"code",
		ptrace.SpanKindInternal,
		difysemconv.AttrNodeType,
		"code",
		difysemconv.AttrNodeTitle,
		"计算",
	)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	r.requireAccepted(t, "transaction", 1)
	r.requireNoFaults(t)
	tx := r.payloads(t, "transaction")[0]
	assert.Equal(t, "POST /v1/workflows/run", tx["transaction"])
	assert.Equal(t, map[string]any{"source": "route"}, tx["transaction_info"])
	assert.Equal(t, "http.server", at(t, tx, "contexts", "trace", "op"))
	assert.Equal(t, "internal_error", at(t, tx, "contexts", "trace", "status"))
	assert.InDelta(t, 500, at(t, tx, "contexts", "response", "status_code"), 0)
	assert.Equal(t, "app-1", at(t, tx, "tags", "dify.app_id"))
	assert.Nil(t, at(t, tx, "contexts", "trace", "parent_span_id"))
	var got []string
	for _, s := range tx["spans"].([]any) {
		got = append(got, fmt.Sprint(at(t, s, "op"), " ", at(t, s, "description")))
	}
	assert.Equal(t, []string{
		"db SELECT x FROM y WHERE z = %(z)s", "db.redis GET ?", "http.client POST http://sandbox:8194/run",
		"gen_ai.chat chat gpt-5",
		"gen_ai.execute_tool execute_tool weather", "queue.publish tasks.x", "function core.rag.f", "dify.node 计算",
		"cache.put k",
	}, got)
	assert.Equal(
		t,
		map[string]any{"cache.operation": "SET", "cache.key": []any{"k"}, "cache.hit": true},
		at(t, tx, "spans", 8, "data"),
	)
	assert.Equal(t, map[string]any{
		"db.system": "postgresql", "db.operation.name": "SELECT",
	}, at(t, tx, "spans", 0, "data"))
	assert.Equal(t, "sandbox", at(t, tx, "spans", 2, "data", "server.address"))
	assert.Equal(t, "http://sandbox:8194/run", at(t, tx, "spans", 2, "data", "http.url"))
	chat := at(t, tx, "spans", 3, "data").(map[string]any)
	assert.Equal(t, "chat", chat["gen_ai.operation.name"])
	assert.Equal(t, "gpt-5", chat["gen_ai.response.model"])
	assert.InDelta(t, 12, chat["gen_ai.usage.input_tokens"], 0)
	assert.Equal(t, "celery", at(t, tx, "spans", 5, "data", "messaging.system"))
}

func TestEachPartOfATraceIsATransaction(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	p := newPush(time.Now())
	api := p.resource("process.pid", "1")
	p.request(api, 1, 1)
	p.span(api, 1, 2, 1, "apply_async/x", ptrace.SpanKindProducer, "celery.task_name", "x")
	worker := p.resource("process.pid", "2")
	p.span(worker, 1, 3, 2, "run/x", ptrace.SpanKindConsumer, "celery.task_name", "x")
	p.span(worker, 1, 4, 3, "work", ptrace.SpanKindInternal)
	p.span(api, 2, 5, 77, "late one", ptrace.SpanKindInternal)
	p.span(api, 2, 6, 78, "late two", ptrace.SpanKindInternal)
	circle := p.span(api, 3, 7, 8, "a", ptrace.SpanKindInternal)
	p.span(api, 3, 8, 7, "b", ptrace.SpanKindInternal)
	require.NotZero(t, circle)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	h.stop(t)
	r.requireNoFaults(t)
	var got []string
	for _, tx := range r.payloads(t, "transaction") {
		spans, _ := tx["spans"].([]any)
		got = append(
			got,
			fmt.Sprint(tx["transaction"], " ", at(t, tx, "contexts", "trace", "parent_span_id"), " ", len(spans)),
		)
	}
	slices.Sort(got)
	assert.Equal(t, []string{
		"POST /v1/workflows/run <nil> 1", "a 0000000000000008 1", "late one 000000000000004d 1", "x 0000000000000002 1",
	}, got)
}

func TestTransactionIsSplitBeforeSentryCutsIt(t *testing.T) {
	for name, c := range map[string]struct{ spans, size int }{"spans": {2500, 10}, "bytes": {900, 1900}} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			h := startAt(t, r, nil, nil)
			p := newPush(time.Now())
			spans := p.resource()
			p.request(spans, 1, 1)
			for i := range c.spans {
				p.span(
					spans,
					1,
					uint64(i+2),
					1,
					"SELECT",
					ptrace.SpanKindClient,
					"db.system",
					"postgresql",
					"db.statement",
					strings.Repeat("x", c.size),
				)
			}
			require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
			require.Eventually(t, func() bool { // a stop waits only for a bounded time
				arrived := 0
				for _, tx := range r.payloads(t, "transaction") {
					arrived += 1 + len(tx["spans"].([]any))
				}
				return arrived > c.spans
			}, time.Minute, 50*time.Millisecond)
			h.stop(t)
			r.requireNoFaults(t)
			seen := map[any]bool{}
			txs := r.payloads(t, "transaction")
			require.Greater(t, len(txs), 1)
			for i, tx := range txs {
				assert.Equal(t, at(t, txs[0], "contexts", "trace", "trace_id"), at(t, tx, "contexts", "trace", "trace_id"))
				seen[at(t, tx, "contexts", "trace", "span_id")] = true
				if i > 0 {
					assert.Equal(t, "0000000000000001", at(t, tx, "tags", "otelcol.part_of"))
				}
				for _, s := range tx["spans"].([]any) {
					seen[at(t, s, "span_id")] = true
				}
			}
			assert.Len(t, seen, c.spans+1, "no span is lost")
		})
	}
}

func TestSloppySpansAreMadeValid(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	p := newPush(time.Now())
	spans := p.resource()
	p.span(spans, 0, 0, 0, "no ids", ptrace.SpanKindInternal).SetEndTimestamp(0)
	backwards := p.request(spans, 1, 1)
	backwards.SetStartTimestamp(backwards.EndTimestamp() + 500)
	odd := p.span(spans, 1, 2, 1, "\xff bad \x00 name", ptrace.SpanKindInternal, "text", "\xff")
	odd.Attributes().PutDouble("nan", math.NaN())
	odd.Attributes().PutDouble("inf", math.Inf(1))
	odd.Attributes().PutEmptyBytes("bytes").FromRaw([]byte{0xff, 0})
	odd.Attributes().PutEmptyMap("map").PutStr("a", "b")
	odd.Attributes().PutStr("huge", strings.Repeat("x", 100_000))
	spans.AppendEmpty() // nothing at all
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	h.stop(t)
	r.requireNoFaults(t)
	assert.Len(t, r.raw("transaction"), 3)
}

// TestNothingIsTooLong puts far too long texts of several bytes a character everywhere.
func TestNothingIsTooLong(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	p := newPush(time.Now())
	big := strings.Repeat("字x ", 30_000)
	attrs := []string{
		"host.name", big, "service.version", strings.Repeat("v/", 300), "deployment.environment.name", big,
		"cloud.provider", big,
		"service.instance.id", big + "\n", "k8s.pod.name", big, "os.description", big, "process.runtime.description", big,
		"host.arch", big,
	}
	for i := range 200 {
		attrs = append(attrs, fmt.Sprint("resource", i), big[:300])
	}
	spans := p.resource(attrs...)
	p.ResourceSpans().At(0).ScopeSpans().At(0).Scope().SetName(big)
	s := p.request(
		spans,
		1,
		1,
		"gen_ai.user.id",
		big,
		"url.full",
		"http://x/"+big,
		"dify.app_id",
		big,
		"http.route",
		"/"+big,
	)
	for i := range 300 {
		s.Attributes().PutStr(fmt.Sprint("attribute", i), big)
	}
	p.logLine(s, big, big)
	frames := slices.Repeat([]string{"/app/api/" + big[:500]}, 600)
	p.exception(s, big, big, frames...)
	p.exception(s, "A"+strings.Repeat("b", 500)+".C", big, frames...)
	p.span(spans, 1, 2, 1, big, ptrace.SpanKindInternal, difysemconv.AttrNodeTitle, big, difysemconv.AttrNodeType, big)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	h.stop(t)
	r.requireNoFaults(t)
	for _, ev := range append(r.payloads(t, "event"), r.payloads(t, "transaction")...) {
		for field, limit := range map[string]int{"release": 200, "environment": 64, "server_name": 200, "transaction": 200} {
			text, _ := ev[field].(string)
			assert.LessOrEqual(t, utf8.RuneCountInString(text), limit, field)
		}
		for name, value := range ev["contexts"].(map[string]any) {
			b, err := json.Marshal(value)
			require.NoError(t, err)
			assert.LessOrEqual(t, len(b), 8<<10, name)
		}
		for key, value := range ev["tags"].(map[string]any) {
			assert.LessOrEqual(t, utf8.RuneCountInString(value.(string)), 200, key)
			assert.NotContains(t, value, "\n", key)
		}
		if ev["exception"] != nil {
			assert.Len(t, at(t, ev, "exception", "values", 0, "stacktrace", "frames"), 250)
		}
	}
	assert.Len(t, r.raw("event"), 2)
	assert.Len(t, r.raw("transaction"), 1)
}

func TestUnsampledTransactionsAreCountedErrorsAreNot(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.TracesSampleRate = 0 }, nil)
	p := newPush(time.Now())
	spans := p.resource()
	s := p.request(spans, 1, 1)
	p.span(spans, 1, 2, 1, "x", ptrace.SpanKindInternal)
	p.exception(s, "RuntimeError", "x", "/app/api/a.py")
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	h.stop(t)
	assert.Len(t, r.raw("event"), 1)
	assert.Empty(t, r.raw("transaction"))
	assert.Equal(t, map[string]float64{"sample_rate transaction": 1, "sample_rate span": 2}, r.discards(t))
	assert.Equal(t, map[string]int64{"sample_rate transaction": 1, "sample_rate span": 2}, h.discarded(t))
}

func TestLogs(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.QueueConfig.Get().NumConsumers = 1 }, nil)
	l := newRecords(time.Now())
	l.record(plog.SeverityNumberInfo, "not severe enough")
	l.record(
		plog.SeverityNumberError,
		"plain error",
		difysemconv.AttrLogRecordUID,
		"u1",
		"user.id",
		"user-1",
	).Attributes().PutInt(
		"attempt",
		2,
	)
	both := l.record(plog.SeverityNumberFatal, "with an exception", difysemconv.AttrLogRecordUID, "u2",
		"exception.type", "httpx.ConnectError", "exception.message", "refused",
		"exception.stacktrace", traceback("httpx.ConnectError", "refused", "/app/api/a.py"))
	both.SetTraceID(traceID(1))
	both.SetSpanID(spanID(2))
	text := l.record(0, "severity by text")
	text.SetSeverityText("CRITICAL")
	for range 2 { // what has a log.record.uid is recognized when it comes again
		require.NoError(t, h.logs.ConsumeLogs(t.Context(), l.Logs))
	}
	h.stop(t)
	r.requireNoFaults(t)
	require.Len(t, r.raw("log"), 2)
	first := r.payloads(t, "log")[0]["items"].([]any)
	require.Len(t, first, 3, "one item of many")
	assert.Equal(t, "error", at(t, first[0], "level"))
	assert.Equal(t, "plain error", at(t, first[0], "body"))
	assert.Equal(t, map[string]any{"value": "user-1", "type": "string"}, at(t, first[0], "attributes", "user.id"))
	assert.Equal(t, map[string]any{"value": 2.0, "type": "integer"}, at(t, first[0], "attributes", "attempt"))
	assert.Equal(
		t,
		map[string]any{"value": "dify-1.16.1-0123abc", "type": "string"},
		at(t, first[0], "attributes", "sentry.release"),
	)
	assert.Equal(t, "fatal", at(t, first[1], "level"))
	assert.Equal(t, "0000000000000002", at(t, first[1], "span_id"))
	assert.Equal(t, "fatal", at(t, first[2], "level"))
	assert.Len(t, r.payloads(t, "log")[1]["items"], 1, "only the record without an id comes twice")
	require.Len(t, r.raw("event"), 1)
	ev := r.payloads(t, "event")[0]
	assert.Equal(t, "fatal", ev["level"])
	assert.Equal(t, at(t, first[1], "trace_id"), at(t, ev, "contexts", "trace", "trace_id"))
}

func TestOnlyErrorsOfTheLogAreEvents(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	l := newRecords(time.Now())
	for i, severity := range []string{"INFO", "Warning", "error", "", "odd"} { // as records from files have it
		l.record(0, "x", "exception.type", fmt.Sprint("Error", i)).SetSeverityText(severity)
	}
	l.record(plog.SeverityNumberWarn, "x", "exception.type", "Error5")
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), l.Logs))
	h.stop(t)
	var reported []any
	for _, ev := range r.payloads(t, "event") {
		reported = append(reported, at(t, ev, "exception", "values", 0, "type"))
	}
	assert.ElementsMatch(t, []any{"Error2", "Error3", "Error4"}, reported)
}

func TestLogsOff(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) { c.Logs.MinSeverity = "off" }, nil)
	l := newRecords(time.Now())
	l.record(plog.SeverityNumberFatal4, "x", "exception.type", "RuntimeError")
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), l.Logs))
	h.stop(t)
	assert.Empty(t, r.raw("log"))
	assert.Len(t, r.raw("event"), 1)
}

// Python's handler for OTLP logs leaves out the class's module, and the quotes that belong to a KeyError's text.
func TestLoggedAndRecordedExceptionIsOneEvent(t *testing.T) {
	for _, c := range []struct{ typ, message, loggedType, loggedMessage string }{
		{"RuntimeError", "x", "RuntimeError", "x"},
		{"httpx.ConnectError", "[Errno 111] refused", "ConnectError", "[Errno 111] refused"},
		{"KeyError", "'model'", "KeyError", "model"},
	} {
		r := newRelay(t)
		h := startAt(t, r, nil, nil)
		p := newPush(time.Now())
		s := p.request(p.resource(), 1, 1)
		p.exception(s, c.typ, c.message, "/app/api/a.py")
		l := newRecords(time.Now())
		rec := l.record(
			plog.SeverityNumberError,
			"failed",
			"exception.type",
			c.loggedType,
			"exception.message",
			c.loggedMessage,
			"exception.stacktrace",
			traceback(c.typ, c.message, "/app/api/main.py", "/app/api/a.py"),
		)
		rec.SetTraceID(traceID(1))
		require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
		require.NoError(t, h.logs.ConsumeLogs(t.Context(), l.Logs))
		h.stop(t)
		assert.Len(t, r.raw("event"), 1, c.typ)
		assert.EqualValues(t, 1, h.discarded(t)["duplicate error"])
	}
}

func TestRoutes(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, func(c *Config) {
		c.Routes = []Route{
			{Attribute: "dify.tenant_id", Values: []string{"a"}, DSN: c.DSN[:len(c.DSN)-1] + "2"},
			{Attribute: "dify.tenant_id", Values: []string{"quiet"}},
			{Attribute: "service.name", Values: []string{"other"}, DSN: c.DSN[:len(c.DSN)-1] + "3"},
		}
	}, nil)
	p := newPush(time.Now())
	spans := p.resource()
	for i, tenant := range []string{"a", "b", "quiet"} {
		trace := uint64(i + 1)
		root := p.request(spans, trace, trace*10)
		p.exception(root, "RuntimeError", tenant, "/app/api/a.py")
		p.span(spans, trace, trace*10+1, trace*10, "runner", ptrace.SpanKindInternal, "dify.tenant_id", tenant)
	}
	p.request(p.resource("service.name", "other"), 9, 90, "dify.tenant_id", "quiet")
	l := newRecords(time.Now())
	l.record(plog.SeverityNumberError, "of a", "dify.tenant_id", "a")
	l.record(plog.SeverityNumberError, "of b", "dify.tenant_id", "b")
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), l.Logs))
	h.stop(t)
	r.requireNoFaults(t)
	got := map[string]int{}
	for _, e := range r.envelopes {
		got[fmt.Sprint(e.header["project"], " ", e.items[0].header["type"])]++
	}
	assert.Equal(t, map[string]int{
		"2 event": 1, "2 transaction": 1, "2 log": 1, "1 event": 1, "1 transaction": 1, "1 log": 1, "3 transaction": 1,
	}, got)
	assert.Equal(t, map[string]int64{"off error": 1, "off transaction": 1, "off span": 2}, h.discarded(t))
}
