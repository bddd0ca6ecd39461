// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"container/heap"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
)

// pendingSpans holds spans whose root has not come, for a time and up to a number of bytes. It holds them encoded, which
// is a fraction of what they take otherwise. What leaves it is the caller's to send.
type pendingSpans struct {
	wait  time.Duration
	limit int // bytes

	mu sync.Mutex
	// What follows is guarded by mu.
	parts map[partKey]*pendingPart
	byDue dueHeap
	size  int // bytes
	spans int
}

// pendingPart is what waits of one process in one trace.
type pendingPart struct {
	key      partKey
	due      time.Time
	identity *resource.Identity
	pushes   []encodedSpans
	size     int
	at       int // in the heap
}

// encodedSpans are spans of one push, encoded.
type encodedSpans struct {
	encoded []byte
	count   int
}

// partOverhead is what a part takes beside its spans.
const partOverhead = 400

func newPendingSpans(wait time.Duration, limit int) *pendingSpans {
	return &pendingSpans{wait: wait, limit: limit, parts: map[partKey]*pendingPart{}}
}

// hold lets spans of one part wait until due, and returns what has to leave for it: the longest waiting first.
func (w *pendingSpans) add(nodes []*node, due time.Time) (evicted []*pendingPart) {
	spans := encodeSpans(nodes)
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.part(nodes[0], due)
	p.pushes = append(p.pushes, spans)
	p.size += len(spans.encoded)
	w.size += len(spans.encoded)
	w.spans += spans.count
	if due.Before(p.due) {
		p.due = due
		heap.Fix(&w.byDue, p.at)
	}
	for w.size > w.limit && len(w.byDue) > 0 {
		evicted = append(evicted, w.remove(w.byDue[0]))
	}
	return evicted
}

// part of a span; the caller holds mu.
func (w *pendingSpans) part(n *node, due time.Time) *pendingPart {
	if p := w.parts[n.part]; p != nil {
		return p
	}
	p := &pendingPart{key: n.part, due: due, identity: n.identity, size: partOverhead}
	w.parts[p.key] = p
	w.size += p.size
	heap.Push(&w.byDue, p)
	return p
}

// remove takes a part out; the caller holds mu.
func (w *pendingSpans) remove(p *pendingPart) *pendingPart {
	heap.Remove(&w.byDue, p.at)
	delete(w.parts, p.key)
	w.size -= p.size
	w.spans -= p.count()
	return p
}

// take removes a part; nil if nothing of it waits.
func (w *pendingSpans) take(key partKey) *pendingPart {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.parts[key]; p != nil {
		return w.remove(p)
	}
	return nil
}

// due removes what has waited long enough, at most so many parts.
func (w *pendingSpans) due(now time.Time, most int) []*pendingPart {
	return w.removeWhile(most, func(first *pendingPart) bool { return !first.due.After(now) })
}

// first removes the longest waiting.
func (w *pendingSpans) first(most int) []*pendingPart {
	return w.removeWhile(most, func(*pendingPart) bool { return true })
}

func (w *pendingSpans) removeWhile(most int, is func(first *pendingPart) bool) []*pendingPart {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*pendingPart
	for len(out) < most && len(w.byDue) > 0 && is(w.byDue[0]) {
		out = append(out, w.remove(w.byDue[0]))
	}
	return out
}

// next is for how long nothing is due.
func (w *pendingSpans) next(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.byDue) == 0 {
		return w.wait // what comes from now on is due later
	}
	return max(w.byDue[0].due.Sub(now), 0)
}

// waiting is the number of spans and the bytes that they take.
func (w *pendingSpans) waiting() (spans, bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spans, w.size
}

func (p *pendingPart) count() int {
	n := 0
	for _, spans := range p.pushes {
		n += spans.count
	}
	return n
}

func spansOf(parts []*pendingPart) int {
	n := 0
	for _, p := range parts {
		n += p.count()
	}
	return n
}

// addTo puts the spans back into a tree. It returns how many could not be read.
func (p *pendingPart) addTo(t *tree) (lost int) {
	for _, spans := range p.pushes {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(spans.encoded)
		if err != nil {
			lost += spans.count
			continue
		}
		lost += spans.count - td.SpanCount()
		for _, rs := range td.ResourceSpans().All() {
			t.add(rs, p.identity, true)
		}
	}
	return lost
}

// encodeSpans keeps of spans what a transaction needs, without their resource.
func encodeSpans(nodes []*node) encodedSpans {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	scopes := map[string]ptrace.SpanSlice{}
	for _, n := range nodes {
		spans, ok := scopes[n.scope]
		if !ok {
			ss := rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName(n.scope)
			spans = ss.Spans()
			scopes[n.scope] = spans
		}
		n.copyTo(spans.AppendEmpty())
	}
	encoded, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil { // addTo tells the difference
		encoded = nil
	}
	return encodedSpans{encoded: encoded, count: len(nodes)}
}

// copyTo leaves out the events, whose exceptions were told when the span came.
func (n *node) copyTo(to ptrace.Span) {
	to.SetTraceID(n.part.trace) // both ids may have been supplied
	to.SetSpanID(n.id)
	to.SetParentSpanID(n.parentID)
	to.SetFlags(n.span.Flags())
	to.SetName(n.span.Name())
	to.SetKind(n.span.Kind())
	to.SetStartTimestamp(n.span.StartTimestamp())
	to.SetEndTimestamp(n.span.EndTimestamp())
	n.span.Status().CopyTo(to.Status())
	n.span.Attributes().CopyTo(to.Attributes())
	n.span.Links().CopyTo(to.Links())
}

// dueHeap has the part that is due first on top.
type dueHeap []*pendingPart

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].at, h[j].at = i, j }

func (h *dueHeap) Push(p any) {
	part := p.(*pendingPart)
	part.at = len(*h)
	*h = append(*h, part)
}

func (h *dueHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return p
}
