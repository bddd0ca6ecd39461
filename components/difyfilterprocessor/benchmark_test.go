// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
)

// settled returns a batch that needs no change: spans of the instrumentations of a real Dify, already processed once
// and grouped by process and scope, as an SDK exports them. others is the same batch with the resource of another SDK.
func settled(tb testing.TB, spans int) (own, others ptrace.Traces) {
	tb.Helper()
	own = ptrace.NewTraces()
	scopes := map[[2]string]ptrace.SpanSlice{}
	processes := map[string]ptrace.ResourceSpans{}
	b := newHarness(tb)
	for _, td := range recordedTraces(tb) {
		for _, s := range spansOf(b.traces(tb, td)) {
			if !strings.HasPrefix(s.scope, emitter.ScopeInstrumentation) || own.SpanCount() == spans {
				continue
			}
			instance := attrs.Text(s.res, attrs.ServiceInstanceID)
			rs, ok := processes[instance]
			if !ok {
				rs = own.ResourceSpans().AppendEmpty()
				s.res.CopyTo(rs.Resource().Attributes())
				processes[instance] = rs
			}
			to, ok := scopes[[2]string{instance, s.scope}]
			if !ok {
				ss := rs.ScopeSpans().AppendEmpty()
				ss.Scope().SetName(s.scope)
				to = ss.Spans()
				scopes[[2]string{instance, s.scope}] = to
			}
			s.CopyTo(to.AppendEmpty())
		}
	}
	require.Equal(tb, spans, own.SpanCount())
	others = copyTraces(own)
	for _, rs := range others.ResourceSpans().All() {
		rs.Resource().Attributes().PutStr(attrs.TelemetrySDKName, "opentelemetry")
	}
	return own, others
}

// sink prevents the compiler from removing the walks.
var sink int

// walk is the minimum work of a processor that reads everything.
func walk(td ptrace.Traces) {
	eachAttribute(td, func(key string, v pcommon.Value) {
		if v.Type() == pcommon.ValueTypeStr {
			sink += len(v.Str())
		}
		sink += len(key)
	})
}

// search is the minimum work of a processor that searches everything.
func search(td ptrace.Traces) {
	eachAttribute(td, func(_ string, v pcommon.Value) {
		if v.Type() == pcommon.ValueTypeStr && strings.Contains(v.Str(), "password") {
			sink++
		}
	})
}

func eachAttribute(td ptrace.Traces, do func(string, pcommon.Value)) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				for key, v := range span.Attributes().All() {
					do(key, v)
				}
				for _, event := range span.Events().All() {
					for key, v := range event.Attributes().All() {
						do(key, v)
					}
				}
			}
		}
	}
}

// BenchmarkNothingApplies measures the cost of a batch that needs no change, as a ratio to a plain walk over all
// attributes and, with redaction, to one strings.Contains over every string value. Both are measured alternately in
// the same run.
func BenchmarkNothingApplies(b *testing.B) {
	const spans = 2048
	for _, redaction := range []struct {
		name string
		on   bool
		peer func(ptrace.Traces)
	}{{"vs_walk", false, walk}, {"redaction_vs_contains", true, search}} {
		own, others := settled(b, spans)
		for _, batch := range []struct {
			name string
			td   ptrace.Traces
		}{{"dify", own}, {"others", others}} {
			b.Run(redaction.name+"/"+batch.name, func(b *testing.B) {
				p := newHarness(b, func(c *Config) { c.Redaction.Enabled = redaction.on })
				ours, peers := time.Hour, time.Hour // the minimum of all rounds, which excludes other load on the machine
				for b.Loop() {
					start := time.Now()
					redaction.peer(batch.td)
					between := time.Now()
					_, err := p.processTraces(b.Context(), batch.td)
					ours = min(ours, time.Since(between))
					peers = min(peers, between.Sub(start))
					require.NoError(b, err)
				}
				b.ReportMetric(float64(ours)/float64(peers), "ratio")
				b.ReportMetric(float64(ours.Nanoseconds())/spans, "ns/span")
			})
		}
	}
}

// If no change is needed, allocations do not grow with the number of spans.
func TestNoAllocationPerSpan(t *testing.T) {
	for _, on := range []bool{false, true} {
		p := newHarness(t, func(c *Config) { c.Redaction.Enabled = on })
		allocations := func(spans int) [2]float64 {
			own, others := settled(t, spans)
			var of [2]float64
			for i, td := range []ptrace.Traces{own, others} {
				of[i] = math.MaxFloat64
				for range 10 { // the least counts: under the race detector, a sync.Pool loses items at random
					of[i] = min(of[i], testing.AllocsPerRun(1, func() { _, _ = p.processTraces(t.Context(), td) }))
				}
			}
			return of
		}
		for i, n := range allocations(2048) {
			assert.Less(t, n, 64.0, "for 2048 spans; redaction %t, batch %d", on, i)
		}
	}
}

// BenchmarkRecordedTraces measures the cost of recordings of a real Dify, to which every pass applies.
func BenchmarkRecordedTraces(b *testing.B) {
	batches := recordedTraces(b)
	f := newHarness(b)
	spans := 0
	b.ReportAllocs()
	for b.Loop() {
		for _, td := range batches {
			b.StopTimer()
			in := copyTraces(td)
			spans += in.SpanCount()
			b.StartTimer()
			f.traces(b, in)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(spans), "ns/span")
}

// BenchmarkLimits measures the share of the limits in the cost of the recordings of a real Dify. Each batch is
// processed alternately with and without them, and the sum of the fastest rounds excludes other load on the machine.
func BenchmarkLimits(b *testing.B) {
	batches := recordedTraces(b)
	filters := [2]*harness{newHarness(b, func(c *Config) { c.Limits.Enabled = false }), newHarness(b)}
	best := make([][2]time.Duration, len(batches))
	for b.Loop() {
		for n, td := range batches {
			for i, f := range filters {
				in := copyTraces(td)
				start := time.Now()
				f.traces(b, in)
				if took := time.Since(start); best[n][i] == 0 || took < best[n][i] {
					best[n][i] = took
				}
			}
		}
	}
	var total [2]time.Duration
	for _, of := range best {
		total[0], total[1] = total[0]+of[0], total[1]+of[1]
	}
	b.ReportMetric(100*(float64(total[1])/float64(total[0])-1), "%limits")
}
