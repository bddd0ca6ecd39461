// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// repairStatus takes the ERROR off a request that the server answered as it should: Dify's response hook marks every
// answer that is not 2xx. As in OpenTelemetry's conventions, 3xx and 4xx are no errors of the server.
func repairStatus(span ptrace.Span) {
	if span.Kind() != ptrace.SpanKindServer || span.Status().Code() != ptrace.StatusCodeError {
		return
	}
	if code := statusCode(span.Attributes()); code >= 300 && code < 500 {
		unsetStatus(span)
	}
}

// unsetStatus keeps what Dify said beside the span.
func unsetStatus(span ptrace.Span) {
	original := "ERROR"
	if message := span.Status().Message(); message != "" {
		original += ": " + message
	}
	putAbsent(span.Attributes(), difysemconv.AttrOriginalStatus, original)
	span.Status().SetCode(ptrace.StatusCodeUnset)
	span.Status().SetMessage("")
}

// fallen collects what the dropped events of one span said, to tell whether the span's ERROR came from them.
type fallen struct {
	types []string
	words []string
}

func (f *fallen) add(event ptrace.SpanEvent) {
	attrs := event.Attributes()
	if t := text(attrs, attrExceptionType); t != "" {
		f.types = append(f.types, t)
		f.words = append(f.words, t[strings.LastIndexByte(t, '.')+1:])
	}
	for _, key := range [...]string{attrExceptionMessage, attrLogMessage} {
		if m := text(attrs, key); m != "" {
			f.words = append(f.words, m)
		}
	}
}

// repairAfter undoes the ERROR that dropped events had caused, unless a real exception or a 5xx answer stands behind it too.
func (f *fallen) repairAfter(span ptrace.Span) {
	attrs := span.Attributes()
	if left := text(attrs, attrExceptionType); left != "" && f.caused(left) && !hasExceptionOf(span, left) {
		attrs.Remove(attrExceptionType) // Dify's logging handler put it there with the event
	}
	if span.Status().Code() != ptrace.StatusCodeError || hasException(span) || statusCode(attrs) >= 500 {
		return
	}
	message := span.Status().Message()
	if message == "" {
		unsetStatus(span)
		return
	}
	for _, word := range f.words {
		if strings.Contains(message, word) || strings.Contains(word, message) {
			unsetStatus(span)
			return
		}
	}
}

func (f *fallen) caused(exceptionType string) bool {
	for _, t := range f.types {
		if t == exceptionType || strings.HasSuffix(t, "."+exceptionType) {
			return true
		}
	}
	return false
}

func hasException(span ptrace.Span) bool {
	for _, event := range span.Events().All() {
		if event.Name() == eventException {
			return true
		}
	}
	return false
}

func hasExceptionOf(span ptrace.Span, exceptionType string) bool {
	for _, event := range span.Events().All() {
		t := text(event.Attributes(), attrExceptionType)
		if t == exceptionType || strings.HasSuffix(t, "."+exceptionType) {
			return true
		}
	}
	return false
}
