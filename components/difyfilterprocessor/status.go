// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// expected is the set of exceptions that Dify itself does not treat as errors.
type expected struct{ classes *difysemconv.ErrorClasses }

func newExpected(names []string) expected { return expected{difysemconv.NewErrorClasses(names)} }

func (e *expected) has(exceptionType string) bool { return e.classes.Has(exceptionType) }

// onlyExpected reports whether a span has exceptions and all of them are expected.
func (e *expected) onlyExpected(span ptrace.Span) bool {
	kind := attrs.Text(span.Attributes(), attrs.ExceptionType)
	if kind != "" && !e.has(kind) {
		return false
	}
	found := kind != ""
	for _, event := range span.Events().All() {
		if event.Name() != attrs.EventException {
			continue
		}
		if !e.has(attrs.Text(event.Attributes(), attrs.ExceptionType)) {
			return false
		}
		found = true
	}
	return found
}

// repairStatus unsets the status ERROR of a request that the server answered correctly: Dify's response hook sets ERROR
// for every response that is not 2xx, but by OpenTelemetry's conventions 3xx and 4xx are not errors of the server. It
// also unsets the status of Dify's own spans if all their exceptions are expected. Client spans are left alone.
func (e *expected) repairStatus(span ptrace.Span) {
	if span.Status().Code() != ptrace.StatusCodeError || span.Kind() == ptrace.SpanKindClient {
		return
	}
	switch code := attrs.StatusCode(span.Attributes()); {
	case code >= 500:
	case code >= 300 && span.Kind() == ptrace.SpanKindServer, e.onlyExpected(span):
		unsetStatus(span)
	}
}

// unsetStatus unsets the status and keeps Dify's original as an attribute.
func unsetStatus(span ptrace.Span) {
	original := "ERROR"
	if message := span.Status().Message(); message != "" {
		original += ": " + message
	}
	attrs.PutAbsent(span.Attributes(), difysemconv.AttrOriginalStatus, original)
	span.Status().SetCode(ptrace.StatusCodeUnset)
	span.Status().SetMessage("")
}

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
	if span.Status().Code() != ptrace.StatusCodeError || hasEvent(span, attrs.EventException) || attrs.StatusCode(attributes) >= 500 {
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
