// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const (
	enginePath  = "/app/api/.venv/lib/python3.12/site-packages/graphon/graph_engine/graph_engine.py"
	httpxPath   = "/app/api/.venv/lib/python3.12/site-packages/httpx/_transports/default.py"
	refused     = "[Errno 111] Connection refused"
	unknownLine = "Unknown Error when workflow entry running"
)

// runSpans are the spans of a failed run: the runner 1, and below it the node 2 with the call 3.
type runSpans struct {
	*push
	runner, node, call ptrace.Span
}

func newRunSpans() runSpans {
	const run = "r1"
	p := newPush(time.Now())
	spans := p.resource()
	return runSpans{
		push:   p,
		runner: p.span(spans, 1, 1, 0, "WorkflowAppRunner.run", ptrace.SpanKindInternal, difysemconv.AttrWorkflowRunID, run),
		node: p.span(spans, 1, 2, 1, "http-request", ptrace.SpanKindInternal, difysemconv.AttrNodeType, "http-request",
			difysemconv.AttrNodeID, "n2", difysemconv.AttrWorkflowRunID, run),
		call: p.span(spans, 1, 3, 2, "GET", ptrace.SpanKindClient, "http.request.method", "GET"),
	}
}

// lineOf is the record of a container's line with an exception.
func lineOf(trace uint64, typ, message string, frames ...string) plog.Logs {
	l := newRecords(time.Now())
	l.ResourceLogs().At(0).Resource().Attributes().Remove("service.version")
	rec := l.record(plog.SeverityNumberError, unknownLine, "exception.type", typ, "exception.message", message,
		"exception.stacktrace", traceback(typ, message, frames...), difysemconv.AttrLogRecordUID, "uid-"+message)
	if trace != 0 {
		rec.SetTraceID(traceID(trace))
	}
	return l.Logs
}

func failedRunOf(run, message string) plog.Logs {
	l := newRecords(time.Now())
	l.ResourceLogs().At(0).Resource().Attributes().Clear()
	l.failedRun(run, message)
	return l.Logs
}

const codeFailure = "Traceback (most recent call last):\n  File \"<string>\", line 13, in <module>\n" +
	"  File \"<string>\", line 3, in main\nKeyError: 'x'\n"

