// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"slices"
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

// fieldsOfEvents are what an event may say about where an error happened, and what happened before. That with dots is
// a path; a tag's name has dots of its own.
var fieldsOfEvents = []string{
	"release", "environment", "server_name", "user.id", "transaction", "contexts/trace/trace_id", "contexts/links/trace",
	"contexts/links/run", "contexts/runtime/name", "breadcrumbs", "tags/" + difysemconv.AttrTenantID,
	"tags/" + difysemconv.AttrAppID, "tags/" + difysemconv.AttrWorkflowID, "tags/" + difysemconv.AttrWorkflowRunID,
	"tags/" + difysemconv.AttrNodeID, "tags/" + difysemconv.AttrNodeType, "tags/" + difysemconv.AttrEdition,
}

const (
	richApp, richUser = "app-1", "user-1"
	richFrame         = "/app/api/.venv/lib/python3.12/site-packages/graphon/engine.py"
)

// richSpans are the spans of a request whose run failed: the request 1, the runner 2, and below it the nodes 3 and 4,
// of which the second failed after the call 5.
type richSpans struct {
	*push
	request, runner, node, call ptrace.Span
}

func newRichSpans() *richSpans {
	p := newPush(time.Now())
	spans := p.resource()
	ids := []string{
		difysemconv.AttrWorkflowRunID, "r1", difysemconv.AttrAppID, richApp, difysemconv.AttrTenantID, "tenant-1",
		difysemconv.AttrWorkflowID, "w1", "gen_ai.user.id", richUser,
	}
	s := &richSpans{push: p, request: p.request(spans, 1, 1)}
	s.runner = p.span(spans, 1, 2, 1, "WorkflowAppRunner.run", ptrace.SpanKindInternal, ids...)
	p.span(spans, 1, 3, 2, "Start", ptrace.SpanKindInternal,
		append([]string{difysemconv.AttrNodeType, "start", difysemconv.AttrNodeID, "n1"}, ids...)...)
	s.node = p.span(spans, 1, 4, 2, "Ask", ptrace.SpanKindInternal,
		append([]string{difysemconv.AttrNodeType, "llm", difysemconv.AttrNodeID, "n2"}, ids...)...)
	s.node.Status().SetCode(ptrace.StatusCodeError)
	s.call = p.span(spans, 1, 5, 4, "POST", ptrace.SpanKindClient,
		"http.request.method", "POST", "url.full", "http://m/?key=1")
	end := func(span ptrace.Span, after time.Duration) {
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(p.at.Add(after)))
	}
	for i, span := range []ptrace.Span{spans.At(2), s.call, s.node, s.runner, s.request} {
		end(span, time.Duration(i+1)*100*time.Millisecond)
	}
	return s
}

// without returns the spans without those of the names.
func (s *richSpans) without(names ...string) ptrace.Traces {
	s.ResourceSpans().At(0).ScopeSpans().At(0).Spans().RemoveIf(func(span ptrace.Span) bool {
		return slices.Contains(names, span.Name())
	})
	return s.Traces
}

const requestName = "POST /v1/workflows/run"

// afterSpans is later than the end of all of richSpans.
const afterSpans = time.Second

// lineAt is a log record of the API with an exception, with the trace of richSpans if it has one.
func lineAt(at time.Time, traced bool) plog.Logs {
	l := newRecords(at)
	l.ResourceLogs().At(0).Resource().Attributes().Clear()
	info := l.record(plog.SeverityNumberInfo, "asking the model")
	rec := l.record(plog.SeverityNumberError, unknownLine, "exception.type", "KeyError", "exception.message", "'x'",
		"exception.stacktrace", traceback("KeyError", "'x'", richFrame), difysemconv.AttrLogRecordUID, "uid-1")
	if traced {
		info.SetTraceID(traceID(1))
		rec.SetTraceID(traceID(1))
	}
	return l.Logs
}

