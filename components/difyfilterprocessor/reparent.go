// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// droppedSpan is what the children of a dropped span must know.
type droppedSpan struct {
	parent  pcommon.SpanID
	rule    string
	subtree bool // they fall too
}

// maxChain bounds a walk through parents, so that a cycle in bad input ends.
const maxChain = 1024

// pruning drops the spans of one batch. Spans are told apart by their place, not by their id: bad input repeats ids.
type pruning struct {
	f     *filter
	now   time.Time
	t     *tally
	spans []spanAt // in the order of the batch

	byRule  []*rule                 // why the span at this place falls; nil: it stays
	inherit []string                // the rule of the subtree that it falls with; empty: none
	gone    map[spanKey]droppedSpan // dropped spans, by id
	any     bool
	memory  bool // earlier batches dropped spans too
}

type spanAt struct {
	span ptrace.Span
	role string
}

// prune drops noise from td, and re-parents what it leaves behind. roles has the role of each resource.
func (f *filter) prune(td ptrace.Traces, roles []string, now time.Time, t *tally) {
	p := &pruning{f: f, now: now, t: t}
	judged := p.judgeAll(td, roles)
	p.memory = f.anyOrphan(td, now)
	if !judged && !p.memory {
		return
	}
	p.collect(td, roles)
	p.settle()
	if p.any {
		p.remember()
		p.remove(td)
	}
}

// judgeAll asks the rules about every span, and is the whole cost where nothing falls.
func (p *pruning) judgeAll(td ptrace.Traces, roles []string) bool {
	place := 0
	for i, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			ruleOf := p.f.noise.spanRule
			if isDatabaseScope(ss.Scope().Name()) {
				ruleOf = p.f.noise.databaseSpanRule
			}
			for _, span := range ss.Spans().All() {
				p.f.noise.dropEvents(span, roles[i], p.t)
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
	p.gone = map[spanKey]droppedSpan{}
	if p.byRule == nil {
		p.byRule = make([]*rule, n)
	}
	for i, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if r := p.byRule[len(p.spans)]; r != nil {
					p.note(span, r.name, r.drops == dropsSubtree)
				}
				p.spans = append(p.spans, spanAt{span, roles[i]})
			}
		}
	}
}

func (p *pruning) note(span ptrace.Span, rule string, subtree bool) {
	if id := span.SpanID(); !id.IsEmpty() {
		p.gone[spanKey{span.TraceID(), id}] = droppedSpan{parent: span.ParentSpanID(), rule: rule, subtree: subtree}
	}
}

func (p *pruning) falls(place int) bool {
	return p.byRule[place] != nil || p.inherit[place] != ""
}

// settle looks at every span, and again at those below one that falls by that: each as often as what is above it falls,
// whatever order they came in.
func (p *pruning) settle() {
	waiting := map[spanKey][]int{} // places of spans that stay, by their parent
	look := make([]int, len(p.spans))
	for place := range look {
		look[place] = len(look) - 1 - place // taken from the end
	}
	for len(look) > 0 {
		place := look[len(look)-1]
		look = look[:len(look)-1]
		s := p.spans[place]
		if !p.falls(place) && !p.settleSpan(place) {
			if parent := s.span.ParentSpanID(); !parent.IsEmpty() {
				key := spanKey{s.span.TraceID(), parent}
				waiting[key] = append(waiting[key], place)
			}
			continue
		}
		key := spanKey{s.span.TraceID(), s.span.SpanID()}
		look = append(look, waiting[key]...)
		delete(waiting, key)
	}
}

// settleSpan says whether a span falls with what is above it. A child of a dropped subtree does, unless it has an error of
// its own; what hangs below that stays with it. One that stays hangs below the nearest ancestor that stays, and when that
// makes it a root it is judged again, for the rules that ask for one.
func (p *pruning) settleSpan(place int) bool {
	s, lifted := p.spans[place], false
	for range maxChain {
		d, ok := p.droppedParent(s.span)
		if !ok {
			return lifted && s.span.ParentSpanID().IsEmpty() && p.fallsAsRoot(place)
		}
		if d.subtree && s.span.Status().Code() != ptrace.StatusCodeError {
			p.inherit[place] = d.rule
			p.note(s.span, d.rule, true)
			p.any = true
			return true
		}
		s.span.SetParentSpanID(d.parent)
		lifted = true
	}
	s.span.SetParentSpanID(pcommon.SpanID{}) // a cycle of dropped spans hangs nowhere
	return p.fallsAsRoot(place)
}

func (p *pruning) fallsAsRoot(place int) bool {
	s := p.spans[place]
	r := p.f.noise.spanRule(s.span, s.role, p.t)
	if r == nil {
		return false
	}
	p.byRule[place] = r
	p.note(s.span, r.name, r.drops == dropsSubtree)
	p.any = true
	return true
}

func (p *pruning) droppedParent(span ptrace.Span) (droppedSpan, bool) {
	parent := span.ParentSpanID()
	if parent.IsEmpty() {
		return droppedSpan{}, false
	}
	key := spanKey{span.TraceID(), parent}
	if d, ok := p.gone[key]; ok || !p.memory {
		return d, ok
	}
	p.f.memory.mu.Lock()
	defer p.f.memory.mu.Unlock()
	return p.f.memory.dropped.get(key, p.now)
}

// anyOrphan says whether a span of td lost its parent in an earlier batch.
func (f *filter) anyOrphan(td ptrace.Traces, now time.Time) bool {
	f.memory.mu.Lock()
	defer f.memory.mu.Unlock()
	if f.memory.dropped.empty() {
		return false
	}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if parent := span.ParentSpanID(); !parent.IsEmpty() {
					if _, ok := f.memory.dropped.get(spanKey{span.TraceID(), parent}, now); ok {
						return true
					}
				}
			}
		}
	}
	return false
}

// remember keeps the dropped spans whose children may still come. A database call has none.
func (p *pruning) remember() {
	p.f.memory.mu.Lock()
	defer p.f.memory.mu.Unlock()
	for place, s := range p.spans {
		if !p.falls(place) || s.span.SpanID().IsEmpty() || has(s.span.Attributes(), attrDBSystem) {
			continue
		}
		key := spanKey{s.span.TraceID(), s.span.SpanID()}
		p.f.memory.dropped.set(key, p.gone[key], p.now)
	}
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
		p.t.drop(p.byRule[place].name, kindSpan, 1)
	case p.inherit[place] != "":
		p.t.drop(p.inherit[place], kindSpan, 1)
	default:
		return false
	}
	return true
}
