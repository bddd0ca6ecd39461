// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// expected are the errors that Dify itself counts as none: its Sentry set-up ignores them, since they are what it answers
// a wrong request with.
type expected struct {
	names    map[string]bool // as listed: with their module, or without
	bare     map[string]bool // all of them without
	prefixes []string
}

// expectedErrors is Dify's list. It names classes and means their subclasses too, which a name does not tell: these are
// known ones.
var expectedErrors = []string{
	"werkzeug.exceptions.*", "controllers.*", "libs.exception.BaseHTTPException", // werkzeug's HTTPException
	"ValueError", "UnicodeError", "UnicodeDecodeError", "UnicodeEncodeError", "json.decoder.JSONDecodeError",
	"pydantic_core._pydantic_core.ValidationError", "services.errors.*", // ValueError
	"FileNotFoundError",
	"InvokeRateLimitError",
	"openai.APIStatusError", // before 1.9.2
}

func newExpected(names []string) expected {
	e := expected{names: map[string]bool{}, bare: map[string]bool{}}
	for _, name := range names {
		if prefix, ok := strings.CutSuffix(name, "*"); ok {
			e.prefixes = append(e.prefixes, prefix)
		} else {
			e.names[name], e.bare[withoutModule(name)] = true, true
		}
	}
	return e
}

func withoutModule(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// has takes a name that was listed without its module for that of any module, and a type that is told without its module
// (Dify's logging handler does) for any listed one.
func (e *expected) has(exceptionType string) bool {
	bare := withoutModule(exceptionType)
	if e.names[exceptionType] || e.names[bare] || (bare == exceptionType && e.bare[bare]) {
		return true
	}
	for _, prefix := range e.prefixes {
		if strings.HasPrefix(exceptionType, prefix) {
			return true
		}
	}
	return false
}

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
