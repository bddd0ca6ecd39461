// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/redaction"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// The recordings are from a real Dify: three API processes, later one, and a worker.

func TestRecordedTracesLoseOnlyNoise(t *testing.T) {
	b := newHarness(t)
	in, out := 0, 0
	parents := map[attrs.SpanKey]pcommon.SpanID{}
	left := map[attrs.SpanKey]pcommon.SpanID{}
	for _, td := range recordedTraces(t) {
		in += td.SpanCount()
		for _, s := range spansOf(td) {
			parents[attrs.SpanKey{Trace: s.TraceID(), Span: s.SpanID()}] = s.ParentSpanID()
		}
		td = b.traces(t, td)
		out += td.SpanCount()
		for _, s := range spansOf(td) {
			left[attrs.SpanKey{Trace: s.TraceID(), Span: s.SpanID()}] = s.ParentSpanID()
		}
	}
	require.Equal(t, 7709, in)
	assert.Equal(t, in, out+b.droppedOf(t, tally.KindSpan))
	assert.Equal(t, map[droppedBy]int{
		{tally.RuleBrokerPolling, tally.KindSpan}: 236,
		{tally.RuleHealthCheck, tally.KindSpan}:   4,
		{tally.RuleNoScript, tally.KindEvent}:     1,
	}, b.dropped(t))
	for key, parent := range left {
		assert.Equal(t, parents[key], parent, "the noise has no children, so that no span is re-parented")
	}
}

func TestRecordedRunsAreLinked(t *testing.T) {
	b := newHarness(t)
	runs := map[string]map[string]bool{} // run -> traces
	nodes, unlinked := 0, 0
	for _, td := range recordedTraces(t) {
		for _, s := range spansOf(b.traces(t, td)) {
			id := attrs.Text(s.Attributes(), difysemconv.AttrWorkflowRunID)
			if id != "" {
				if runs[id] == nil {
					runs[id] = map[string]bool{}
				}
				runs[id][s.TraceID().String()] = true
			}
			if !attrs.Has(s.Attributes(), difysemconv.AttrNodeID) {
				continue
			}
			nodes++
			if id == "" {
				unlinked++
			}
			assert.Equal(t, attrs.Text(s.Attributes(), difysemconv.AttrNodeType), s.Name())
			assert.True(t, attrs.Has(s.Attributes(), difysemconv.AttrNodeTitle))
			assert.True(t, attrs.Has(s.Attributes(), difysemconv.AttrAppID))
			assert.True(t, attrs.Has(s.Attributes(), difysemconv.AttrWorkflowID))
		}
	}
	assert.Len(t, runs, 22)
	for id, traces := range runs {
		assert.Len(t, traces, 1, "run %s", id)
	}
	assert.Equal(t, 54, nodes)
	assert.Zero(t, unlinked)
}

func TestRecordedResources(t *testing.T) {
	b := newHarness(t)
	roles := map[string]string{}
	for _, td := range recordedTraces(t) {
		for _, rs := range b.traces(t, td).ResourceSpans().All() {
			res := rs.Resource().Attributes()
			if role := attrs.Text(res, difysemconv.AttrRole); role != "" {
				roles[attrs.Text(res, attrs.ServiceInstanceID)] = role
			}
			assert.Equal(t, "dify-1.16.1-0123abc", attrs.Text(res, attrs.ServiceVersion))
			assert.Equal(t, "0123abc", attrs.Text(res, difysemconv.AttrCommit))
			assert.Equal(t, "1.16.1", attrs.Text(res, difysemconv.AttrVersion))
			assert.Equal(t, "PRODUCTION", attrs.Text(res, difysemconv.AttrEnvironment))
			assert.Equal(t, "COMMUNITY", attrs.Text(res, difysemconv.AttrEdition))
			assert.Equal(t, "dify", attrs.Text(res, attrs.ServiceNamespace))
		}
	}
	assert.Equal(t, map[string]string{
		"vm:4979": "worker", "vm:4988": "api", "vm:4989": "api", "vm:4990": "api", "vm:5566": "api",
	}, roles)
}

