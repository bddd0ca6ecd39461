// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/testkit/postgres"
	"github.com/otelcol-dify/otelcol-dify/testkit/schema"
)

func TestMain(m *testing.M) {
	postgres.Keep()
	m.Run()
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func rounds(t *testing.T, seed uint64, n int) (*Generator, []*Exchange) {
	t.Helper()
	g := New(seed)
	var out []*Exchange
	for i := range n * g.Round() {
		out = append(out, g.Next(noon.Add(time.Duration(i)*100*time.Millisecond)))
	}
	return g, out
}

func eachSpan(x *Exchange, f func(*Process, string, ptrace.Span)) {
	for _, b := range x.Spans {
		for _, rs := range b.Traces.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					f(b.Process, ss.Scope().Name(), s)
				}
			}
		}
	}
}

func marshal(t *testing.T, x *Exchange) string {
	t.Helper()
	var all strings.Builder
	for _, b := range x.Spans {
		text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(b.Traces)
		require.NoError(t, err)
		all.Write(text)
	}
	return all.String()
}

func TestSameSeedSameTraffic(t *testing.T) {
	ga, a := rounds(t, 7, 1)
	gb, b := rounds(t, 7, 1)
	_, c := rounds(t, 8, 1)
	assert.Equal(t, ga.World.Tenants, gb.World.Tenants)
	for i := range a {
		assert.Equal(t, marshal(t, a[i]), marshal(t, b[i]))
		assert.Equal(t, a[i].Expected, b[i].Expected)
		assert.Equal(t, a[i].Run, b[i].Run)
	}
	assert.NotEqual(t, marshal(t, a[0]), marshal(t, c[0]))
}

func TestRoundHasEverything(t *testing.T) {
	g, all := rounds(t, 1, 1)
	var sum Expected
	for _, x := range all {
		sum.Add(x.Expected)
	}
	assert.Equal(t, map[string]int{succeeded: 10, failedRun: 3, partialSucceeded: 2, stopped: 1}, sum.Runs)
	assert.Equal(t, 16, sum.Ended())
	assert.Equal(t, 28, sum.Requests)
	assert.Equal(t, 3, sum.Errors)
	assert.Equal(t, 4, sum.Exceptions)
	assert.Equal(t, 1, sum.ClientRoots)
	assert.Equal(t, 1, sum.WithoutException)
	assert.Equal(
		t, map[string]int{ruleHealthCheck: 2, ruleBrokerPolling: 3, ruleNoScript: 1, ruleParseError: 3}, sum.Noise,
	)
	assert.Equal(t, 9, sum.NoiseItems())
	assert.Positive(t, sum.Tokens)
	assert.Equal(t, sum.Tokens*pricePerToken, sum.Price)
	assert.Equal(t, 33, g.Round())
}

// TestExpectedSpans compares with a count of the spans themselves.
func TestExpectedSpans(t *testing.T) {
	_, all := rounds(t, 2, 3)
	ids := map[pcommon.SpanID]bool{}
	for _, x := range all {
		spans, noise := 0, 0
		eachSpan(x, func(_ *Process, scope string, s ptrace.Span) {
			spans++
			route, _ := s.Attributes().Get("http.route")
			if route.Str() == "/health" || scope == scopeException ||
				(s.ParentSpanID().IsEmpty() && scope == scopeRedis && s.Name() != "EVALSHA") {
				noise++
			}
			assert.False(t, ids[s.SpanID()], "an id of its own")
			ids[s.SpanID()] = true
			assert.GreaterOrEqual(t, s.EndTimestamp(), s.StartTimestamp())
			assert.False(t, s.StartTimestamp().AsTime().Before(x.Start))
			assert.False(t, s.EndTimestamp().AsTime().After(x.End))
		})
		assert.Equal(t, x.Expected.Spans, spans-noise)
	}
}

// TestExpectedExceptions compares with a count of the distinct exceptions by trace, class, message and innermost frame,
// except for those of calls, which the exception around them or the outcome of a node covers.
func TestExpectedExceptions(t *testing.T) {
	_, all := rounds(t, 3, 2)
	for _, x := range all {
		distinct := map[string]bool{}
		eachSpan(x, func(_ *Process, _ string, s ptrace.Span) {
			if s.Kind() == ptrace.SpanKindClient {
				return
			}
			for _, ev := range s.Events().All() {
				trace, _ := ev.Attributes().Get("exception.stacktrace")
				class, _ := ev.Attributes().Get("exception.type")
				message, _ := ev.Attributes().Get("exception.message")
				if ev.Name() != "exception" || message.Str() == langfuseText || class.Str() == "ValueError" {
					continue
				}
				frames := strings.Split(trace.Str(), "\n  File ")
				distinct[class.Str()+message.Str()+frames[len(frames)-1]] = true
			}
		})
		assert.Len(t, distinct, x.Expected.Exceptions)
	}
}

func TestParents(t *testing.T) {
	_, all := rounds(t, 4, 1)
	for _, x := range all {
		byID := map[pcommon.SpanID]ptrace.Span{}
		eachSpan(x, func(_ *Process, _ string, s ptrace.Span) { byID[s.SpanID()] = s })
		eachSpan(x, func(_ *Process, _ string, s ptrace.Span) {
			if s.ParentSpanID().IsEmpty() {
				return
			}
			parent, found := byID[s.ParentSpanID()]
			require.True(t, found, "the parent of %s", s.Name())
			assert.Equal(t, parent.TraceID(), s.TraceID())
		})
	}
}

