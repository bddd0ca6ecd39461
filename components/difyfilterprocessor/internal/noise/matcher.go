// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package noise

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Matcher has the rules by what they drop, so that each item is matched only against the rules for its kind.
type Matcher struct {
	events   []*rule
	spans    [spanKinds][]*rule // rules for spans and subtrees, by the kinds of span that they can match
	literals []*rule            // rules for spans that only search for a literal in the span's name and attributes
	gate     needles            // all texts of literals
	records  []*rule
}

// NewMatcher returns the matcher of the enabled built-in rules and the rules of the operator.
func NewMatcher(set Settings) *Matcher {
	m := &Matcher{}
	rules := builtinRules(&set)
	for i := range set.Rules {
		rules = append(rules, compile(&set.Rules[i]))
	}
	for _, r := range rules {
		switch r.drops {
		case DropsEvent:
			m.events = append(m.events, r)
		case DropsRecord:
			m.records = append(m.records, r)
		default:
			if r.ownText {
				m.literals = append(m.literals, r)
				m.gate.add(r.texts)
			} else {
				m.addByKind(r)
			}
		}
	}
	return m
}

// dropEvents removes the events that are noise, and the ERROR that they caused.
func (m *Matcher) dropEvents(span ptrace.Span, role string, t *tally.Tally) {
	if span.Events().Len() == 0 || len(m.events) == 0 {
		return
	}
	var removed droppedEvents
	before := span.Events().Len()
	span.Events().RemoveIf(func(event ptrace.SpanEvent) bool {
		for _, r := range m.events {
			if r.matchesEvent(span, event, role) {
				removed.add(event)
				t.Drop(r.name, tally.KindEvent, 1)
				return true
			}
		}
		return false
	})
	if span.Events().Len() < before {
		removed.repairAfter(span)
	}
}

// spanRule returns the rule that drops a span, or nil. A span with an error other than the noise itself is kept; only
// the events that a rule matches are dropped from it.
func (m *Matcher) spanRule(span ptrace.Span, role string, t *tally.Tally) *rule {
	if m.gate.in(span.Name()) || m.gate.inAttributes(span.Attributes()) {
		if r := firstRule(m.literals, span, role, t); r != nil {
			return r
		}
	}
	return firstRule(m.spans[kindOf(span)], span, role, t)
}

// databaseSpanRule is spanRule for a span of a database instrumentation, whose attributes can't describe other errors.
func (m *Matcher) databaseSpanRule(span ptrace.Span, role string, t *tally.Tally) *rule {
	return firstRule(m.spans[kindOf(span)], span, role, t)
}

func (m *Matcher) addByKind(r *rule) {
	for kind := range m.spans {
		if r.spanKind == ptrace.SpanKindUnspecified || int(r.spanKind) == kind {
			m.spans[kind] = append(m.spans[kind], r)
		}
	}
}

// RecordRule returns the name of the rule that drops a log record, and false if none does.
func (m *Matcher) RecordRule(record plog.LogRecord) (name string, found bool) {
	if len(m.records) == 0 || isRunRecord(record) {
		return "", false
	}
	for _, r := range m.records {
		if r.matchesRecord(record) {
			return r.name, true
		}
	}
	return "", false
}

// spanKinds is the number of span kinds. An invalid kind counts as unspecified, the first one.
const spanKinds = int(ptrace.SpanKindConsumer) + 1

func kindOf(span ptrace.Span) int {
	if kind := int(span.Kind()); kind > 0 && kind < spanKinds {
		return kind
	}
	return int(ptrace.SpanKindUnspecified)
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
	var removed droppedEvents
	span.Events().RemoveIf(func(event ptrace.SpanEvent) bool {
		if !r.errorHolds(event) {
			return false
		}
		removed.add(event)
		t.Drop(r.name, tally.KindEvent, 1)
		return true
	})
	removed.repairAfter(span)
}

// isRunRecord reports whether a record is from workflow_log. Each such record stands for a run and is never noise,
// whatever error text it has.
func isRunRecord(record plog.LogRecord) bool {
	switch recordEventName(record) {
	case difysemconv.EventWorkflowRun, difysemconv.EventWorkflowStuck, difysemconv.EventWorkflowUnknown,
		difysemconv.EventWorkflowWaiting, difysemconv.EventMessageRun:
		return true
	}
	return false
}
