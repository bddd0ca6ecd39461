// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"encoding/json"
	"sync"
	"time"

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
	// maxKnown and knownTTL bound what is remembered of traces and runs.
	maxKnown = 10_000
	knownTTL = 5 * time.Minute
	// sameFailure is how far apart the times are that an exception, its log line and its run record for one failure.
	sameFailure = 10 * time.Second
)

// known remembers what spans said about traces and runs, for events that do not come from spans, and the texts of the
// failures that were reported, for recordings without a common trace or run. It is in memory only.
type known struct {
	mu           sync.Mutex                                // guards what follows
	facts        *expiring.Map[string, *convert.Facts]     // by trace ID or run ID
	texts        *expiring.Map[item.ID, *reportedFailures] // by item.Relations.Text
	installation *resource.Identity                        // the last one with a release
}

// reportedFailures are the times of reported failures with one text, which no log line or run has matched yet.
type reportedFailures struct{ lines, runs []time.Time }

// maxReported bounds the unmatched failures of one text.
const maxReported = 1000

func newKnown() *known {
	return &known{
		facts: expiring.NewMap[string, *convert.Facts](maxKnown, knownTTL),
		texts: expiring.NewMap[item.ID, *reportedFailures](maxKnown, knownTTL),
	}
}

// spans remembers what the spans of a push say.
func (k *known) spans(t *tracetree.Tree, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range t.Nodes {
		if n.Identity.Release != "" {
			k.installation = n.Identity
		}
		if n == n.Segment.Root && n.Segment.Complete {
			k.add(n.TraceHex(), n, now)
		}
		if run := attr.Text(n.Span.Attributes(), difysemconv.AttrWorkflowRunID); run != "" {
			k.add(run, n, now)
		}
	}
}

func (k *known) add(key string, n *tracetree.Node, now time.Time) {
	if f, ok := k.facts.Get(key, now); ok {
		f.Add(n)
		return
	}
	k.facts.Set(key, convert.FactsOf(n), now)
}

// reported remembers the text of failures that were reported.
func (k *known) reported(now time.Time, items ...*item.Item) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, it := range items {
		if it.Relations.Text == (item.ID{}) {
			continue
		}
		r, ok := k.texts.Get(it.Relations.Text, now)
		if !ok {
			r = &reportedFailures{}
			k.texts.Set(it.Relations.Text, r, now)
		}
		if it.Waits == "" && len(r.lines) < maxReported {
			r.lines = append(r.lines, it.Time)
		}
		if len(it.Supersedes) == 0 && len(r.runs) < maxReported {
			r.runs = append(r.runs, it.Time)
		}
	}
}

// matchesLine reports whether the failure of a log line without a trace was reported. Each is matched by one line.
func (k *known) matchesLine(it *item.Item, now time.Time) bool {
	return k.matches(it, now, func(r *reportedFailures) *[]time.Time { return &r.lines })
}

// matchesRun reports whether the failure of a run was reported by an exception without a run ID. Each is matched by one
// run.
func (k *known) matchesRun(it *item.Item, now time.Time) bool {
	return k.matches(it, now, func(r *reportedFailures) *[]time.Time { return &r.runs })
}

func (k *known) matches(it *item.Item, now time.Time, of func(*reportedFailures) *[]time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, ok := k.texts.Get(it.Relations.Text, now)
	if !ok || it.Relations.Text == (item.ID{}) {
		return false
	}
	times := of(r)
	for i, at := range *times {
		if at.Sub(it.Time).Abs() <= sameFailure {
			*times = append((*times)[:i], (*times)[i+1:]...)
			return true
		}
	}
	return false
}

// enrich adds what is known to an event of a log line or a run; other is an event of the same failure, or nil.
func (k *known) enrich(it, other *item.Item, now time.Time) {
	var ids struct {
		Tags     map[string]string `json:"tags"`
		Contexts struct {
			Trace protocol.TraceContext `json:"trace"`
		} `json:"contexts"`
	}
	_ = json.Unmarshal(it.Payload, &ids)
	k.mu.Lock()
	defer k.mu.Unlock()
	run := ids.Tags[difysemconv.AttrWorkflowRunID]
	ofTrace, _ := k.facts.Get(ids.Contexts.Trace.TraceID, now)
	if ofTrace != nil && run == "" {
		run = ofTrace.Tags[difysemconv.AttrWorkflowRunID]
	}
	ofRun, _ := k.facts.Get(run, now)
	convert.Enrich(it, other, k.installation, ofRun, ofTrace)
}
