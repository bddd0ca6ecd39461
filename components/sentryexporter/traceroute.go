// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
)

// traceRoutes remembers which route the spans of a trace named: what comes of it later, or from another process, may not
// name it. Dify puts the tenant on some spans only.
type traceRoutes struct {
	mu sync.Mutex
	// Two generations, guarded by mu: when the younger is full, the older is forgotten.
	young, old map[pcommon.TraceID]item.Route
}

// routedTraces are the traces of one generation.
const routedTraces = 50_000

func (t *traceRoutes) note(trace pcommon.TraceID, key item.Route) {
	if trace.IsEmpty() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.young == nil || len(t.young) >= routedTraces {
		t.old, t.young = t.young, map[pcommon.TraceID]item.Route{}
	}
	t.young[trace] = key
}

func (t *traceRoutes) noted(trace pcommon.TraceID) item.Route {
	t.mu.Lock()
	defer t.mu.Unlock()
	if key, ok := t.young[trace]; ok {
		return key
	}
	return t.old[trace]
}

// findInTrace returns the route of what belongs to a trace: what the resource says outweighs what spans or a record say,
// and that what the trace said before.
func (r *router) findInTrace(trace pcommon.TraceID, resource pcommon.Map, attrs ...pcommon.Map) item.Route {
	if len(r.attributes) == 0 {
		return item.Route{}
	}
	if key := r.find(resource); key != (item.Route{}) {
		return key
	}
	if key := r.find(attrs...); key != (item.Route{}) {
		r.traces.note(trace, key)
		return key
	}
	return r.traces.noted(trace)
}
