// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowrun

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
)

// run is one workflow run within a trace. Its spans are the root and its descendants. The start node carries the ID of
// the run; the parent of the start node is the span of the run itself.
type run struct {
	id   string // dify.workflow_run_id
	root pcommon.SpanID
	ids  identity.IDs
	path []pcommon.SpanID // from the root up, as far as it is known; the last span may not have arrived yet

	complete bool // the path has reached a root of the trace
}

// traceRuns is what is remembered of a trace with runs. The lock of the linker guards it.
//
// Runs are only added, up to maxRunsPerTrace, and the root and the ID of a run never change, so that an index in runs
// stays valid. A span is in members only if it has the ID of that run. Once nested is true, it stays true.
type traceRuns struct {
	runs    []run
	members map[pcommon.SpanID]int // span -> index in runs, for spans of a run that may have children
	nested  bool                   // a run is within another run, which may not be known yet
}

// single reports whether all runs of the trace have one ID, and none is nested.
func (t *traceRuns) single() bool {
	for i := range t.runs {
		if t.runs[i].id != t.runs[0].id {
			return false
		}
	}
	return len(t.runs) > 0 && !t.nested
}

func (t *traceRuns) byRoot(root pcommon.SpanID) int {
	for i := range t.runs {
		if t.runs[i].root == root {
			return i
		}
	}
	return -1
}

func (t *traceRuns) add(found run) {
	if i := t.byRoot(found.root); i >= 0 {
		t.runs[i].ids.Merge(found.ids)
		return
	}
	if len(t.runs) < maxRunsPerTrace {
		t.runs = append(t.runs, found)
	}
}
