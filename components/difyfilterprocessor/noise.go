// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// noise has the rules by what they drop, so that each item is matched only against the rules for its kind.
type noise struct {
	events   []*rule
	spans    [spanKinds][]*rule // rules for spans and subtrees, by the kinds of span that they can match
	literals []*rule            // rules for spans that only search for a literal in the span's name and attributes
	gate     needles            // all texts of literals
	records  []*rule

	sampledResponseCount bool
}

func newNoise(cfg *DropConfig) *noise {
	n := &noise{sampledResponseCount: cfg.SampledResponseCount}
	rules := builtinRules(cfg)
	for i := range cfg.Rules {
		rules = append(rules, compileRule(&cfg.Rules[i]))
	}
	for _, r := range rules {
		switch r.drops {
		case dropsEvent:
			n.events = append(n.events, r)
		case dropsRecord:
			n.records = append(n.records, r)
		default:
			if r.ownText {
				n.literals = append(n.literals, r)
				n.gate.add(r.texts)
			} else {
				n.addByKind(r)
			}
		}
	}
	return n
}

// needles searches for any of several texts at once, since most spans contain none.
type needles struct {
	texts    []string
	shortest int
}

func (l *needles) add(texts []string) {
	l.texts = append(l.texts, texts...)
	l.shortest = len(slices.MinFunc(l.texts, func(a, b string) int { return cmp.Compare(len(a), len(b)) }))
}

func (l *needles) in(text string) bool {
	return len(text) >= l.shortest && slices.ContainsFunc(l.texts, func(literal string) bool { return strings.Contains(text, literal) })
}

func (l *needles) inAttributes(attributes pcommon.Map) bool {
	if len(l.texts) == 0 {
		return false
	}
	for key, v := range attributes.All() {
		if v.Type() == pcommon.ValueTypeStr && len(v.Str()) >= l.shortest && describesError(key) && l.in(v.Str()) {
			return true
		}
	}
	return false
}

// dropEvents removes the events that are noise, and the ERROR that they caused.
func (n *noise) dropEvents(span ptrace.Span, role string, t *tally.Tally) {
	if span.Events().Len() == 0 || len(n.events) == 0 {
		return
	}
	var gone droppedEvents
	before := span.Events().Len()
	span.Events().RemoveIf(func(event ptrace.SpanEvent) bool {
		for _, r := range n.events {
			if r.matchesEvent(span, event, role) {
				gone.add(event)
				t.Drop(r.name, tally.KindEvent, 1)
				return true
			}
		}
		return false
	})
	if span.Events().Len() < before {
		gone.repairAfter(span)
	}
}

// spanRule returns the rule that drops a span, or nil. A span with an error other than the noise itself is kept; only
// the events that a rule matches are dropped from it.
func (n *noise) spanRule(span ptrace.Span, role string, t *tally.Tally) *rule {
	if n.gate.in(span.Name()) || n.gate.inAttributes(span.Attributes()) {
		if r := firstRule(n.literals, span, role, t); r != nil {
			return r
		}
	}
	return firstRule(n.spans[kindOf(span)], span, role, t)
}

// databaseSpanRule is spanRule for a span of a database instrumentation, whose attributes can't describe other errors.
func (n *noise) databaseSpanRule(span ptrace.Span, role string, t *tally.Tally) *rule {
	return firstRule(n.spans[kindOf(span)], span, role, t)
}

// spanKinds is the number of span kinds. An invalid kind counts as unspecified, the first one.
const spanKinds = int(ptrace.SpanKindConsumer) + 1

func kindOf(span ptrace.Span) int {
	if kind := int(span.Kind()); kind > 0 && kind < spanKinds {
		return kind
	}
	return int(ptrace.SpanKindUnspecified)
}

func (n *noise) addByKind(r *rule) {
	for kind := range n.spans {
		if r.spanKind == ptrace.SpanKindUnspecified || int(r.spanKind) == kind {
			n.spans[kind] = append(n.spans[kind], r)
		}
	}
}

func firstRule(rules []*rule, span ptrace.Span, role string, t *tally.Tally) *rule {
	for _, r := range rules {
		if !r.matchesSpan(span, role) {
			continue
		}
		if !r.spares(span) {
			return r
		}
		if r.byError() {
			dropMatchedEvents(span, r, t)
		}
	}
	return nil
}

// spares reports whether a span has an error of its own, which the rule does not match.
func (r *rule) spares(span ptrace.Span) bool {
	if r.errors || span.Status().Code() != ptrace.StatusCodeError {
		return false
	}
	if !r.byError() {
		return true
	}
	for _, event := range span.Events().All() {
		if event.Name() == attrs.EventException && !r.errorHolds(event) {
			return true
		}
	}
	return false
}

func dropMatchedEvents(span ptrace.Span, r *rule, t *tally.Tally) {
	var gone droppedEvents
	span.Events().RemoveIf(func(event ptrace.SpanEvent) bool {
		if !r.errorHolds(event) {
			return false
		}
		gone.add(event)
		t.Drop(r.name, tally.KindEvent, 1)
		return true
	})
	gone.repairAfter(span)
}

// recordRule returns the rule that drops a log record, or nil.
func (n *noise) recordRule(record plog.LogRecord) *rule {
	if len(n.records) == 0 || isRunRecord(record) {
		return nil
	}
	for _, r := range n.records {
		if r.matchesRecord(record) {
			return r
		}
	}
	return nil
}

// isRunRecord reports whether a record is from workflow_log. Each such record stands for a run and is never noise,
// whatever error text it has.
func isRunRecord(record plog.LogRecord) bool {
	switch recordEventName(record) {
	case difysemconv.EventWorkflowRun, difysemconv.EventWorkflowStuck, difysemconv.EventWorkflowUnknown:
		return true
	}
	return false
}
