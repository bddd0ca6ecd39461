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
)

// known remembers what spans said about traces and runs, for events that do not come from spans, and the texts of the
// failures that were reported, for recordings without a common trace or run. It is in memory only.
type known struct {
	mu           sync.Mutex                                // guards what follows
	facts        *expiring.Map[string, *convert.Facts]     // by trace ID or run ID
	texts        *expiring.Map[item.ID, *reportedFailures] // by item.Relations.Text
	installation *resource.Identity                        // the last one with a release
}

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