// TestRunInItsTrace checks the only link between a run's row and its trace.
func TestRunInItsTrace(t *testing.T) {
	_, all := rounds(t, 5, 1)
	runs := 0
	for _, x := range all {
		if x.Run == nil {
			continue
		}
		runs++
		var found []string
		nodes := map[string]bool{}
		eachSpan(x, func(_ *Process, scope string, s ptrace.Span) {
			if scope != scopeNode {
				return
			}
			id, _ := s.Attributes().Get("node.execution_id")
			nodes[id.Str()] = true
			if kind, _ := s.Attributes().Get("node.type"); kind.Str() == "start" {
				output, _ := s.Attributes().Get("output.value")
				var values map[string]any
				require.NoError(t, json.Unmarshal([]byte(output.Str()), &values))
				found = append(found, values["sys.workflow_run_id"].(string))
			}
		})
		assert.Equal(t, []string{x.Run.Run.ID}, found)
		for _, n := range x.Run.Nodes {
			assert.True(t, nodes[n.Start.ID])
		}
		assert.Len(t, x.Run.Nodes, len(nodes))
		assert.Equal(t, x.Run.Run.AppID != "" && x.Run.Message == nil, x.Run.Log != nil, "chatflows have no app log")
		assert.False(t, x.Run.Outcome.FinishedAt.After(x.End))
	}
	assert.Equal(t, 16, runs)
}

func TestMeterCountsAll(t *testing.T) {
	g, all := rounds(t, 6, 4)
	want := 0
	for _, x := range all {
		x.Measure()
		want += x.Expected.Requests
	}
	got, errorsGot := uint64(0), int64(0)
	for _, p := range g.World.Processes() {
		m, measured := p.Meter.Snapshot(noon.Add(time.Hour))
		assert.Equal(t, p != g.World.Worker && p != g.World.Beat, measured, "only the API answers requests")
		if !measured {
			continue
		}
		require.Equal(t, 2, m.ResourceMetrics().At(0).ScopeMetrics().Len())
		histogram := m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(1)
		require.Equal(t, "http.server.duration", histogram.Name())
		assert.Equal(t, pmetric.AggregationTemporalityCumulative, histogram.Histogram().AggregationTemporality())
		for _, dp := range histogram.Histogram().DataPoints().All() {
			got += dp.Count()
			in := uint64(0)
			for _, n := range dp.BucketCounts().All() {
				in += n
			}
			assert.Equal(t, dp.Count(), in)
			assert.Less(t, dp.StartTimestamp(), dp.Timestamp())
		}
		responses := m.ResourceMetrics().At(0).ScopeMetrics().At(1).Metrics().At(0)
		for _, dp := range responses.Sum().DataPoints().All() {
			errorsGot += dp.IntValue()
		}
	}
	assert.Equal(t, uint64(want), got)
	assert.Equal(t, int64(want), errorsGot)
}

func TestMerge(t *testing.T) {
	_, all := rounds(t, 9, 1)
	into := map[*Process]ptrace.Traces{}
	want := 0
	for _, x := range all {
		for _, b := range x.Spans {
			want += b.Traces.SpanCount()
			if _, ok := into[b.Process]; !ok {
				into[b.Process] = ptrace.NewTraces()
			}
			Merge(into[b.Process], b.Traces)
			assert.Zero(t, b.Traces.SpanCount())
		}
	}
	got := 0
	for p, traces := range into {
		got += traces.SpanCount()
		require.Equal(t, 1, traces.ResourceSpans().Len())
		scopes := map[string]bool{}
		for _, ss := range traces.ResourceSpans().At(0).ScopeSpans().All() {
			assert.False(t, scopes[ss.Scope().Name()])
			scopes[ss.Scope().Name()] = true
		}
		pid, _ := traces.ResourceSpans().At(0).Resource().Attributes().Get("process.pid")
		assert.Equal(t, p.PID, pid.Int())
	}
	assert.Equal(t, want, got)
}

// TestRows writes a round into a real database.
func TestRows(t *testing.T) {
	server, err := postgres.Start(t.Context(), "secret")
	require.NoError(t, err)
	defer func() { assert.NoError(t, server.Close()) }()
	pool, err := schema.Open(t.Context(), server.URL())
	require.NoError(t, err)
	defer pool.Close()
	require.NoError(t, schema.Create(t.Context(), pool))
	db := schema.NewWriter(pool)

	g, all := rounds(t, 10, 1)
	require.NoError(t, g.World.Write(t.Context(), db))
	var sum Expected
	for _, x := range all {
		sum.Add(x.Expected)
		if x.Run != nil {
			require.NoError(t, x.Run.WriteStart(t.Context(), db))
			require.NoError(t, x.Run.WriteEnd(t.Context(), db))
		}
	}
	var runs, logs, tokens int64
	var price string
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT
		(SELECT count(*) FROM workflow_runs WHERE finished_at IS NOT NULL), (SELECT count(*) FROM workflow_app_logs),
		(SELECT sum(total_tokens) FROM workflow_runs),
		(SELECT sum((execution_metadata::json->>'total_price')::numeric)::text FROM workflow_node_executions)`).
		Scan(&runs, &logs, &tokens, &price))
	assert.Equal(t, int64(sum.Ended()), runs)
	assert.Equal(t, int64(14), logs)
	assert.Equal(t, sum.Tokens, tokens)
	assert.Equal(t, decimal(sum.Price), price)
}