func TestRecordedErrorsRemainErrors(t *testing.T) {
	b := newHarness(t)
	exceptions, failed := map[string]int{}, 0
	for _, td := range recordedTraces(t) {
		for _, s := range spansOf(b.traces(t, td)) {
			if s.Status().Code() == ptrace.StatusCodeError {
				failed++
			}
			for _, e := range s.Events().All() {
				exceptions[e.Name()]++
			}
		}
	}
	assert.Equal(
		t,
		map[string]int{"exception": 86, "log.exception": 36},
		exceptions,
		"one of 87 was redis-py's NoScriptError",
	)
	assert.Equal(
		t,
		24+1+6+12,
		failed,
		"httpx, httpx 404, the runner that could not reach the plugin daemon, nodes that failed; all others were "+
			"ValueErrors and responses below 500",
	)
}

func TestRecordedContentIsRemoved(t *testing.T) {
	b := newHarness(t)
	for _, td := range recordedTraces(t) {
		for _, s := range spansOf(b.traces(t, td)) {
			for _, key := range redaction.ContentKeys() {
				assert.False(t, attrs.Has(s.Attributes(), key), key)
			}
			assert.NotContains(t, attrs.Text(s.Attributes(), attrs.OldHTTPURL), "?")
		}
	}
}

// seriesKey identifies a series by process, method, route and status.
type seriesKey struct {
	instance, method, route string
	status                  int64
}

func TestRecordedRequestsAddUp(t *testing.T) {
	b := newHarness(t)
	durations, responses, errors := map[seriesKey]int64{}, map[seriesKey]int64{}, map[seriesKey]int64{}
	starts := map[seriesKey]pcommon.Timestamp{}
	in, out := 0, 0
	for _, md := range recordedMetrics(t) {
		in += md.DataPointCount()
		md = b.metrics(t, md)
		out += md.DataPointCount()
		for _, rm := range md.ResourceMetrics().All() {
			instance := attrs.Text(rm.Resource().Attributes(), attrs.ServiceInstanceID)
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					switch m.Name() {
					case difysemconv.MetricServerDuration:
						for _, p := range m.Histogram().DataPoints().All() {
							key := keyOf(instance, p.Attributes())
							durations[key], starts[key] = int64(p.Count()), p.StartTimestamp()
						}
					case difysemconv.MetricServerResponseCount:
						assert.NotEqual(t, emitter.ScopeResponseCount, sm.Scope().Name())
						assertCounter(t, m)
						for _, p := range m.Sum().DataPoints().All() {
							key := keyOf(instance, p.Attributes())
							responses[key] = p.IntValue()
							assert.Equal(t, starts[key], p.StartTimestamp())
						}
					case difysemconv.MetricServerErrorCount:
						assertCounter(t, m)
						for _, p := range m.Sum().DataPoints().All() {
							errors[keyOf(instance, p.Attributes())] = p.IntValue()
						}
					}
				}
			}
		}
	}
	info := func(instance string) int64 { return durations[seriesKey{instance, "GET", "/v1/info", 200}] }
	assert.Equal(t, []int64{105, 89, 107}, []int64{info("vm:4988"), info("vm:4989"), info("vm:4990")})
	assert.Equal(t, durations, responses)
	want := map[seriesKey]int64{}
	for key, n := range durations {
		if key.status >= 400 {
			want[key] = n
		}
	}
	assert.NotEmpty(t, want)
	assert.Equal(t, want, errors)
	assert.Equal(
		t,
		in,
		out+b.droppedOf(t, tally.KindDataPoint)-int(sum(b.counter(t, "otelcol_dify_filter_derived_data_points"))),
	)
	assert.Equal(t, map[droppedBy]int{{tally.RuleSampledResponseCount, tally.KindDataPoint}: 2088}, b.dropped(t))
}

func keyOf(instance string, kv pcommon.Map) seriesKey {
	return seriesKey{instance, attrs.Text(kv, attrs.HTTPMethod), attrs.Text(kv, attrs.HTTPRoute), attrs.StatusCode(kv)}
}

func assertCounter(t *testing.T, m pmetric.Metric) {
	t.Helper()
	require.Equal(t, pmetric.MetricTypeSum, m.Type())
	assert.True(t, m.Sum().IsMonotonic())
	assert.Equal(t, pmetric.AggregationTemporalityCumulative, m.Sum().AggregationTemporality())
	for _, p := range m.Sum().DataPoints().All() {
		assert.Equal(t, "api", attrs.Text(p.Attributes(), difysemconv.AttrRole))
	}
}

func sum[K comparable](counts map[K]int64) int64 {
	total := int64(0)
	for _, n := range counts {
		total += n
	}
	return total
}

