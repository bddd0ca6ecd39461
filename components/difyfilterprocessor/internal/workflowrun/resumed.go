// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowrun

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// A run that waits for a person continues in another trace, without a start node. The node that waited has a span with
// the same execution ID in both traces.

// waitTime is how long a run that waits is remembered, as long as there is room: people take their time.
const waitTime = 24 * time.Hour

const humanInput = "human-input"

// pausedRun is a run that waits for a person.
type pausedRun struct {
	id  string
	ids identity.IDs
}

// waitsFor returns the execution ID of a node that waits for a person, and "" for other spans.
func (s *linkSpan) waitsFor() string {
	if !s.node || attrs.Text(s.span.Attributes(), difysemconv.AttrNodeType) != humanInput {
		return ""
	}
	return attrs.Text(s.span.Attributes(), difysemconv.AttrNodeExecutionID)
}

// linkResumed remembers the runs of the batch that wait, and links the spans of runs that continue.
func (b *batch) linkResumed() {
	var waiting []int
	for i := range b.spans {
		s := &b.spans[i]
		execution := s.waitsFor()
		if execution == "" {
			continue
		}
		waiting = append(waiting, i)
		if t, ok := b.traces.Get(s.span.TraceID(), b.now); ok && s.run >= 0 {
			b.paused.Set(execution, pausedRun{t.runs[s.run].id, t.runs[s.run].ids}, b.now)
		}
	}
	resumed := map[pcommon.TraceID]bool{}
	for _, i := range waiting {
		s := &b.spans[i]
		known, ok := b.paused.Get(s.waitsFor(), b.now)
		if root := s.span.ParentSpanID(); ok && s.run < 0 && !root.IsEmpty() {
			b.trace(s.span.TraceID()).add(run{id: known.id, root: root, path: []pcommon.SpanID{root}, ids: known.ids})
			resumed[s.span.TraceID()] = true
		}
	}
	if len(resumed) == 0 {
		return
	}
	for i := range b.spans {
		if s := &b.spans[i]; s.run < 0 && resumed[s.span.TraceID()] {
			s.run = unresolved
			b.setRun(i)
		}
	}
}
