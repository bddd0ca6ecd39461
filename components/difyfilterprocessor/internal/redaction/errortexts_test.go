// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

const (
	asked    = `{"sys.query": "refund order 1142 for Ann", "error": "model not found: gpt-5", "n": 1}`
	answered = "Dear Ann, your refund\nis on its way to your bank"
)

func failed(td ptrace.Traces, trace byte, message string) ptrace.Span {
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{trace})
	span.Status().SetMessage(message)
	span.Attributes().PutStr("dify.original_status", message)
	event := span.Events().AppendEmpty()
	event.Attributes().PutStr("exception.message", message)
	event.Attributes().PutStr("exception.stacktrace", "Traceback:\nValueError: "+message+"\n")
	return span
}

func messagesOf(span ptrace.Span) []string {
	attributes := span.Events().At(0).Attributes().AsRaw()
	return []string{
		span.Status().Message(), span.Attributes().AsRaw()["dify.original_status"].(string),
		attributes["exception.message"].(string), attributes["exception.stacktrace"].(string),
	}
}

func TestErrorTextsLoseWhatTheTraceHas(t *testing.T) {
	set := everything.set
	set.Written = nil
	r := NewRedactor(set)
	td := ptrace.NewTraces()
	before := failed(td, 1, "cannot handle refund order 1142 for Ann, model not found: gpt-5")
	written := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	written.SetTraceID(pcommon.TraceID{1})
	written.Attributes().PutStr("input.value", asked)
	written.Attributes().PutStr("gen_ai.completion", answered)
	other := failed(td, 2, "cannot handle refund order 1142 for Ann")
	counts := &tally.Tally{}
	r.Traces(td, counts)
	assert.Equal(t, []string{
		"cannot handle ***, model not found: gpt-5", "cannot handle ***, model not found: gpt-5",
		"cannot handle ***, model not found: gpt-5",
		"Traceback:\nValueError: cannot handle ***, model not found: gpt-5\n",
	}, messagesOf(before), "in a span before the one that has the content")
	assert.Equal(t, "cannot handle refund order 1142 for Ann", messagesOf(other)[0], "of another trace")

	td = ptrace.NewTraces()
	later := failed(td, 1, "bad answer: Dear Ann, your refund is on its way to your bank")
	r.Traces(td, counts)
	assert.Equal(t, "bad answer: *** ***", messagesOf(later)[0], "in a later batch, by lines")

	ld := plog.NewLogs()
	record := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetTraceID(pcommon.TraceID{1})
	record.Body().SetStr("failed: refund order 1142 for Ann")
	r.Logs(ld, counts)
	assert.Equal(t, "failed: ***", record.Body().Str())
}

func TestKeptContentIsNotCutFromErrorTexts(t *testing.T) {
	set := everything.set
	set.Written, set.Keys = nil, map[string]string{"input.value": ActionKeep}
	td := ptrace.NewTraces()
	span := failed(td, 1, "cannot handle refund order 1142 for Ann")
	span.Attributes().PutStr("input.value", asked)
	NewRedactor(set).Traces(td, &tally.Tally{})
	assert.Equal(t, "cannot handle refund order 1142 for Ann", messagesOf(span)[0])
}