// TestOneFailureIsOneEvent has the ways in which one failure is recorded, in one push each.
func TestOneFailureIsOneEvent(t *testing.T) {
	for name, c := range map[string]struct {
		pushes func() []any
		want   []string // of each event: types, causes first, and value
	}{
		"log line after the exception": {func() []any {
			s := newRunSpans()
			s.exception(s.runner, "RuntimeError", "boom", enginePath)
			s.logLine(s.runner, "core.workflow", unknownLine)
			return []any{s.Traces}
		}, []string{"RuntimeError: boom"}},
		"span, line and run, with other line breaks": {func() []any {
			s := newRunSpans()
			s.exception(s.runner, "RuntimeError", codeFailure, enginePath)
			return []any{
				lineOf(1, "RuntimeError", codeFailure[:len(codeFailure)-1], enginePath), failedRunOf("r1", codeFailure), s.Traces,
			}
		}, []string{"KeyError: 'x'"}},
		"line after the span": {func() []any {
			s := newRunSpans()
			s.exception(s.runner, "RuntimeError", "boom", enginePath)
			return []any{s.Traces, lineOf(1, "RuntimeError", "boom", enginePath), failedRunOf("r1", "boom")}
		}, []string{"RuntimeError: boom"}},
		"run and line without a run ID or a trace": {func() []any {
			p := newPush(time.Now())
			logged := p.span(p.resource(), 1, 1, 0, "log.exception", ptrace.SpanKindInternal)
			p.exception(logged, "RuntimeError", "boom", enginePath)
			return []any{lineOf(0, "RuntimeError", "boom", enginePath), failedRunOf("r1", "boom"), p.Traces}
		}, []string{"RuntimeError: boom"}},
		"line and run only": {func() []any {
			return []any{lineOf(0, "RuntimeError", "boom", enginePath), failedRunOf("r1", "boom")}
		}, []string{"RuntimeError: boom"}},
		"two runs, one exception": {func() []any {
			return []any{lineOf(0, "RuntimeError", "boom", enginePath), failedRunOf("r1", "boom"), failedRunOf("r2", "boom")}
		}, []string{"RuntimeError: boom", "WorkflowRunFailed: boom"}},
		"passed on with the same text": {func() []any {
			s := newRunSpans()
			s.exception(s.node, "ModuleNotFoundError", "No module named 'x'", "/app/api/core/rag/keyword.py")
			s.exception(s.runner, "RuntimeError", "No module named 'x'", enginePath)
			return []any{s.Traces}
		}, []string{"ModuleNotFoundError: No module named 'x'"}},
		"a client's exception below a node that was handled": {func() []any {
			s := newRunSpans()
			s.exception(s.call, "httpx.ConnectError", refused, httpxPath)
			return []any{s.Traces}
		}, nil},
		"a client's exception below a node that failed": {func() []any {
			s := newRunSpans()
			s.exception(s.call, "httpx.ConnectError", refused, httpxPath)
			s.exception(s.runner, "RuntimeError", refused, enginePath)
			return []any{s.Traces, failedRunOf("r1", refused)}
		}, []string{"ConnectError < RuntimeError: " + refused}},
		"a client's exception whose node comes later": {func() []any {
			first, later := newRunSpans(), newRunSpans()
			first.exception(first.call, "httpx.ConnectError", refused, httpxPath)
			keepSpans(first.Traces, "GET")
			keepSpans(later.Traces, "http-request")
			return []any{first.Traces, later.Traces}
		}, nil},
		"a client's exception without an outcome": {func() []any {
			p := newPush(time.Now())
			spans := p.resource()
			p.request(spans, 1, 1)
			get := p.span(spans, 1, 2, 1, "GET", ptrace.SpanKindClient)
			p.exception(get, "redis.exceptions.TimeoutError", "late", httpxPath)
			return []any{p.Traces}
		}, []string{"TimeoutError: late"}},
		"logged by the node before the run failed": {func() []any {
			s := newRunSpans()
			s.exception(s.node, "httpx.ReadTimeout", "timed out", httpxPath)
			s.node.Events().At(0).SetTimestamp(s.runner.EndTimestamp())
			s.exception(s.runner, "RuntimeError", "Request to Plugin Daemon Service failed-500", enginePath)
			return []any{s.Traces}
		}, []string{"ReadTimeout < RuntimeError: Request to Plugin Daemon Service failed-500"}},
		"a provider's retries": {func() []any {
			s := newRunSpans()
			for i := range 3 {
				s.exception(s.node, "RuntimeError", fmt.Sprint("[openai] Error: 429 slow down, request req_", i), enginePath)
			}
			s.exception(s.runner, "RuntimeError", "Failed to invoke tool x: [openai] Error: 429 slow down, request req_2",
				enginePath)
			return []any{s.Traces}
		}, []string{"InvokeRateLimitError: [openai] Error: 429 slow down, request req_0"}},
		"logged by the node before the run failed, and in a line": {func() []any {
			s := newRunSpans()
			s.exception(s.node, "httpx.ReadTimeout", "timed out", httpxPath)
			s.node.Events().At(0).SetTimestamp(s.runner.EndTimestamp())
			s.exception(s.runner, "RuntimeError", "Request to Plugin Daemon Service failed-500", enginePath)
			return []any{lineOf(1, "httpx.ReadTimeout", "timed out", httpxPath), s.Traces}
		}, []string{"ReadTimeout < RuntimeError: Request to Plugin Daemon Service failed-500"}},
		"a call without a parent, and its line without a trace": {func() []any {
			p := newPush(time.Now())
			call := p.span(p.resource(), 1, 1, 0, "POST", ptrace.SpanKindClient)
			p.exception(call, "httpx.ReadTimeout", "timed out", httpxPath)
			return []any{lineOf(0, "httpx.ReadTimeout", "timed out", httpxPath), p.Traces}
		}, []string{"ReadTimeout: timed out"}},
		"the text is redacted on the span only": {func() []any {
			s := newRunSpans()
			s.exception(s.runner, "RuntimeError", "cannot handle ***", enginePath)
			s.logLine(s.runner, "core.workflow", unknownLine)
			whole := lineOf(1, "RuntimeError", "cannot handle what the user wrote", enginePath)
			rec := whole.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
			rec.SetTimestamp(s.runner.Events().At(1).Timestamp() - pcommon.Timestamp(5*time.Millisecond))
			return []any{whole, s.Traces}
		}, []string{"RuntimeError: cannot handle ***"}},
		"a client's exception in a request that succeeded": {func() []any {
			p := newPush(time.Now())
			spans := p.resource()
			p.request(spans, 1, 1).Attributes().PutInt("http.response.status_code", 200)
			get := p.span(spans, 1, 2, 1, "GET", ptrace.SpanKindClient)
			p.exception(get, "httpx.ConnectError", refused, httpxPath)
			get.SetEndTimestamp(spans.At(0).EndTimestamp() - 1)
			get.Events().At(0).SetTimestamp(get.EndTimestamp())
			return []any{p.Traces}
		}, nil},
		"a client's exception after a request that streamed": {func() []any {
			p := newPush(time.Now())
			spans := p.resource()
			p.request(spans, 1, 1).Attributes().PutInt("http.response.status_code", 200)
			get := p.span(spans, 1, 2, 1, "GET", ptrace.SpanKindClient)
			p.exception(get, "httpx.ReadTimeout", "timed out", httpxPath)
			return []any{p.Traces}
		}, []string{"ReadTimeout: timed out"}},
		"the failed message of a chat": {func() []any {
			l := newRecords(time.Now())
			l.record(plog.SeverityNumberError, "Message ended with an error", "exception.type", "Error",
				"exception.message", "Incorrect API key provided", difysemconv.AttrLogRecordUID, "uid-1")
			return []any{l.Logs}
		}, []string{"Error: Incorrect API key provided"}},
		"different exceptions of a run": {func() []any {
			s := newRunSpans()
			s.exception(s.node, "KeyError", "'a'", "/app/api/a.py")
			s.exception(s.node, "KeyError", "'b'", "/app/api/a.py")
			return []any{s.Traces}
		}, []string{"KeyError: 'a'", "KeyError: 'b'"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			h := startAt(t, r, nil, nil)
			for _, data := range append(c.pushes(), c.pushes()...) { // the second time is a redelivery
				switch data := data.(type) {
				case ptrace.Traces:
					require.NoError(t, h.traces.ConsumeTraces(t.Context(), data))
				case plog.Logs:
					require.NoError(t, h.logs.ConsumeLogs(t.Context(), data))
				}
			}
			h.stop(t) // reports what is pending in memory
			r.requireNoFaults(t)
			assert.ElementsMatch(t, c.want, r.titles(t))
		})
	}
}