// TestEveryEventIsRich lists what the events of each way lack, of all that an event may say.
func TestEveryEventIsRich(t *testing.T) {
	run := func(event, status string) plog.Logs {
		l := newRecords(time.Now().Add(afterSpans))
		l.ResourceLogs().At(0).Resource().Attributes().Clear()
		rec := l.failedRun("r1", "boom")
		rec.Attributes().PutStr(difysemconv.AttrEventName, event)
		rec.SetEventName(event)
		rec.Attributes().PutStr(difysemconv.AttrRunStatus, status)
		rec.Attributes().Remove(difysemconv.AttrCreatedBy)
		return l.Logs
	}
	for name, c := range map[string]struct {
		pushes func() []any
		lacks  []string
	}{
		"an exception of a node": {func() []any {
			s := newRichSpans()
			s.exception(s.node, "KeyError", "'x'", richFrame)
			return []any{s.Traces}
		}, nil},
		"an exception of the run": {func() []any {
			s := newRichSpans()
			s.exception(s.runner, "RuntimeError", "boom", richFrame)
			return []any{s.Traces}
		}, nil},
		"an exception of the run, whose nodes came before": {func() []any {
			before, s := newRichSpans(), newRichSpans()
			s.exception(s.runner, "RuntimeError", "boom", richFrame)
			return []any{before.without(requestName, "WorkflowAppRunner.run"), s.without("Start", "Ask", "POST")}
		}, nil},
		"an exception whose request comes later": {func() []any {
			s := newRichSpans()
			s.exception(s.node, "KeyError", "'x'", richFrame)
			return []any{s.without(requestName)}
		}, nil},
		"a call below nothing": {func() []any {
			p := newPush(time.Now())
			call := p.span(p.resource(), 2, 7, 0, "GET", ptrace.SpanKindClient,
				"http.request.method", "GET", "url.full", "http://m/")
			p.exception(call, "httpx.ConnectError", refused, richFrame)
			return []any{p.Traces}
		}, []string{
			"user.id", "contexts/links/run", "breadcrumbs", "tags/dify.tenant_id", "tags/dify.app_id", "tags/dify.workflow_id",
			"tags/dify.workflow_run_id", "tags/node.id", "tags/node.type",
		}},
		"a line": {func() []any {
			return []any{lineAt(time.Now(), true), newRichSpans().Traces}
		}, nil},
		"a line without a trace": {func() []any {
			return []any{lineAt(time.Now(), false), newRichSpans().Traces}
		}, []string{
			"server_name", "user.id", "transaction", "contexts/trace/trace_id", "contexts/links/trace", "contexts/links/run",
			"breadcrumbs", "tags/dify.tenant_id", "tags/dify.app_id", "tags/dify.workflow_id", "tags/dify.workflow_run_id",
			"tags/node.id", "tags/node.type",
		}},
		"a failed run": {func() []any {
			return []any{run(difysemconv.EventWorkflowRun, difysemconv.StatusFailed), newRichSpans().Traces}
		}, []string{"contexts/runtime/name"}},
		"a stuck run": {func() []any {
			return []any{run(difysemconv.EventWorkflowStuck, difysemconv.StatusRunning), newRichSpans().Traces}
		}, []string{"contexts/runtime/name"}},
		"a failed message": {func() []any {
			l := newRecords(time.Now().Add(afterSpans))
			l.ResourceLogs().At(0).Resource().Attributes().Clear()
			l.record(plog.SeverityNumberError, "Message ended with an error", difysemconv.AttrEventName,
				difysemconv.EventMessageRun, "exception.type", "Error", "exception.message", "[openai] Error: 429 slow",
				difysemconv.AttrLogRecordUID, "uid-1", difysemconv.AttrMessageID, "m1", difysemconv.AttrAppID, richApp,
				difysemconv.AttrCreatedBy, richUser, difysemconv.AttrMessageCreatedAt, time.Now().UTC().Format(time.RFC3339))
			return []any{l.Logs, newRichSpans().Traces}
		}, []string{"contexts/runtime/name"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			h := startAt(t, r, func(cfg *Config) {
				cfg.Links = LinksConfig{
					Trace: "https://logs.example.com/discover#?_q='traceId:%22{trace_id}%22'", Run: "https://dify.example.com/app/{app_id}/logs",
				}
			}, nil)
			for _, data := range c.pushes() {
				switch data := data.(type) {
				case ptrace.Traces:
					require.NoError(t, h.traces.ConsumeTraces(t.Context(), data))
				case plog.Logs:
					require.NoError(t, h.logs.ConsumeLogs(t.Context(), data))
				}
			}
			h.stop(t) // reports what is pending in memory
			r.requireNoFaults(t)
			events := r.payloads(t, "event")
			require.Len(t, events, 1)
			var lacks []string
			for _, field := range fieldsOfEvents {
				if !hasField(events[0], field) {
					lacks = append(lacks, field)
				}
			}
			assert.Equal(t, c.lacks, lacks)
		})
	}
}

// hasField reports whether an event has a value at a path.
func hasField(ev map[string]any, path string) bool {
	separator := "/"
	if path == "user.id" {
		separator = "."
	}
	var v any = ev
	for key := range strings.SplitSeq(path, separator) {
		m, ok := v.(map[string]any)
		if !ok {
			return false
		}
		v = m[key]
	}
	return v != nil && v != ""
}
