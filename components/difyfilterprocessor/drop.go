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

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// noise holds the rules by what they drop, so that no span asks about rules for records.
type noise struct {
	events  []*rule
	spans   [spanKinds][]*rule // and subtrees, by the kind of span they can be for
	telling []*rule            // those of them that look for nothing but a literal in what identifies a span
	gate    needles
	records []*rule

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
				n.telling = append(n.telling, r)
				n.gate.add(r.texts)
			} else {
				n.addByKind(r)
			}
		}
	}
	return n
}

// needles looks for any of several texts at once, as most spans have none.
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

func (l *needles) inAttributes(attrs pcommon.Map) bool {
	if len(l.texts) == 0 {
		return false
	}
	for key, v := range attrs.All() {
		if v.Type() == pcommon.ValueTypeStr && len(v.Str()) >= l.shortest && tellsError(key) && l.in(v.Str()) {
			return true
		}
	}
	return false
}

// dropEvents removes the events that are noise and the ERROR that came with them.
func (n *noise) dropEvents(span ptrace.Span, role string, t *tally) {
	if span.Events().Len() == 0 || len(n.events) == 0 {
		return
	}
	var gone fallen
	before := span.Events().Len()
	span.Events().RemoveIf(func(event ptrace.SpanEvent) bool {
		for _, r := range n.events {
			if r.matchesEvent(span, event, role) {
				gone.add(event)
				t.drop(r.name, kindEvent, 1)
				return true
			}
		}
		return false
	})
	if span.Events().Len() < before {
		gone.repairAfter(span)
	}
}

// spanRule is the rule by which a span falls, nil when it stays. A span that bears an error which is not the noise itself
// stays; of it, only the events that a rule meant are dropped.
func (n *noise) spanRule(span ptrace.Span, role string, t *tally) *rule {
	if n.gate.in(span.Name()) || n.gate.inAttributes(span.Attributes()) {
		if r := firstRule(n.telling, span, role, t); r != nil {
			return r
		}
	}
	return firstRule(n.spans[kindOf(span)], span, role, t)
}

// databaseSpanRule is the same for a span whose attributes tell of a database and of nothing else.
func (n *noise) databaseSpanRule(span ptrace.Span, role string, t *tally) *rule {
	return firstRule(n.spans[kindOf(span)], span, role, t)
}

// spanKinds is the number of kinds; a kind that is none of them is the first, unspecified.
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

func firstRule(rules []*rule, span ptrace.Span, role string, t *tally) *rule {
	for _, r := range rules {
		if !r.matchesSpan(span, role) {
			continue
		}
		if !r.spares(span) {
			return r
		}
		if r.byError() {
			dropMeant(span, r, t)
		}
	}
	return nil
}

// spares says whether a span has an error of its own that the rule does not mean.
func (r *rule) spares(span ptrace.Span) bool {
	if r.errors || span.Status().Code() != ptrace.StatusCodeError {
		return false
	}
	if !r.byError() {
		return true
	}
	for _, event := range span.Events().All() {
		if event.Name() == eventException && !r.errorHolds(event) {
			return true
		}
	}
	return false
}

func dropMeant(span ptrace.Span, r *rule, t *tally) {
	var gone fallen
	span.Events().RemoveIf(func(event ptrace.SpanEvent) bool {
		if !r.errorHolds(event) {
			return false
		}
		gone.add(event)
		t.drop(r.name, kindEvent, 1)
		return true
	})
	gone.repairAfter(span)
}

// recordRule is the rule by which a log record falls, nil when it stays.
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

// isRunRecord is true for the records of workflow_log: each stands for a run, whatever error text it bears.
func isRunRecord(record plog.LogRecord) bool {
	switch recordEventName(record) {
	case difysemconv.EventWorkflowRun, difysemconv.EventWorkflowStuck, difysemconv.EventWorkflowUnknown:
		return true
	}
	return false
}
