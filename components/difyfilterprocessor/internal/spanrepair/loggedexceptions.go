// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package spanrepair

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
)

// EventLogException is the name of the event for an error in Dify's log, and of the span in Dify 1.3.1 to 1.11.2.
const EventLogException = "log.exception"

// ConvertLoggedExceptions converts the spans with which Dify 1.3.1 to 1.11.2 reports logged exceptions to their
// current form: the events log.exception and exception, where consumers of exceptions look for them.
func ConvertLoggedExceptions(rs ptrace.ResourceSpans) {
	for _, ss := range rs.ScopeSpans().All() {
		if ss.Scope().Name() != emitter.ScopeLogException {
			continue
		}
		for _, span := range ss.Spans().All() {
			if span.Name() == EventLogException {
				moveToEvents(span)
			}
		}
	}
}

func moveToEvents(span ptrace.Span) {
	attributes := span.Attributes()
	if !HasEvent(span, EventLogException) {
		moveToEvent(span, EventLogException, func(key string) bool { return strings.HasPrefix(key, "log.") })
	}
	if kind := attrs.Text(attributes, attrs.ExceptionType); kind != "" && !HasEvent(span, attrs.EventException) {
		moveToEvent(span, attrs.EventException, func(key string) bool { return strings.HasPrefix(key, "exception.") })
		attributes.PutStr(attrs.ExceptionType, kind) // current spans have it too
	}
	attributes.Remove(attrs.ExceptionMessage) // it is in the event
}

func moveToEvent(span ptrace.Span, name string, moves func(key string) bool) {
	event := span.Events().AppendEmpty()
	event.SetName(name)
	event.SetTimestamp(span.StartTimestamp())
	for key, v := range span.Attributes().All() {
		if moves(key) {
			v.CopyTo(event.Attributes().PutEmpty(key))
		}
	}
	for key := range event.Attributes().All() {
		span.Attributes().Remove(key)
	}
}

// HasEvent reports whether a span has an event of a name.
func HasEvent(span ptrace.Span, name string) bool {
	for _, event := range span.Events().All() {
		if event.Name() == name {
			return true
		}
	}
	return false
}
