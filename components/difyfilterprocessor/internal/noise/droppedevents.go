// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package noise

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/spanrepair"
)

// droppedEvents collects the texts of the dropped events of one span, to find out whether they caused its ERROR.
type droppedEvents struct {
	types []string
	words []string
}

func (f *droppedEvents) add(event ptrace.SpanEvent) {
	attributes := event.Attributes()
	if t := attrs.Text(attributes, attrs.ExceptionType); t != "" {
		f.types = append(f.types, t)
		f.words = append(f.words, t[strings.LastIndexByte(t, '.')+1:])
	}
	for _, key := range [...]string{attrs.ExceptionMessage, attrs.LogMessage} {
		if m := attrs.Text(attributes, key); m != "" {
			f.words = append(f.words, m)
		}
	}
}

// repairAfter unsets the ERROR that dropped events caused, unless the span has another exception or a 5xx response.
func (f *droppedEvents) repairAfter(span ptrace.Span) {
	attributes := span.Attributes()
	if left := attrs.Text(attributes, attrs.ExceptionType); left != "" && f.caused(left) && !hasExceptionOf(span, left) {
		attributes.Remove(attrs.ExceptionType) // Dify's logging handler set it together with the event
	}
	if span.Status().Code() != ptrace.StatusCodeError || spanrepair.HasEvent(span, attrs.EventException) ||
		attrs.StatusCode(attributes) >= 500 {
		return
	}
	message := span.Status().Message()
	if message == "" {
		spanrepair.UnsetStatus(span)
		return
	}
	for _, word := range f.words {
		if strings.Contains(message, word) || strings.Contains(word, message) {
			spanrepair.UnsetStatus(span)
			return
		}
	}
}

func (f *droppedEvents) caused(exceptionType string) bool {
	for _, t := range f.types {
		if t == exceptionType || strings.HasSuffix(t, "."+exceptionType) {
			return true
		}
	}
	return false
}

func hasExceptionOf(span ptrace.Span, exceptionType string) bool {
	for _, event := range span.Events().All() {
		t := attrs.Text(event.Attributes(), attrs.ExceptionType)
		if t == exceptionType || strings.HasSuffix(t, "."+exceptionType) {
			return true
		}
	}
	return false
}