// titles returns the types of each event's exceptions, and the value of the last.
func (r *relay) titles(t *testing.T) (out []string) {
	t.Helper()
	for _, ev := range r.payloads(t, "event") {
		title := ""
		var titleSb180 strings.Builder
		for i, exc := range at(t, ev, "exception", "values").([]any) {
			if i > 0 {
				titleSb180.WriteString(" < ")
			}
			titleSb180.WriteString(at(t, exc, "type").(string))
		}
		title += titleSb180.String()
		out = append(out, title+": "+fmt.Sprint(at(t, ev, "exception", "values", -1, "value")))
	}
	return out
}

func keepSpans(td ptrace.Traces, name string) {
	td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().RemoveIf(func(s ptrace.Span) bool { return s.Name() != name })
}

// TestEventsOfLinesAndRunsAreAsRich has an exception that no span recorded, and a failed run.
func TestEventsOfLinesAndRunsAreAsRich(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	s := newRunSpans()
	s.runner.Attributes().PutStr(difysemconv.AttrTenantID, "tenant-1")
	s.node.Attributes().PutStr(difysemconv.AttrTenantID, "tenant-1")
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), failedRunOf("r1", "boom")))
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), lineOf(1, "KeyError", "'x'", "/app/api/a.py")))
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), s.Traces))
	h.stop(t)
	r.requireNoFaults(t)
	events := r.payloads(t, "event")
	require.Len(t, events, 2)
	for _, ev := range events {
		assert.Equal(t, "dify-1.16.1-0123abc", ev["release"])
		assert.Equal(t, "PRODUCTION", ev["environment"])
		assert.Equal(t, "vm", ev["server_name"])
		assert.Equal(t, "WorkflowAppRunner.run", ev["transaction"])
		assert.Equal(t, "tenant-1", at(t, ev, "tags", difysemconv.AttrTenantID))
		assert.Equal(t, "r1", at(t, ev, "tags", difysemconv.AttrWorkflowRunID))
		assert.Equal(t, "http-request", at(t, ev, "tags", difysemconv.AttrNodeType))
		assert.NotEmpty(t, at(t, ev, "contexts", "trace", "trace_id"))
	}
}
