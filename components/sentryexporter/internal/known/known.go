// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package known remembers for some minutes what telemetry said: spans about traces, workflow runs and requests, log
// lines about traces, and which failures were reported. Errors that lack something get it from here. It is in memory
// only.
package known

import (
	"cmp"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/convert"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

const (
	// maxKnown and ttl bound what is remembered of traces, runs and texts.
	maxKnown = 10_000
	ttl      = 5 * time.Minute

	// maxTraces and maxLines bound the breadcrumbs of log lines.
	maxTraces = 2000
	maxLines  = 15
)

// Known is safe for concurrent use.
type Known struct {
	mu           sync.Mutex                                   // guards what follows
	facts        *expiring.Map[string, *convert.Facts]        // by trace ID or run ID
	lines        *expiring.Map[string, []protocol.Breadcrumb] // by trace ID
	requests     *expiring.Map[request, string]               // trace IDs
	texts        *expiring.Map[item.ID, *reportedFailures]    // by item.Relations.Text
	installation *resource.Identity                           // the last one with a release
}

// New returns a Known that remembers nothing.
func New() *Known {
	return &Known{
		facts:    expiring.NewMap[string, *convert.Facts](maxKnown, ttl),
		lines:    expiring.NewMap[string, []protocol.Breadcrumb](maxTraces, ttl),
		requests: expiring.NewMap[request, string](maxKnown, ttl),
		texts:    expiring.NewMap[item.ID, *reportedFailures](maxKnown, ttl),
	}
}

// Spans remembers what the spans of a push say.
func (k *Known) Spans(t *tracetree.Tree, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range t.Nodes {
		if n.Repeated || n.WasPending {
			continue
		}
		if n.Identity.Release != "" {
			k.installation = n.Identity
		}
		if isEntry(n) {
			k.add(n.TraceHex(), n, now)
			k.addRequest(n, now)
		}
		if run := attr.Text(n.Span.Attributes(), difysemconv.AttrWorkflowRunID); run != "" {
			k.add(run, n, now)
		}
	}
}

// isEntry reports whether a span is the root of a request, task or run, as opposed to a call in a trace of its own.
func isEntry(n *tracetree.Node) bool {
	return n == n.Segment.Root && n.Segment.Complete && n.Span.Kind() != ptrace.SpanKindClient
}

func (k *Known) add(key string, n *tracetree.Node, now time.Time) {
	if f, ok := k.facts.Get(key, now); ok {
		f.Add(n)
		return
	}
	k.facts.Set(key, convert.FactsOf(n), now)
}

// Lines remembers the log lines of traces, the last maxLines of each.
func (k *Known) Lines(lines []convert.Line, now time.Time) {
	if len(lines) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range lines {
		all, _ := k.lines.Get(l.Trace, now)
		if len(all) >= maxLines {
			all = append(all[:0:0], all[1:]...)
		}
		k.lines.Set(l.Trace, append(all, l.Breadcrumb), now)
	}
}

// Complete sets what an event lacks, as far as spans and lines of its trace or run said it.
func (k *Known) Complete(ev *protocol.Event, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.complete(ev, "", now)
}

func (k *Known) complete(ev *protocol.Event, ofRequest string, now time.Time) {
	trace, _ := convert.TraceIDs(ev)
	trace = cmp.Or(trace, ofRequest)
	run := ev.Tags[difysemconv.AttrWorkflowRunID]
	ofTrace, _ := k.facts.Get(trace, now)
	if ofTrace != nil && run == "" {
		run = ofTrace.Tags[difysemconv.AttrWorkflowRunID]
	}
	ofRun, _ := k.facts.Get(run, now)
	convert.Complete(ev, k.installation, ofRun, ofTrace)
	trace, _ = convert.TraceIDs(ev)
	if lines, ok := k.lines.Get(trace, now); ok {
		convert.AddBreadcrumbs(ev, lines)
	}
}

// Enrich completes the event of a log line or a run; other is an event of the same failure, or nil.
func (k *Known) Enrich(c *convert.Converter, it, other *item.Item, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	trace := k.traceOfMessage(it, now)
	c.Enrich(it, other, func(ev *protocol.Event) { k.complete(ev, trace, now) })
}
