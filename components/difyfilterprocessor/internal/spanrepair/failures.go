// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package spanrepair

import (
	"cmp"
	"encoding/json"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// engineError is the class with which Dify's engine raises the failure of a node, and which its provider writes.
const engineError = "RuntimeError"

// unknownFailure is the text of a failure that says nothing.
const unknownFailure = "failed without a message"

// RepairFailures makes the failures of runs and nodes the same for all emitters: status ERROR and an event `exception`.
// Enterprise sets no status, ProviderOps records no exception. Provider marks a run that a user stopped as an error,
// and repeats an error on the rounds that it makes up around the node that has it.
func RepairFailures(shape emitter.Shape, spans ptrace.SpanSlice) {
	for _, span := range spans.All() {
		switch shape {
		case emitter.Enterprise:
			setEnterpriseStatus(span)
			recordFailure(span, "dify.node.error", "dify.workflow.error")
		case emitter.ProviderOps:
			recordFailure(span, "error.message", "")
		case emitter.Provider, emitter.OlderProvider:
			unsetStopped(span)
			removeRepeated(span)
		default:
		}
	}
}

// setEnterpriseStatus sets the status ERROR on spans of runs and nodes that failed: Dify's enterprise edition sets no
// status, but names the outcome in an attribute.
func setEnterpriseStatus(span ptrace.Span) {
	if span.Status().Code() != ptrace.StatusCodeUnset {
		return
	}
	for _, key := range [...]string{"dify.workflow.status", "dify.node.status"} {
		switch attrs.Text(span.Attributes(), key) {
		case "failed", "exception":
			setFailed(span)
		}
	}
}

// recordFailure adds the exception of a span that failed and has none. Its text is in one of two attributes, or in the
// status. A span whose emitter is already named was processed before: its exception may have been dropped since.
func recordFailure(span ptrace.Span, key, other string) {
	if span.Status().Code() != ptrace.StatusCodeError || attrs.Has(span.Attributes(), difysemconv.AttrEmitter) {
		return
	}
	for _, event := range span.Events().All() {
		if event.Name() == attrs.EventException {
			return
		}
	}
	text := cmp.Or(attrs.Text(span.Attributes(), key), attrs.Text(span.Attributes(), other), span.Status().Message(),
		unknownFailure)
	event := span.Events().AppendEmpty()
	event.SetName(attrs.EventException)
	event.SetTimestamp(span.EndTimestamp())
	event.Attributes().PutStr(attrs.ExceptionType, engineError)
	event.Attributes().PutStr(attrs.ExceptionMessage, text)
}

func unsetStopped(span ptrace.Span) {
	if span.Status().Code() != ptrace.StatusCodeError {
		return
	}
	metadata := attrs.Text(span.Attributes(), emitter.AttrMetadata)
	if !strings.Contains(metadata, `"stopped"`) {
		return
	}
	var outcome struct {
		Status string `json:"status"`
	}
	if json.Unmarshal([]byte(metadata), &outcome) == nil && outcome.Status == "stopped" {
		UnsetStatus(span)
		removeExceptions(span, func(pcommon.Map) bool { return true })
	}
}

// roundFailed is what Provider writes on a round of an iteration or a loop with a node that failed.
const roundFailed = "wrapper child failed"

// removeRepeated removes the exception of a span that the provider made up. Its status stays.
func removeRepeated(span ptrace.Span) {
	if v, ok := span.Attributes().Get(difysemconv.AttrSpanSynthetic); ok && v.Bool() {
		removeExceptions(span, func(event pcommon.Map) bool {
			return attrs.Text(event, attrs.ExceptionMessage) == roundFailed
		})
	}
}

func removeExceptions(span ptrace.Span, which func(pcommon.Map) bool) {
	span.Events().RemoveIf(func(event ptrace.SpanEvent) bool {
		return event.Name() == attrs.EventException && which(event.Attributes())
	})
}