// Without process.pid, as in older Dify, the processes must still be distinguished.
func TestRecordedProcessesWithoutPID(t *testing.T) {
	b := newHarness(t)
	ids := map[string]string{} // pid -> id
	for _, md := range recordedMetrics(t) {
		res := md.ResourceMetrics().At(0).Resource().Attributes()
		pid, _ := res.Get(attrs.ProcessPID)
		of := pid.AsString()
		res.Remove(attrs.ProcessPID)
		res = b.metrics(t, md).ResourceMetrics().At(0).Resource().Attributes()
		id := attrs.Text(res, attrs.ServiceInstanceID)
		require.NotEmpty(t, id)
		if known, ok := ids[of]; ok {
			assert.Equal(t, known, id, "one id for all exports of a process")
		}
		ids[of] = id
	}
	distinct := map[string]bool{}
	for _, id := range ids {
		distinct[id] = true
	}
	assert.Len(t, distinct, 5)
}

// Processing is idempotent, since the same processor runs before and after Kafka.
func TestRecordedTracesTwice(t *testing.T) {
	first, second := newHarness(t), newHarness(t)
	for i, td := range recordedTraces(t) {
		once := first.traces(t, td)
		if once.SpanCount() == 0 {
			continue // nothing goes on to the second
		}
		want := wireTraces(t, once)
		require.Equal(t, want, wireTraces(t, second.traces(t, once)), "batch %d", i)
	}
	assert.Empty(t, second.dropped(t))
	assert.Empty(t, second.counter(t, "otelcol_dify_filter_redacted_values"))
}

// A batch that comes again, as after a timeout, comes out as it did, with what was learned since.
func TestRecordedTracesRedelivered(t *testing.T) {
	b := newHarness(t)
	for i, td := range recordedTraces(t) {
		again := copyTraces(td)
		once := spansOf(b.traces(t, td))
		twice := spansOf(b.traces(t, again))
		require.Len(t, twice, len(once), "batch %d", i)
		for j, s := range once {
			assert.Equal(t, s.SpanID(), twice[j].SpanID())
			assert.Equal(t, s.ParentSpanID(), twice[j].ParentSpanID())
			if id := attrs.Text(s.Attributes(), difysemconv.AttrWorkflowRunID); id != "" {
				assert.Equal(t, id, attrs.Text(twice[j].Attributes(), difysemconv.AttrWorkflowRunID))
			}
		}
	}
}

func TestRecordedMetricsTwice(t *testing.T) {
	first, second := newHarness(t), newHarness(t)
	for i, md := range recordedMetrics(t) {
		once := first.metrics(t, md)
		want := wireMetrics(t, once)
		require.Equal(t, want, wireMetrics(t, second.metrics(t, once)), "batch %d", i)
	}
	assert.Empty(t, second.dropped(t))
	assert.Empty(t, second.counter(t, "otelcol_dify_filter_derived_data_points"))
}

// The recordings have no logs, since Dify sends none. The events of its spans are used instead.
func TestRecordedEventsAsLogsTwice(t *testing.T) {
	first, second := newHarness(t), newHarness(t)
	in, out := 0, 0
	for _, td := range recordedTraces(t) {
		ld := eventsAsLogs(td)
		in += ld.LogRecordCount()
		once := first.logs(t, ld)
		if once.LogRecordCount() == 0 {
			continue
		}
		out += once.LogRecordCount()
		want := wireLogs(t, once)
		require.Equal(t, want, wireLogs(t, second.logs(t, once)))
	}
	assert.Equal(t, 87+36, in)
	assert.Equal(t, in, out+first.droppedOf(t, tally.KindLogRecord))
	assert.Empty(t, second.dropped(t))
}

func eventsAsLogs(td ptrace.Traces) plog.Logs {
	ld := plog.NewLogs()
	for _, rs := range td.ResourceSpans().All() {
		rl := ld.ResourceLogs().AppendEmpty()
		rs.Resource().CopyTo(rl.Resource())
		records := rl.ScopeLogs().AppendEmpty().LogRecords()
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				for _, event := range span.Events().All() {
					record := records.AppendEmpty()
					record.SetObservedTimestamp(event.Timestamp())
					record.Body().SetStr(event.Name())
					event.Attributes().CopyTo(record.Attributes())
				}
			}
		}
	}
	return ld
}
