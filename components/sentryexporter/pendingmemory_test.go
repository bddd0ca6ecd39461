// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"iter"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/metadata"
)

// openTraces yields traces of 20 recorded spans each, without their root and without events, which are not kept.
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

// pendingMemory returns the memory that open traces take while they are pending, and their size in protobuf.
func pendingMemory(tb testing.TB, traces int) (s *sharedState, memory, protobuf int) {
	tb.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.RootWaitMiB = 1024
	set := testSettings()
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	require.NoError(tb, err)
	s, err = newSharedState(tb.Context(), set, cfg, telemetry)
	require.NoError(tb, err)
	all := openTraces(tb, traces)
	before := heapInUse()
	for td := range all {
		protobuf += (&ptrace.ProtoMarshaler{}).TracesSize(td)
		s.convertTraces(td)
	}
	return s, heapInUse() - before, protobuf
}

// heapInUse returns the memory in use after a collection.
func heapInUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestMemoryOfOpenTraces(t *testing.T) {
	const traces = 1000
	s, memory, protobuf := pendingMemory(t, traces)
	spans, counted := s.pending.Size()
	assert.Equal(t, 20*traces, spans)
	assert.Less(t, memory, 2*protobuf)
	assert.InEpsilon(t, memory, counted, 0.25, "`root_wait_mib` counts the memory that is used")
	runtime.KeepAlive(s)
}

// BenchmarkMemoryOfOpenTraces compares the memory of 10,000 open traces of 20 recorded spans with their size in
// protobuf.
func BenchmarkMemoryOfOpenTraces(b *testing.B) {
	for b.Loop() {
		s, memory, protobuf := pendingMemory(b, 10_000)
		b.ReportMetric(float64(memory)/float64(protobuf), "memory/protobuf")
		b.ReportMetric(float64(protobuf)/(1<<20), "protobuf-MiB")
		runtime.KeepAlive(s)
	}
}
