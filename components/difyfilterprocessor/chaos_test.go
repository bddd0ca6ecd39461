// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// chaos generates batches that no Dify sends, from all words that have a meaning for the processor: in wrong places,
// of wrong types, repeated, in cycles.
type chaos struct{ *rand.Rand }

var chaosKeys = []string{
	"service.name", "service.version", "service.instance.id", "service.namespace", "host.name", "process.pid",
	"telemetry.sdk.name",
	"container.id", "container.name", "container_id", "container_name", "source", "partial_message", "partial_last",
	"custom.deployment.git_commit",
	"deployment.environment", "deployment.environment.name", "dify.role", "dify.edition", "dify.tenant_id",
	"dify.app_id", "dify.workflow_id",
	"dify.workflow_run_id", "node.id", "node.type", "output.value", "input.value", "http.method", "http.status_code",
	"http.target", "http.url",
	"http.route", "url.path", "url.query", "http.host", "net.host.name", "service.tenant.id", "service.user.id",
	"tenant_id", "db.system", "db.statement",
	"db.redis.database_index", "exception.type", "exception.message", "exception.stacktrace", "log.message",
	"log.record.uid", "event.name",
	"api_key", "password", "x", "gen_ai.prompt", "dify.original_status", "dify.node.title", "user.mail", "status_code",
	"",
}

var chaosTexts = []string{
	"", "x", "langgenius/dify", "dify-plugin-daemon", "dify-1.16.1-0123abc", "dify-", "PRODUCTION-COMMUNITY", "-CLOUD",
	"vm", "vm:1", "7", "GET", "/health", "/x?q=1",
	"http://u:p@h/x?y=1", "redis", "mysql", "SELECT * FROM x WHERE a = 'b' -- c", "SET k v\nAUTH u p", "start", "code",
	"unknown", "***", "sha256:0", "true",
	difysemconv.NoiseParseErrorText, difysemconv.NoiseParseError, "Failed to detach context", "NoScriptError",
	"redis.exceptions.NoScriptError", "ValueError", "acme.Failed",
	`{"sys.workflow_run_id": "` + runA + `", "sys.app_id": "` + appA + `"}`, `{"sys.workflow_run_id": "` + runB + `"`,
	`{"sys.workflow_run_id": 7}`, runA, runB, appA,
	"password=hunter2secret", "Bearer abcdefghijkl", "app-0123456789abcdefghij", "args={'q': 'x'} inputs=[1, 'y",
	"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.abc",
	"-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----", "[parameters: {'a': 1}]", "LINE 1: SELECT 'x'\n  ^",
	"a\x00b\xff", "тест…", "Request Body: x",
	"2026-11-23 08:37:53.893 ERROR [M] [x.py:6]  - m", "Traceback (most recent call last):", "  File x",
	"acme.Failed: no", `{"ts":"2026-11-23T08:37:53Z","severity":"INFO","message":"m"}`,
	`1.2.3.4 - - [23/Nov/2026:10:35:19 +0100] "GET /health HTTP/1.1" 200 1`,
}

var chaosScopes = []string{
	"", emitter.ScopeFlask, emitter.ScopeCelery, emitter.ScopeRedis, emitter.ScopeSQL,
	emitter.ScopeInstrumentation + "httpx", scopeNodes, scopeRunners, emitter.ScopeLogException, emitter.ScopeEnterprise,
	emitter.ScopeResponseCount,
}

var chaosNames = []string{
	"", "x", "GET /health", "BRPOP", "LLEN LLEN LLEN LLEN", "EVALSHA", "run/tasks.x", "log.exception", "开始",
	"core.app.apps.workflow.app_runner.WorkflowAppRunner.run",
	difysemconv.NoiseParseErrorText, "password=hunter2secret",
	"http.server.duration", "http.server.response.count", "http.server.error.count", "http.server.request.duration",
	"http.client.duration", "flower.task.runtime.seconds",
}

func one[T any](c chaos, of []T) T { return of[c.IntN(len(of))] }

func (c chaos) value(v pcommon.Value, depth int) {
	switch c.IntN(9) {
	case 0:
		v.SetInt(one(c, []int64{0, 1, 200, 302, 404, 500, -1}))
	case 1:
		v.SetBool(true)
	case 2:
		v.SetDouble(1.5)
	case 3:
		v.SetEmptyBytes().FromRaw([]byte(one(c, chaosTexts)))
	case 4:
		if depth < 3 {
			c.attributes(v.SetEmptyMap(), depth+1)
		}
	case 5:
		if depth < 3 {
			for range c.IntN(3) {
				c.value(v.SetEmptySlice().AppendEmpty(), depth+1)
			}
		}
	default:
		v.SetStr(one(c, chaosTexts))
	}
}

func (c chaos) attributes(m pcommon.Map, depth int) {
	for range c.IntN(8) {
		c.value(m.PutEmpty(one(c, chaosKeys)), depth)
	}
	if c.IntN(8) == 0 { // under a key that has no text values, since such a number becomes text
		m.PutDouble(one(c, []string{"score", "token"}), one(c, []float64{math.NaN(), math.Inf(1), math.Inf(-1)}))
	}
}

