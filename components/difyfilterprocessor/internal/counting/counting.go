// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package counting marks, among the spans with which several emitters report one run, those that count it: exactly one
// span of each run and each message, and for each use of a model the span that has its tokens and price.
package counting

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
)

// Values of difysemconv.AttrCounts.
const (
	CountsRun     = "run"
	CountsMessage = "message"
	CountsUsage   = "usage"
)

// owner is the span that reported something first.
type owner struct {
	trace pcommon.TraceID
	span  pcommon.SpanID
}

// Once marks the spans that count. The first span that reports a run, a message or a node is the one that counts it: an
// emitter that is sampled, or that loses spans, leaves no gap that another one fills. Later ones, of another emitter or
// of a second attempt of the same, get difysemconv.AttrDuplicateOf with the first one's trace. The same span that comes
// again is no duplicate. Of one request, the spans must be marked in the order of emitter.Shape. Once is safe for
// concurrent use.
//
// What is remembered is in memory: after a restart, an emitter that reports a run again counts it again.
type Once struct {
	mu     sync.Mutex
	owners *expiring.Map[string, owner] // guarded by mu
}

// NewOnce returns a Once that remembers at most limit runs, messages and nodes, each for at least ttl if there is room.
func NewOnce(limit int, ttl time.Duration) *Once {
	return &Once{owners: expiring.NewMap[string, owner](limit, ttl)}
}

// Mark marks the spans of a scope.
func (o *Once) Mark(shape emitter.Shape, spans ptrace.SpanSlice, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, span := range spans.All() {
		o.mark(shape, span, now)
	}
}

func (o *Once) mark(shape emitter.Shape, span ptrace.Span, now time.Time) {
	if attrs.Has(span.Attributes(), difysemconv.AttrDuplicateOf) {
		return // another processor has marked it
	}
	kind, key := stepOf(shape, span)
	if key != "" {
		if first, own := o.claim(kind+":"+key, span, now); !own {
			attrs.PutAbsent(span.Attributes(), difysemconv.AttrDuplicateOf, first.trace.String())
		} else if kind == CountsRun || kind == CountsMessage {
			attrs.PutAbsent(span.Attributes(), difysemconv.AttrCounts, kind)
		}
	}
	if key := usageOf(shape, span); key != "" {
		first, own := o.claim(CountsUsage+":"+key, span, now)
		if own || manyPerStep(shape) && first.trace == span.TraceID() {
			attrs.PutAbsent(span.Attributes(), difysemconv.AttrCounts, CountsUsage)
		}
	}
}

// claim returns the first span that reported something, and whether it is this one.
func (o *Once) claim(key string, span ptrace.Span, now time.Time) (first owner, own bool) {
	self := owner{span.TraceID(), span.SpanID()}
	first, known := o.owners.Get(key, now)
	if !known {
		o.owners.Set(key, self, now)
		return self, true
	}
	return first, first == self
}

// manyPerStep reports whether a trace has several spans with the usage of one node: the calls of an Agent, and the
// attempts of a node.
func manyPerStep(shape emitter.Shape) bool {
	return shape == emitter.Trajectory || shape == emitter.ProviderOps
}
