// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"maps"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
)

// The following functions build small batches in the form of Dify's.

type kv = map[string]any

// difyProcess returns the resource of a current Dify process.
func difyProcess(pid int, more ...kv) kv {
	res := kv{
		"service.name": "langgenius/dify", "service.version": "dify-1.16.1-0123abc", "host.name": "vm", "process.pid": pid,
		"deployment.environment.name": "PRODUCTION-COMMUNITY", "custom.deployment.git_commit": "0123abc",
	}
	for _, m := range more {
		maps.Copy(res, m)
	}
	return res
}

type spanSpec struct {
	id, parent byte
	trace      byte // 0 means 1
	scope      string
	name       string
	kind       ptrace.SpanKind
	kv         kv
	err        string // status ERROR with this message
	ok         bool   // status OK
	events     []eventSpec
}

type eventSpec struct {
	name string
	kv   kv
}

func exception(kind, message string) eventSpec {
	return eventSpec{"exception", kv{"exception.type": kind, "exception.message": message}}
}

const (
	scopeNodes   = "core.app.workflow.layers.observability"
	scopeRunners = "extensions.otel.decorators.base"
)

func batchOf(res kv, specs ...spanSpec) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	_ = rs.Resource().Attributes().FromRaw(res)
	scopes := map[string]ptrace.ScopeSpans{}
	for _, spec := range specs {
		ss, ok := scopes[spec.scope]
		if !ok {
			ss = rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName(spec.scope)
			scopes[spec.scope] = ss
		}
		fill(ss.Spans().AppendEmpty(), spec)
	}
	return td
}

func fill(span ptrace.Span, spec spanSpec) {
	span.SetTraceID(pcommon.TraceID{max(spec.trace, 1)})
	span.SetSpanID(spanID(spec.id))
	span.SetParentSpanID(spanID(spec.parent))
	span.SetName(spec.name)
	span.SetKind(spec.kind)
	span.SetStartTimestamp(pcommon.Timestamp(harnessStart * time.Second))
	_ = span.Attributes().FromRaw(spec.kv)
	if spec.err != "" {
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage(spec.err)
	}
	if spec.ok {
		span.Status().SetCode(ptrace.StatusCodeOk)
	}
	for _, e := range spec.events {
		fillEvent(span.Events().AppendEmpty(), e)
	}
}

func fillEvent(event ptrace.SpanEvent, spec eventSpec) {
	event.SetName(spec.name)
	_ = event.Attributes().FromRaw(spec.kv)
}

func spanID(id byte) pcommon.SpanID {
	if id == 0 {
		return pcommon.SpanID{}
	}
	return pcommon.SpanID{0, 0, 0, 0, 0, 0, 0, id}
}

// tree returns the spans of a batch: span ID -> parent ID.
func tree(td ptrace.Traces) map[byte]byte {
	left := map[byte]byte{}
	for _, s := range spansOf(td) {
		left[s.SpanID()[7]] = s.ParentSpanID()[7]
	}
	return left
}

func byID(td ptrace.Traces, id byte) placed {
	for _, s := range spansOf(td) {
		if s.SpanID() == spanID(id) {
			return s
		}
	}
	panic("no such span")
}

// durations returns an http.server.duration as Dify's Flask sends it. A series is given by its labels; its count is
// its position, from 1.
func durations(res kv, series ...kv) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	_ = rm.Resource().Attributes().FromRaw(res)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(emitter.ScopeFlask)
	m := sm.Metrics().AppendEmpty()
	m.SetName("http.server.duration")
	m.SetUnit("ms")
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i, labels := range series {
		n := uint64(i + 1)
		p := m.Histogram().DataPoints().AppendEmpty()
		_ = p.Attributes().FromRaw(labels)
		p.SetCount(n)
		p.SetSum(float64(10 * n))
		p.SetMin(float64(n))
		p.SetMax(float64(10 + n))
		p.ExplicitBounds().FromRaw([]float64{5})
		p.BucketCounts().FromRaw([]uint64{1, n - 1})
		p.SetStartTimestamp(pcommon.Timestamp(1000 + n))
		p.SetTimestamp(pcommon.Timestamp(2000))
	}
	return md
}

// cumulativeSum makes a metric a cumulative sum and returns its points.
func cumulativeSum(m pmetric.Metric) pmetric.NumberDataPointSlice {
	m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return m.Sum().DataPoints()
}
