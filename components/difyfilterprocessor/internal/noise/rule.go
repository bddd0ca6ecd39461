// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package noise

import (
	"regexp"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// rule is a compiled noise rule, built in or configured. Built-in rules use a few conditions that the configuration
// does not offer.
type rule struct {
	name   string
	drops  string
	errors bool

	spanName         string
	spanNameRegexp   *regexp.Regexp
	spanNameContains string
	spanKind         ptrace.SpanKind // unspecified matches any kind
	root             bool
	span             func(ptrace.Span) bool // further condition of a built-in rule
	record           func(plog.LogRecord) bool
	notRole          string // the rule does not apply to processes of this role

	eventName     string
	exceptionType string
	texts         []string // any of them must be contained
	textRegexp    *regexp.Regexp
	ownText       bool // search only the span's name and attributes

	attributes       map[string]string
	attributesRegexp map[string]*regexp.Regexp
}

func compile(set *Rule) *rule {
	r := &rule{
		name: set.Name, drops: set.Drops, errors: set.Errors,
		spanName: set.SpanName, spanKind: parseKind(set.SpanKind), root: set.Root,
		eventName: set.EventName, exceptionType: set.ExceptionType,
		attributes: set.Attributes,
	}
	if set.Text != "" {
		r.texts = []string{set.Text}
	}
	if set.SpanNameRegexp != "" {
		r.spanNameRegexp = regexp.MustCompile(set.SpanNameRegexp) // the configuration is valid
	}
	if set.TextRegexp != "" {
		r.textRegexp = regexp.MustCompile(set.TextRegexp)
	}
	if len(set.AttributesRegexp) > 0 {
		r.attributesRegexp = make(map[string]*regexp.Regexp, len(set.AttributesRegexp))
		for key, pattern := range set.AttributesRegexp {
			r.attributesRegexp[key] = regexp.MustCompile(pattern)
		}
	}
	return r
}

func parseKind(kind string) ptrace.SpanKind {
	switch kind {
	case "internal":
		return ptrace.SpanKindInternal
	case "server":
		return ptrace.SpanKindServer
	case "client":
		return ptrace.SpanKindClient
	case "producer":
		return ptrace.SpanKindProducer
	case "consumer":
		return ptrace.SpanKindConsumer
	default:
		return ptrace.SpanKindUnspecified
	}
}

// spanHolds reports whether a span meets all conditions of the rule except those on its events.
func (r *rule) spanHolds(span ptrace.Span, role string) bool {
	switch {
	case r.spanKind != ptrace.SpanKindUnspecified && span.Kind() != r.spanKind,
		r.root && !span.ParentSpanID().IsEmpty(),
		r.notRole != "" && r.notRole == role,
		r.spanName != "" && span.Name() != r.spanName,
		r.spanNameContains != "" && !strings.Contains(span.Name(), r.spanNameContains),
		r.spanNameRegexp != nil && !r.spanNameRegexp.MatchString(span.Name()),
		r.span != nil && !r.span(span):
		return false
	}
	return r.drops == DropsEvent || r.attributesHold(span.Attributes())
}

func (r *rule) attributesHold(attributes pcommon.Map) bool {
	for key, want := range r.attributes {
		if v, ok := attributes.Get(key); !ok || v.AsString() != want {
			return false
		}
	}
	for key, want := range r.attributesRegexp {
		if v, ok := attributes.Get(key); !ok || !want.MatchString(v.AsString()) {
			return false
		}
	}
	return true
}

// byError reports whether the rule has a condition on the error itself, not only on where it happened.
func (r *rule) byError() bool {
	return r.eventName != "" || r.exceptionType != "" || r.hasText()
}

func (r *rule) hasText() bool { return len(r.texts) > 0 || r.textRegexp != nil }

// matchesSpan reports whether a rule that drops a span or a subtree matches a span.
func (r *rule) matchesSpan(span ptrace.Span, role string) bool {
	if !r.spanHolds(span, role) {
		return false
	}
	if !r.byError() {
		return true
	}
	if r.eventName == "" && (r.exceptionType == "" || r.isType(attrs.Text(span.Attributes(), attrs.ExceptionType))) &&
		r.textInSpan(span) {
		return true
	}
	if r.ownText {
		return false
	}
	for _, event := range span.Events().All() {
		if r.errorHolds(event) {
			return true
		}
	}
	return false
}

func (r *rule) textInSpan(span ptrace.Span) bool {
	if !r.hasText() {
		return true
	}
	return r.inText(span.Name()) || (!r.ownText && r.inText(span.Status().Message())) || r.inAttributes(span.Attributes())
}

// matchesEvent reports whether a rule that drops events matches an event of a span.
func (r *rule) matchesEvent(span ptrace.Span, event ptrace.SpanEvent, role string) bool {
	return r.spanHolds(span, role) && r.attributesHold(event.Attributes()) && r.errorHolds(event)
}

func (r *rule) errorHolds(event ptrace.SpanEvent) bool {
	if r.eventName != "" && event.Name() != r.eventName {
		return false
	}
	if r.exceptionType != "" && !r.isType(attrs.Text(event.Attributes(), attrs.ExceptionType)) {
		return false
	}
	return !r.hasText() || r.inText(event.Name()) || r.inAttributes(event.Attributes())
}

// isType reports whether a type, with or without its module, is the type of the rule.
func (r *rule) isType(name string) bool {
	return name == r.exceptionType || (strings.HasSuffix(name, r.exceptionType) &&
		len(name) > len(r.exceptionType) && name[len(name)-len(r.exceptionType)-1] == '.')
}

// matchesRecord reports whether a rule that drops log records matches a record.
func (r *rule) matchesRecord(record plog.LogRecord) bool {
	if (r.eventName != "" && recordEventName(record) != r.eventName) || (r.record != nil && !r.record(record)) {
		return false
	}
	attributes := record.Attributes()
	if r.exceptionType != "" && !r.isType(attrs.Text(attributes, attrs.ExceptionType)) {
		return false
	}
	return r.attributesHold(attributes) && (!r.hasText() || r.inValue(record.Body()) || r.inAttributes(attributes))
}

func recordEventName(record plog.LogRecord) string {
	if name := record.EventName(); name != "" {
		return name
	}
	return attrs.Text(record.Attributes(), difysemconv.AttrEventName)
}
