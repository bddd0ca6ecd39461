// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package spanrepair corrects what Dify's spans report wrongly or in an old form: status, HTTP attributes, logged
// exceptions and the names of node spans.
package spanrepair

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Status repairs the status of spans.
type Status struct {
	expected *difysemconv.ErrorClasses // exceptions that Dify itself does not treat as errors
}

// NewStatus returns a Status with the classes of expected exceptions, in the syntax of difysemconv.NewErrorClasses.
func NewStatus(expectedErrors []string) *Status {
	return &Status{expected: difysemconv.NewErrorClasses(expectedErrors)}
}

// Repair unsets the status ERROR of a request that the server answered correctly: Dify's response hook sets ERROR for
// every response that is not 2xx, but by OpenTelemetry's conventions 3xx and 4xx are not errors of the server. It also
// unsets the status of Dify's own spans if all their exceptions are expected. Client spans are left alone.
func (s *Status) Repair(span ptrace.Span) {
	if span.Status().Code() != ptrace.StatusCodeError || span.Kind() == ptrace.SpanKindClient {
		return
	}
	switch code := attrs.StatusCode(span.Attributes()); {
	case code >= 500:
	case code >= 300 && span.Kind() == ptrace.SpanKindServer, s.onlyExpected(span):
		UnsetStatus(span)
	}
}

// UnsetStatus unsets the status and keeps Dify's original as an attribute.
func UnsetStatus(span ptrace.Span) {
	original := "ERROR"
	if message := span.Status().Message(); message != "" {
		original += ": " + message
	}
	attrs.PutAbsent(span.Attributes(), difysemconv.AttrOriginalStatus, original)
	span.Status().SetCode(ptrace.StatusCodeUnset)
	span.Status().SetMessage("")
}

// onlyExpected reports whether a span has exceptions and all of them are expected.
func (s *Status) onlyExpected(span ptrace.Span) bool {
	kind := attrs.Text(span.Attributes(), attrs.ExceptionType)
	if kind != "" && !s.expected.Has(kind) {
		return false
	}
	found := kind != ""
	for _, event := range span.Events().All() {
		if event.Name() != attrs.EventException {
			continue
		}
		if !s.expected.Has(attrs.Text(event.Attributes(), attrs.ExceptionType)) {
			return false
		}
		found = true
	}
	return found
}
