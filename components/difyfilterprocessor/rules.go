// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"regexp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// rule is a compiled noise rule, built in or configured. Built-in rules use a few conditions that the configuration does
// not offer.
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

func compileRule(cfg *RuleConfig) *rule {
	r := &rule{
		name: cfg.Name, drops: cfg.Drops, errors: cfg.Errors,
		spanName: cfg.SpanName, spanKind: parseKind(cfg.SpanKind), root: cfg.Root,
		eventName: cfg.EventName, exceptionType: cfg.ExceptionType,
		attributes: cfg.Attributes,
	}
	if cfg.Text != "" {
		r.texts = []string{cfg.Text}
	}
	if cfg.SpanNameRegexp != "" {
		r.spanNameRegexp = regexp.MustCompile(cfg.SpanNameRegexp) // Validate has compiled it
	}
	if cfg.TextRegexp != "" {
		r.textRegexp = regexp.MustCompile(cfg.TextRegexp)
	}
	if len(cfg.AttributesRegexp) > 0 {
		r.attributesRegexp = make(map[string]*regexp.Regexp, len(cfg.AttributesRegexp))
		for key, pattern := range cfg.AttributesRegexp {
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
	return r.drops == dropsEvent || r.attributesHold(span.Attributes())
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
	if r.eventName == "" && (r.exceptionType == "" || r.isType(attrs.Text(span.Attributes(), attrs.ExceptionType))) && r.textInSpan(span) {
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

// inAttributes searches the attributes that can describe an error. It skips content that users write, who may ask about
// the Langfuse error, stack traces, which may show an unrelated exception, and attributes about the infrastructure.
func (r *rule) inAttributes(attributes pcommon.Map) bool {
	for key, v := range attributes.All() {
		if v.Type() == pcommon.ValueTypeStr && describesError(key) && r.inText(v.Str()) {
			return true
		}
	}
	return false
}

func describesError(key string) bool {
	if key == attrs.ExceptionStacktrace {
		return false
	}
	prefix, _, _ := strings.Cut(key, ".")
	switch prefix {
	case "db", "net", "http", "url", "server", "client", "network", "node", "celery", "messaging",
		"gen_ai", "input", "output", "retrieval", "dify":
		return false
	}
	return true
}

func (r *rule) inValue(v pcommon.Value) bool {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return r.inText(v.Str())
	case pcommon.ValueTypeMap:
		for key, child := range v.Map().All() {
			if describesError(key) && r.inValue(child) {
				return true
			}
		}
	case pcommon.ValueTypeSlice:
		for _, child := range v.Slice().All() {
			if r.inValue(child) {
				return true
			}
		}
	default: // no text
	}
	return false
}

func (r *rule) inText(s string) bool {
	if slices.ContainsFunc(r.texts, func(literal string) bool { return strings.Contains(s, literal) }) {
		return true
	}
	return r.textRegexp != nil && r.textRegexp.MatchString(s)
}