func (c chaos) resource(m pcommon.Map) {
	if c.IntN(2) == 0 {
		_ = m.FromRaw(difyProcess(c.IntN(3)))
	}
	c.attributes(m, 0)
}

func (c chaos) span(span ptrace.Span) {
	span.SetTraceID(pcommon.TraceID{byte(c.IntN(3))})
	span.SetSpanID(spanID(byte(c.IntN(10))))
	span.SetParentSpanID(spanID(byte(c.IntN(10))))
	span.SetName(one(c, chaosNames))
	span.SetKind(ptrace.SpanKind(c.IntN(8)))
	c.attributes(span.Attributes(), 0)
	span.Status().SetCode(ptrace.StatusCode(c.IntN(4)))
	span.Status().SetMessage(one(c, chaosTexts))
	span.TraceState().FromRaw(one(c, chaosTexts))
	for range c.IntN(3) {
		event := span.Events().AppendEmpty()
		event.SetName(one(c, []string{"exception", "log.exception", "x", "password=hunter2secret"}))
		c.attributes(event.Attributes(), 0)
	}
	switch c.IntN(12) { // noise for the two rules with the most conditions
	case 0:
		span.SetName("BRPOP")
		span.SetKind(clientSpan)
		span.SetParentSpanID(pcommon.SpanID{})
		span.Attributes().PutStr(attrs.OldDBSystem, "redis")
	case 1:
		span.SetName("EVALSHA")
		fillEvent(span.Events().AppendEmpty(), exception("redis.exceptions.NoScriptError", "x"))
	}
	if c.IntN(4) == 0 {
		c.attributes(span.Links().AppendEmpty().Attributes(), 0)
	}
}

func (c chaos) traces() ptrace.Traces {
	td := ptrace.NewTraces()
	for range c.IntN(4) {
		rs := td.ResourceSpans().AppendEmpty()
		c.resource(rs.Resource().Attributes())
		for range c.IntN(4) {
			ss := rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName(one(c, chaosScopes))
			for range c.IntN(8) {
				c.span(ss.Spans().AppendEmpty())
			}
		}
	}
	return td
}

func (c chaos) metric(m pmetric.Metric) {
	m.SetName(one(c, chaosNames))
	points := c.IntN(4)
	switch c.IntN(6) {
	case 0:
		for range points {
			c.number(m.SetEmptyGauge().DataPoints().AppendEmpty())
		}
	case 1:
		sum := m.SetEmptySum()
		sum.SetAggregationTemporality(pmetric.AggregationTemporality(c.IntN(3)))
		for range points {
			c.number(sum.DataPoints().AppendEmpty())
		}
	case 2:
		histogram := m.SetEmptyHistogram()
		histogram.SetAggregationTemporality(pmetric.AggregationTemporality(c.IntN(3)))
		for range points {
			p := histogram.DataPoints().AppendEmpty()
			c.attributes(p.Attributes(), 0)
			p.SetCount(c.Uint64N(9))
			p.SetStartTimestamp(pcommon.Timestamp(c.IntN(3)))
			if c.IntN(2) == 0 {
				p.ExplicitBounds().FromRaw([]float64{1})
				p.BucketCounts().FromRaw([]uint64{1, 2})
			}
		}
	case 3:
		exponential := m.SetEmptyExponentialHistogram()
		exponential.SetAggregationTemporality(pmetric.AggregationTemporality(c.IntN(3)))
		for range points {
			c.attributes(exponential.DataPoints().AppendEmpty().Attributes(), 0)
		}
	case 4:
		summary := m.SetEmptySummary()
		for range points {
			c.attributes(summary.DataPoints().AppendEmpty().Attributes(), 0)
		}
	}
}

func (c chaos) number(p pmetric.NumberDataPoint) {
	c.attributes(p.Attributes(), 0)
	p.SetStartTimestamp(pcommon.Timestamp(c.IntN(3)))
	switch c.IntN(3) {
	case 0:
		p.SetIntValue(7)
	case 1:
		p.SetDoubleValue(1.5)
	}
}

func (c chaos) metrics() pmetric.Metrics {
	md := pmetric.NewMetrics()
	for range c.IntN(4) {
		rm := md.ResourceMetrics().AppendEmpty()
		c.resource(rm.Resource().Attributes())
		for range c.IntN(4) {
			sm := rm.ScopeMetrics().AppendEmpty()
			sm.Scope().SetName(one(c, chaosScopes))
			for range c.IntN(5) {
				c.metric(sm.Metrics().AppendEmpty())
			}
			if c.IntN(4) == 0 {
				sm.Scope().SetName(emitter.ScopeResponseCount)
				m := sm.Metrics().AppendEmpty()
				m.SetName(difysemconv.MetricServerResponseCount)
				c.number(cumulativeSum(m).AppendEmpty())
			}
			if c.IntN(4) == 0 {
				m := sm.Metrics().AppendEmpty()
				m.SetName("http.server.active_requests")
				points := cumulativeSum(m)
				for _, host := range []string{"a", "b"} {
					p := points.AppendEmpty()
					p.SetIntValue(1)
					p.Attributes().PutStr("http.host", host)
				}
			}
		}
	}
	return md
}

