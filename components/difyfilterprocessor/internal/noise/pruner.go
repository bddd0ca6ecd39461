// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package noise

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
)

// droppedSpan is what is remembered of a dropped span for its children.
type droppedSpan struct {
	parent  pcommon.SpanID
	rule    string
	subtree bool // the children are dropped too
}

// Pruner drops noise from traces. It remembers dropped spans, so that children that arrive in a later batch can be
// re-parented or, in a dropped subtree, be dropped too.
//
// These invariants hold: a span with status ERROR is dropped only by a rule that matches that error or includes
// errors; the parent of a kept span is its nearest ancestor that is kept, as far as its ancestors are known; every
// dropped span is counted once, by the rule that dropped it. A child that arrives before its dropped parent keeps it
// as parent.
//
// A Pruner is safe for concurrent use.
type Pruner struct {
	matcher *Matcher

	mu      sync.Mutex
	dropped *expiring.Map[attrs.SpanKey, droppedSpan] // guarded by mu
}

// NewPruner returns a pruner that remembers at most limit dropped spans, each for at least ttl as long as there is
// room.
func NewPruner(matcher *Matcher, limit int, ttl time.Duration) *Pruner {
	return &Pruner{matcher: matcher, dropped: expiring.NewMap[attrs.SpanKey, droppedSpan](limit, ttl)}
}

// Prune drops noise from td, counts it in t, and re-parents the children of dropped spans. roles has the role of each
// resource.
func (p *Pruner) Prune(td ptrace.Traces, roles []string, now time.Time, t *tally.Tally) {
	b := &pruning{matcher: p.matcher, now: now, t: t}
	matched := b.matchAll(td, roles)
	if p.anyOrphan(td, now) {
		b.earlier = p
	}
	if !matched && b.earlier == nil {
		return
	}
	b.collect(td, roles)
	b.settle()
	if b.any {
		p.remember(b)
		b.remove(td)
	}
}

// anyOrphan reports whether the parent of a span of td was dropped in an earlier batch.
func (p *Pruner) anyOrphan(td ptrace.Traces, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dropped.Empty() {
		return false
	}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if parent := span.ParentSpanID(); !parent.IsEmpty() {
					if _, ok := p.dropped.Get(attrs.SpanKey{Trace: span.TraceID(), Span: parent}, now); ok {
						return true
					}
				}
			}
		}
	}
	return false
}

// droppedParent returns the dropped span of an earlier batch with this key, if there is one.
func (p *Pruner) droppedParent(key attrs.SpanKey, now time.Time) (droppedSpan, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped.Get(key, now)
}

// remember stores the dropped spans of a batch whose children may still arrive. Database calls have none.
func (p *Pruner) remember(b *pruning) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for place, s := range b.spans {
		if !b.isDropped(place) || s.span.SpanID().IsEmpty() || attrs.Has(s.span.Attributes(), attrs.OldDBSystem) {
			continue
		}
		key := attrs.SpanKey{Trace: s.span.TraceID(), Span: s.span.SpanID()}
		p.dropped.Set(key, b.dropped[key], b.now)
	}
}
