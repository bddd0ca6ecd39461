// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// expected are the errors that Dify itself counts as none.
type expected struct{ classes *difysemconv.ErrorClasses }

func newExpected(names []string) expected { return expected{difysemconv.NewErrorClasses(names)} }

func (e *expected) has(exceptionType string) bool { return e.classes.Has(exceptionType) }

// onlyExpected says whether a span tells exceptions and all of them are expected.
func (e *expected) onlyExpected(span ptrace.Span) bool {
	kind := text(span.Attributes(), attrExceptionType)
	if kind != "" && !e.has(kind) {
		return false
	}
	told := kind != ""
	for _, event := range span.Events().All() {
		if event.Name() != eventException {
			continue
		}
		if !e.has(text(event.Attributes(), attrExceptionType)) {
			return false
		}
		told = true
	}
	return told
}

// repairStatus takes the ERROR off a request that the server answered as it should: Dify's response hook marks every
// answer that is not 2xx. As in OpenTelemetry's conventions, 3xx and 4xx are no errors of the server. It takes it off Dify's
// own work too, where all that was raised is expected. What another answered to Dify stays as it is.
func (e *expected) repairStatus(span ptrace.Span) {
	if span.Status().Code() != ptrace.StatusCodeError || span.Kind() == ptrace.SpanKindClient {
		return
	}
	switch code := statusCode(span.Attributes()); {
	case code >= 500:
	case code >= 300 && span.Kind() == ptrace.SpanKindServer, e.onlyExpected(span):
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
	if span.Status().Code() != ptrace.StatusCodeError || hasEvent(span, eventException) || statusCode(attrs) >= 500 {
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

func hasExceptionOf(span ptrace.Span, exceptionType string) bool {
	for _, event := range span.Events().All() {
		t := text(event.Attributes(), attrExceptionType)
		if t == exceptionType || strings.HasSuffix(t, "."+exceptionType) {
			return true
		}
	}
	return false
}