func (c chaos) logs() plog.Logs {
	ld := plog.NewLogs()
	for range c.IntN(4) {
		rl := ld.ResourceLogs().AppendEmpty()
		c.resource(rl.Resource().Attributes())
		for range c.IntN(4) {
			sl := rl.ScopeLogs().AppendEmpty()
			for range c.IntN(8) {
				c.record(sl.LogRecords().AppendEmpty())
			}
		}
	}
	return ld
}

func (c chaos) record(r plog.LogRecord) {
	r.SetTimestamp(pcommon.Timestamp(c.IntN(3) * int(time.Second)))
	r.SetEventName(one(c, []string{"", difysemconv.EventWorkflowRun, "password=hunter2secret"}))
	c.value(r.Body(), 0)
	c.attributes(r.Attributes(), 0)
	if c.IntN(2) == 0 { // a line
		r.Body().SetStr(one(c, chaosTexts))
		r.Attributes().PutStr("container_id", one(c, []string{"c1", "c2"}))
		r.Attributes().PutStr("container_name", one(c, []string{"/docker-api-1", "x"}))
	}
}

// FuzzProcessor checks the guarantees for any input: no panic, items in = items out + items counted as dropped, and
// idempotence. The seed generates batches of known words; the bytes are decoded as protobuf, as a receiver does.
func FuzzProcessor(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed, []byte(nil))
	}
	td := recordedTraces(f)[0]
	wire, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(f, err)
	f.Add(uint64(0), wire)
	f.Fuzz(func(t *testing.T, seed uint64, wire []byte) {
		c := chaos{rand.New(rand.NewPCG(seed, 0))}
		checkTraces(t, c.traces())
		checkMetrics(t, c.metrics())
		checkLogs(t, c.logs())
		if td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(wire); err == nil {
			checkTraces(t, td)
		}
		if md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(wire); err == nil {
			checkMetrics(t, md)
		}
		if ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(wire); err == nil {
			checkLogs(t, ld)
		}
	})
}

// The batches above prove something only if every rule matches in some of them.
func TestChaosReachesEveryRule(t *testing.T) {
	b := newHarness(t)
	for seed := range uint64(300) {
		c := chaos{rand.New(rand.NewPCG(seed, 0))}
		b.traces(t, c.traces())
		b.metrics(t, c.metrics())
		b.logs(t, c.logs())
	}
	reached := map[string]bool{}
	for by := range b.dropped(t) {
		reached[by.rule] = true
	}
	for _, rule := range tally.BuiltinRules {
		assert.True(t, reached[rule], rule)
	}
}

func checkTraces(t *testing.T, td ptrace.Traces) {
	t.Helper()
	in, b := td.SpanCount(), newHarness(t)
	once := b.traces(t, td)
	require.Equal(t, in, once.SpanCount()+b.droppedOf(t, tally.KindSpan))
	if once.SpanCount() == 0 {
		return
	}
	want := wireTraces(t, withoutLearned(once))
	again := newHarness(t)
	assert.Equal(t, want, wireTraces(t, withoutLearned(again.traces(t, once))))
	assert.Empty(t, again.dropped(t))
}

// withoutLearned removes the role and the run that root spans reveal: a span that became a root because its parent was
// dropped reveals them the second time.
func withoutLearned(td ptrace.Traces) ptrace.Traces {
	td = copyTraces(td)
	for _, s := range spansOf(td) {
		s.res.Remove(difysemconv.AttrRole)
		s.Attributes().Remove(difysemconv.AttrWorkflowRunID)
	}
	return td
}

func checkMetrics(t *testing.T, md pmetric.Metrics) {
	t.Helper()
	in, b := md.DataPointCount(), newHarness(t)
	once := b.metrics(t, md)
	derived := int(sum(b.counter(t, "otelcol_dify_filter_derived_data_points")))
	require.Equal(t, in, once.DataPointCount()+b.droppedOf(t, tally.KindDataPoint)-derived)
	if once.DataPointCount() == 0 {
		return
	}
	want := wireMetrics(t, once)
	again := newHarness(t)
	assert.Equal(t, want, wireMetrics(t, again.metrics(t, once)))
	assert.Empty(t, again.dropped(t))
}

func checkLogs(t *testing.T, ld plog.Logs) {
	t.Helper()
	in, b := ld.LogRecordCount(), newHarness(t)
	once := b.logs(t, ld)
	pending, err := b.flushLogs(t.Context(), true)
	skipped(t, err, pending.LogRecordCount())
	require.Equal(t, in, once.LogRecordCount()+pending.LogRecordCount()+b.droppedOf(t, tally.KindLogRecord))
	for _, ld := range []plog.Logs{once, pending} {
		if ld.LogRecordCount() == 0 {
			continue
		}
		want := wireLogs(t, ld)
		again := newHarness(t)
		assert.Equal(t, want, wireLogs(t, again.logs(t, ld)))
		assert.Empty(t, again.dropped(t))
	}
}
