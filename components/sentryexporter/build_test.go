// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"encoding/binary"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// push builds the traces of one request.
type push struct {
	ptrace.Traces
	at time.Time
}

func newPush(at time.Time) *push { return &push{Traces: ptrace.NewTraces(), at: at} }

// resource begins a resource; its attributes are Dify's.
func (p *push) resource(attrs ...string) ptrace.SpanSlice {
	rs := p.ResourceSpans().AppendEmpty()
	putAll(rs.Resource().Attributes(), append([]string{
		"service.name", "langgenius/dify", "service.version", "dify-1.16.1-0123abc", "host.name", "vm",
		"deployment.environment.name", "PRODUCTION-COMMUNITY",
	}, attrs...)...)
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("opentelemetry.instrumentation.flask")
	return ss.Spans()
}

func (p *push) span(
	spans ptrace.SpanSlice,
	trace, id, parent uint64,
	name string,
	kind ptrace.SpanKind,
	attrs ...string,
) ptrace.Span {
	s := spans.AppendEmpty()
	s.SetTraceID(traceID(trace))
	s.SetSpanID(spanID(id))
	s.SetParentSpanID(spanID(parent))
	s.SetName(name)
	s.SetKind(kind)
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(p.at.Add(time.Duration(id) * time.Millisecond)))
	s.SetEndTimestamp(pcommon.NewTimestampFromTime(p.at.Add(time.Duration(id)*time.Millisecond + time.Second)))
	putAll(s.Attributes(), attrs...)
	return s
}

// request is a server span.
func (p *push) request(spans ptrace.SpanSlice, trace, id uint64, attrs ...string) ptrace.Span {
	s := p.span(spans, trace, id, 0, "POST /v1/workflows/run", ptrace.SpanKindServer,
		append([]string{"http.request.method", "POST", "http.route", "/v1/workflows/run"}, attrs...)...)
	s.Attributes().PutInt("http.response.status_code", 500)
	return s
}

func (p *push) exception(s ptrace.Span, typ, message string, frames ...string) {
	e := s.Events().AppendEmpty()
	e.SetName("exception")
	e.SetTimestamp(s.EndTimestamp())
	e.Attributes().PutStr("exception.type", typ)
	e.Attributes().PutStr("exception.message", message)
	e.Attributes().PutStr("exception.stacktrace", traceback(typ, message, frames...))
}

// traceback is what Python would print, the innermost frame last.
func traceback(typ, message string, frames ...string) string {
	var text strings.Builder
	text.WriteString("Traceback (most recent call last):\n")
	for _, f := range frames {
		text.WriteString("  File \"" + f + "\", line 7, in run\n    call()\n")
	}
	return text.String() + typ + ": " + message + "\n"
}

func (p *push) logLine(s ptrace.Span, logger, message string) {
	e := s.Events().AppendEmpty()
	e.SetName("log.exception")
	e.SetTimestamp(s.EndTimestamp())
	putAll(
		e.Attributes(),
		"log.level",
		"ERROR",
		"log.logger",
		logger,
		"log.message",
		message,
		"log.file.path",
		"/app/api/core/a.py",
	)
	e.Attributes().PutInt("log.file.line", 12)
}

func traceID(n uint64) (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[:8], n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

func spanID(n uint64) (id pcommon.SpanID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}

func putAll(m pcommon.Map, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		m.PutStr(pairs[i], pairs[i+1])
	}
}

// records builds the logs of one request.
type records struct {
	plog.Logs
	slice plog.LogRecordSlice
	at    time.Time
}

func newRecords(at time.Time) *records {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	putAll(
		rl.Resource().Attributes(),
		"service.name",
		"langgenius/dify",
		"service.version",
		"dify-1.16.1-0123abc",
		"host.name",
		"vm",
	)
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("dify.log")
	return &records{Logs: ld, slice: sl.LogRecords(), at: at}
}

func (r *records) record(severity plog.SeverityNumber, body string, attrs ...string) plog.LogRecord {
	rec := r.slice.AppendEmpty()
	rec.SetTimestamp(pcommon.NewTimestampFromTime(r.at))
	rec.SetSeverityNumber(severity)
	rec.Body().SetStr(body)
	putAll(rec.Attributes(), attrs...)
	return rec
}

// failedRun is workflow_log's record of a run.
func (r *records) failedRun(run, message string) plog.LogRecord {
	rec := r.record(plog.SeverityNumberError, "Workflow run failed",
		difysemconv.AttrEventName, difysemconv.EventWorkflowRun, difysemconv.AttrWorkflowRunID, run,
		difysemconv.AttrRunStatus, difysemconv.StatusFailed, difysemconv.AttrRunError, message,
		difysemconv.AttrLogRecordUID, "uid-"+run, difysemconv.AttrAppID, "app-1", difysemconv.AttrTenantID, "tenant-1",
		difysemconv.AttrWorkspaceName, "Main", difysemconv.AttrCreatedBy, "user-1")
	rec.SetEventName(difysemconv.EventWorkflowRun)
	return rec
}
