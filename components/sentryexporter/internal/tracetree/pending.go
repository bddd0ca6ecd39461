// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package tracetree

import (
	"container/heap"
	"slices"
	"sync"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
)

// partOverhead is the memory that a part uses in addition to its spans.
const partOverhead = 400

// Pending contains spans whose root has not come, for a limited time and up to a number of bytes. It encodes them,
// which takes a fraction of the memory. It is safe for concurrent use.
//
// Invariants:
//
//   - A span is either in Pending or with the caller, never both: Take, Due and First remove what they return, and
//     Add removes what it returns as evicted. What was removed is the caller's to send or to count.
//   - Each part is in byPart and in byDue, exactly once; size and spans are the sums over all parts.
//   - size does not exceed limit after Add returned, and a part is due no later than its first span was.
//   - Exceptions are not in here: they are reported when their span comes.
//
// It is in memory only. A crash loses the spans in it, which is at most what came within the wait; their exceptions and
// roots are not affected. An orderly shutdown moves everything to the queue.
type Pending struct {
	wait  time.Duration
	limit int // bytes

	mu sync.Mutex
	// The following fields are guarded by mu.
	byPart map[PartKey]*Part
	byDue  dueHeap
	size   int // bytes
	spans  int
}

// Part is what is pending of one process in one trace.
type Part struct {
	Due time.Time

	key      PartKey
	identity *resource.Identity
	pushes   []encodedSpans
	size     int
	index    int // in the heap
}

// NewPending returns an empty Pending of at most limit bytes. wait is how long spans are usually pending.
func NewPending(wait time.Duration, limit int) *Pending {
	return &Pending{wait: wait, limit: limit, byPart: map[PartKey]*Part{}}
}

// Add adds spans of one part until due. It returns the parts that have to leave for it, those that are due first.
func (p *Pending) Add(nodes []*Node, due time.Time) (evicted []*Part) {
	spans := encodeSpans(nodes)
	p.mu.Lock()
	defer p.mu.Unlock()
	part := p.part(nodes[0], due)
	part.pushes = append(part.pushes, spans)
	part.size += len(spans.encoded)
	p.size += len(spans.encoded)
	p.spans += spans.count
	if due.Before(part.Due) {
		part.Due = due
		heap.Fix(&p.byDue, part.index)
	}
	for p.size > p.limit && len(p.byDue) > 0 {
		evicted = append(evicted, p.remove(p.byDue[0]))
	}
	return evicted
}

// part returns the part of a span. The caller holds mu.
func (p *Pending) part(n *Node, due time.Time) *Part {
	if part := p.byPart[n.Part]; part != nil {
		return part
	}
	part := &Part{key: n.Part, Due: due, identity: n.Identity, size: partOverhead}
	p.byPart[part.key] = part
	p.size += part.size
	heap.Push(&p.byDue, part)
	return part
}

// remove removes a part. The caller holds mu.
func (p *Pending) remove(part *Part) *Part {
	heap.Remove(&p.byDue, part.index)
	delete(p.byPart, part.key)
	p.size -= part.size
	p.spans -= part.Spans()
	return part
}

// Take removes and returns a part; nil if nothing of it is pending.
func (p *Pending) Take(key PartKey) *Part {
	p.mu.Lock()
	defer p.mu.Unlock()
	if part := p.byPart[key]; part != nil {
		return p.remove(part)
	}
	return nil
}

// Peek returns the spans of a part, which stay pending.
func (p *Pending) Peek(key PartKey) []*Node {
	p.mu.Lock()
	part := p.byPart[key]
	if part == nil {
		p.mu.Unlock()
		return nil
	}
	known := Part{identity: part.identity, pushes: slices.Clone(part.pushes)}
	p.mu.Unlock()
	t := New(known.Spans(), time.Time{})
	known.AddTo(t)
	return t.Nodes
}

// Due removes and returns the parts that are due, at most a number of them.
func (p *Pending) Due(now time.Time, most int) []*Part {
	return p.removeWhile(most, func(first *Part) bool { return !first.Due.After(now) })
}

// First removes and returns the parts that are due first, at most a number of them.
func (p *Pending) First(most int) []*Part {
	return p.removeWhile(most, func(*Part) bool { return true })
}

func (p *Pending) removeWhile(most int, is func(first *Part) bool) []*Part {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*Part
	for len(out) < most && len(p.byDue) > 0 && is(p.byDue[0]) {
		out = append(out, p.remove(p.byDue[0]))
	}
	return out
}

// UntilDue returns the time until the next part is due.
func (p *Pending) UntilDue(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.byDue) == 0 {
		return p.wait // what comes from now on is due later
	}
	return max(p.byDue[0].Due.Sub(now), 0)
}

// Size returns the number of pending spans, and the bytes that they take.
func (p *Pending) Size() (spans, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spans, p.size
}

// Spans returns the number of spans of a part.
func (p *Part) Spans() int {
	n := 0
	for _, spans := range p.pushes {
		n += spans.count
	}
	return n
}

// dueHeap has the part that is due first on top.
type dueHeap []*Part

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].Due.Before(h[j].Due) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].index, h[j].index = i, j }

func (h *dueHeap) Push(p any) {
	part := p.(*Part)
	part.index = len(*h)
	*h = append(*h, part)
}

func (h *dueHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return p
}
