// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package noise

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
)

// maxChain bounds the walk along parents, so that it ends on cycles in invalid input.
const maxChain = 1024

// pruning drops the spans of one batch. It identifies spans by their position, since invalid input repeats span IDs.
type pruning struct {
	matcher *Matcher
	earlier *Pruner // if the parent of a span was dropped in an earlier batch
	now     time.Time
	t       *tally.Tally
	spans   []spanAt // in the order of the batch

	byRule  []*rule                       // the rule that drops the span at this position; nil: kept
	inherit []string                      // the rule of the dropped subtree that it is in; empty: none
	dropped map[attrs.SpanKey]droppedSpan // dropped spans, by ID
	any     bool
}

type spanAt struct {
	span ptrace.Span
	role string
}

// matchAll matches every span against the rules. It is the whole cost if nothing is dropped.
func (p *pruning) matchAll(td ptrace.Traces, roles []string) bool {
	place := 0
	for i, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			ruleOf := p.matcher.spanRule
			if emitter.IsDatabaseScope(ss.Scope().Name()) {
				ruleOf = p.matcher.databaseSpanRule
			}
			for _, span := range ss.Spans().All() {
				p.matcher.dropEvents(span, roles[i], p.t)
				if r := ruleOf(span, roles[i], p.t); r != nil {
					if !p.any {
						p.any = true
						p.byRule = make([]*rule, td.SpanCount())
					}
					p.byRule[place] = r
				}
				place++
			}
		}
	}
	return p.any
}

func (p *pruning) collect(td ptrace.Traces, roles []string) {
	n := td.SpanCount()
	p.spans = make([]spanAt, 0, n)
	p.inherit = make([]string, n)
	p.dropped = map[attrs.SpanKey]droppedSpan{}
	if p.byRule == nil {
		p.byRule = make([]*rule, n)
	}
	for i, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if r := p.byRule[len(p.spans)]; r != nil {
					p.note(span, r.name, r.drops == DropsSubtree)
				}
				p.spans = append(p.spans, spanAt{span, roles[i]})
			}
		}
	}
}

func (p *pruning) note(span ptrace.Span, rule string, subtree bool) {
	if id := span.SpanID(); !id.IsEmpty() {
		p.dropped[attrs.SpanKey{Trace: span.TraceID(), Span: id}] = droppedSpan{
			parent:  span.ParentSpanID(),
			rule:    rule,
			subtree: subtree,
		}
	}
}

func (p *pruning) isDropped(place int) bool {
	return p.byRule[place] != nil || p.inherit[place] != ""
}

// settle decides about every span, and again about the children of a span that it drops. So each span is visited once,
// plus once for each of its ancestors that is dropped, in whatever order the spans arrived.
func (p *pruning) settle() {
	children := map[attrs.SpanKey][]int{} // positions of kept spans, by their parent
	stack := make([]int, len(p.spans))
	for place := range stack {
		stack[place] = len(stack) - 1 - place // the first span on top
	}
	for len(stack) > 0 {
		place := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		s := p.spans[place]
		if !p.isDropped(place) && !p.settleSpan(place) {
			if parent := s.span.ParentSpanID(); !parent.IsEmpty() {
				key := attrs.SpanKey{Trace: s.span.TraceID(), Span: parent}
				children[key] = append(children[key], place)
			}
			continue
		}
		key := attrs.SpanKey{Trace: s.span.TraceID(), Span: s.span.SpanID()}
		stack = append(stack, children[key]...)
		delete(children, key)
	}
}

// settleSpan reports whether a span is dropped because of its ancestors. A child of a dropped subtree is, unless it
// has an error of its own; its descendants are then kept with it. The parent of a kept span becomes its nearest
// ancestor that is kept. If that makes the span a root, it is matched again, for the rules that require a root.
func (p *pruning) settleSpan(place int) bool {
	s, reparented := p.spans[place], false
	for range maxChain {
		d, ok := p.droppedParent(s.span)
		if !ok {
			return reparented && s.span.ParentSpanID().IsEmpty() && p.droppedAsRoot(place)
		}
		if d.subtree && s.span.Status().Code() != ptrace.StatusCodeError {
			p.inherit[place] = d.rule
			p.note(s.span, d.rule, true)
			p.any = true
			return true
		}
		s.span.SetParentSpanID(d.parent)
		reparented = true
	}
	s.span.SetParentSpanID(pcommon.SpanID{}) // a cycle of dropped spans has no parent
	return p.droppedAsRoot(place)
}

func (p *pruning) droppedAsRoot(place int) bool {
	s := p.spans[place]
	r := p.matcher.spanRule(s.span, s.role, p.t)
	if r == nil {
		return false
	}
	p.byRule[place] = r
	p.note(s.span, r.name, r.drops == DropsSubtree)
	p.any = true
	return true
}

func (p *pruning) droppedParent(span ptrace.Span) (droppedSpan, bool) {
	parent := span.ParentSpanID()
	if parent.IsEmpty() {
		return droppedSpan{}, false
	}
	key := attrs.SpanKey{Trace: span.TraceID(), Span: parent}
	if d, ok := p.dropped[key]; ok || p.earlier == nil {
		return d, ok
	}
	return p.earlier.droppedParent(key, p.now)
}

func (p *pruning) remove(td ptrace.Traces) {
	place := 0
	td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
		scopes := rs.ScopeSpans().Len()
		rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
			spans := ss.Spans().Len()
			ss.Spans().RemoveIf(func(ptrace.Span) bool {
				at := place
				place++
				return p.countedOut(at)
			})
			return spans > 0 && ss.Spans().Len() == 0
		})
		return scopes > 0 && rs.ScopeSpans().Len() == 0
	})
}

func (p *pruning) countedOut(place int) bool {
	switch {
	case p.byRule[place] != nil:
		p.t.Drop(p.byRule[place].name, tally.KindSpan, 1)
	case p.inherit[place] != "":
		p.t.Drop(p.inherit[place], tally.KindSpan, 1)
	default:
		return false
	}
	return true
}
