// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"iter"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
)

// openTraces are traces of 20 recorded spans each, without their root and without events, which do not wait.
func openTraces(tb testing.TB, traces int) iter.Seq[ptrace.Traces] {
	tb.Helper()
	recorded := readTraces(tb, filepath.Join("testdata", "recorded.jsonl.gz"))
	var spans []ptrace.Span
	for _, td := range recorded {
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					spans = append(spans, s)
				}
			}
		}
	}
	return func(yield func(ptrace.Traces) bool) {
		for trace := range uint64(traces) {
			td := ptrace.NewTraces()
			rs := td.ResourceSpans().AppendEmpty()
			recorded[0].ResourceSpans().At(0).Resource().CopyTo(rs.Resource())
			ss := rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName("opentelemetry.instrumentation.sqlalchemy")
			for id := range uint64(20) {
				s := ss.Spans().AppendEmpty()
				spans[(trace*20+id)%uint64(len(spans))].CopyTo(s)
				s.SetKind(ptrace.SpanKindInternal)
				s.SetFlags(0)
				s.Events().RemoveIf(func(ptrace.SpanEvent) bool { return true })
				s.SetTraceID(traceID(trace + 1))
				s.SetSpanID(spanID(id + 2))
				s.SetParentSpanID(spanID(1))
			}
			if !yield(td) {
				return
			}
		}
	}
}

// heldMemory is what open traces take while they wait, and their size in protobuf.
func heldMemory(tb testing.TB, traces int) (h *sharedState, memory, protobuf int) {
	tb.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.RootWaitMiB = 1024
	router, err := newRouter(cfg)
	require.NoError(tb, err)
	h = &sharedState{
		cfg: cfg, router: router, counters: &counters{}, ignored: newIgnoreRules(nil), now: time.Now,
		identities: &resource.Cache{Release: cfg.Release, Environment: cfg.Environment},
		seen:       newMemory(rememberedItems, rememberedFor), pending: newPendingSpans(cfg.RootWait, cfg.RootWaitMiB<<20),
	}
	all := openTraces(tb, traces)
	before := heapInUse()
	for td := range all {
		protobuf += (&ptrace.ProtoMarshaler{}).TracesSize(td)
		newConversion(tb.Context(), h).traces(td)
	}
	return h, heapInUse() - before, protobuf
}

// heapInUse is what is in use after a collection.
func heapInUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestMemoryOfOpenTraces(t *testing.T) {
	const traces = 1000
	h, memory, protobuf := heldMemory(t, traces)
	spans, counted := h.pending.waiting()
	assert.Equal(t, 20*traces, spans)
	assert.Less(t, memory, 2*protobuf)
	assert.InEpsilon(t, memory, counted, 0.25, "`root_wait_mib` counts what is taken")
	runtime.KeepAlive(h)
}

// BenchmarkMemoryOfOpenTraces compares what 10,000 open traces of 20 recorded spans take with their size in protobuf.
func BenchmarkMemoryOfOpenTraces(b *testing.B) {
	for b.Loop() {
		h, memory, protobuf := heldMemory(b, 10_000)
		b.ReportMetric(float64(memory)/float64(protobuf), "memory/protobuf")
		b.ReportMetric(float64(protobuf)/(1<<20), "protobuf-MiB")
		runtime.KeepAlive(h)
	}
}
