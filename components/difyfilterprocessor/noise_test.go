// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

const (
	clientSpan   = ptrace.SpanKindClient
	serverSpan   = ptrace.SpanKindServer
	internalSpan = ptrace.SpanKindInternal
	consumerSpan = ptrace.SpanKindConsumer
	producerSpan = ptrace.SpanKindProducer
)

func TestNoiseInSpans(t *testing.T) {
	redis := func(db int) kv { return kv{"db.system": "redis", "db.redis.database_index": db} }
	langfuse := difysemconv.NoiseParseErrorText
	for name, tt := range map[string]struct {
		spans   []spanSpec
		want    map[byte]byte // kept spans with their parents
		dropped map[droppedBy]int
		status  map[byte]ptrace.StatusCode
		config  func(*Config)
	}{
		"a log.exception span of older Dify is dropped": {
			spans: []spanSpec{
				{id: 1, name: "request", kind: serverSpan},
				{
					id: 2, parent: 1, scope: "dify.exception.logging", name: "log.exception", err: langfuse,
					kv: kv{"exception.message": langfuse, "exception.type": "Exception"},
				},
				{id: 3, parent: 2, name: "child"},
			},
			want:    map[byte]byte{1: 0, 3: 1},
			dropped: map[droppedBy]int{{tally.RuleParseError, tally.KindSpan}: 1},
		},
		"by the name of the function too": {
			spans:   []spanSpec{{id: 1, name: "langfuse._utils.parse_error.defaultErrorResponse"}, {id: 2, name: "x"}},
			want:    map[byte]byte{2: 0},
			dropped: map[droppedBy]int{{tally.RuleParseError, tally.KindSpan}: 1},
		},
		"of a request, only the event is dropped, and the ERROR that it caused": {
			spans: []spanSpec{{
				id: 1, name: "POST /x", kind: serverSpan, err: langfuse,
				kv:     kv{"http.status_code": 200, "exception.type": "ApiError"},
				events: []eventSpec{{"log.exception", kv{"log.message": langfuse}}, exception("langfuse.ApiError", langfuse)},
			}},
			want:    map[byte]byte{1: 0},
			dropped: map[droppedBy]int{{tally.RuleParseError, tally.KindEvent}: 2},
			status:  map[byte]ptrace.StatusCode{1: ptrace.StatusCodeUnset},
		},
		"another exception in addition to the noise remains an error": {
			spans: []spanSpec{{
				id: 1, name: "log.exception", err: "boom", kv: kv{"exception.message": langfuse},
				events: []eventSpec{exception("KeyError", "boom"), exception("ApiError", langfuse)},
			}},
			want:    map[byte]byte{1: 0},
			dropped: map[droppedBy]int{{tally.RuleParseError, tally.KindEvent}: 1},
			status:  map[byte]ptrace.StatusCode{1: ptrace.StatusCodeError},
		},
		"a user who asks about the error is not noise": {
			spans: []spanSpec{{
				id: 1, scope: scopeNodes, name: "LLM",
				kv: kv{"gen_ai.prompt": langfuse, "input.value": langfuse, "node.id": "1", "node.type": "llm"},
			}},
			want: map[byte]byte{1: 0},
		},
		"context detach": {
			spans: []spanSpec{{
				id: 1, name: "run", err: "Failed to detach context",
				events: []eventSpec{
					{"log.exception", kv{"log.message": "Failed to detach context"}},
					exception("ValueError", "<Token> was created in a different Context"),
				},
			}},
			want:    map[byte]byte{1: 0},
			dropped: map[droppedBy]int{{tally.RuleContextDetach, tally.KindEvent}: 2},
			status:  map[byte]ptrace.StatusCode{1: ptrace.StatusCodeUnset},
		},
		"NoScriptError of EVALSHA": {
			spans: []spanSpec{{
				id: 1, parent: 9, scope: emitter.ScopeRedis, name: "EVALSHA", kind: clientSpan, kv: redis(0),
				err:    "NoScriptError: No matching script. Please use EVAL.",
				events: []eventSpec{exception("redis.exceptions.NoScriptError", "No matching script. Please use EVAL.")},
			}},
			want:    map[byte]byte{1: 9},
			dropped: map[droppedBy]int{{tally.RuleNoScript, tally.KindEvent}: 1},
			status:  map[byte]ptrace.StatusCode{1: ptrace.StatusCodeUnset},
		},
		"another error of EVALSHA": {
			spans: []spanSpec{{
				id: 1, scope: emitter.ScopeRedis, name: "EVALSHA", kind: clientSpan, kv: redis(1),
				err: "ConnectionError: x", events: []eventSpec{exception("redis.exceptions.ConnectionError", "x")},
			}},
			want:   map[byte]byte{1: 0},
			status: map[byte]ptrace.StatusCode{1: ptrace.StatusCodeError},
		},
		"broker polling": {
			spans: []spanSpec{
				{id: 1, trace: 1, scope: emitter.ScopeRedis, name: "BRPOP", kind: clientSpan, kv: redis(0)},
				{id: 2, trace: 2, scope: emitter.ScopeRedis, name: "LLEN LLEN LLEN LLEN", kind: clientSpan, kv: redis(1)},
				{id: 3, trace: 3, scope: emitter.ScopeRedis, name: "PUBLISH", kind: clientSpan, kv: redis(1)},
				{id: 4, trace: 4, scope: emitter.ScopeRedis, name: "PUBLISH", kind: clientSpan, kv: redis(0)},
				{
					id: 5, trace: 5, scope: emitter.ScopeRedis, name: "LLEN LLEN LLEN LLEN", kind: clientSpan, kv: redis(1),
					parent: 9,
				},
				{
					id: 6, trace: 6, scope: emitter.ScopeInstrumentation + "sqlalchemy", name: "BRPOP", kind: clientSpan,
					kv: kv{"db.system": "postgresql"},
				},
			},
			want:    map[byte]byte{4: 0, 5: 9, 6: 0},
			dropped: map[droppedBy]int{{tally.RuleBrokerPolling, tally.KindSpan}: 3},
		},
		"the API does not poll": {
			spans: []spanSpec{
				{id: 1, scope: emitter.ScopeFlask, name: "GET /x", kind: serverSpan},
				{id: 2, trace: 2, scope: emitter.ScopeRedis, name: "SET", kind: clientSpan, kv: redis(1)},
			},
			want: map[byte]byte{1: 0, 2: 0},
		},
		"the broker's database is configured": {
			spans: []spanSpec{
				{id: 1, scope: emitter.ScopeRedis, name: "SADD", kind: clientSpan, kv: redis(1)},
				{id: 2, trace: 2, scope: emitter.ScopeRedis, name: "SADD", kind: clientSpan, kv: redis(5)},
			},
			config:  func(c *Config) { c.Drop.BrokerDatabase = 5 },
			want:    map[byte]byte{1: 0},
			dropped: map[droppedBy]int{{tally.RuleBrokerPolling, tally.KindSpan}: 1},
		},
		"a health check is dropped with its descendants": {
			spans: []spanSpec{
				{id: 3, parent: 2, name: "SELECT dify", kind: clientSpan},
				{id: 2, parent: 1, name: "check"},
				{
					id: 1, scope: emitter.ScopeFlask, name: "GET /health", kind: serverSpan,
					kv: kv{"http.route": "/health", "http.status_code": 200},
				},
				{id: 4, parent: 9, trace: 2, name: "GET /health/check", kind: serverSpan},
				{id: 5, trace: 3, name: "GET", kind: serverSpan, kv: kv{"http.target": "/health?x=1"}},
				{id: 6, trace: 4, name: "GET /healthy-recipes", kind: serverSpan},
				{id: 7, trace: 5, name: "GET /health", kind: clientSpan},
			},
			want:    map[byte]byte{6: 0, 7: 0},
			dropped: map[droppedBy]int{{tally.RuleHealthCheck, tally.KindSpan}: 5},
		},
		"but not one that fails, nor a failed descendant": {
			spans: []spanSpec{
				{id: 1, name: "GET /health", kind: serverSpan, err: "503", kv: kv{"http.status_code": 503}},
				{id: 5, trace: 3, name: "GET /health", kind: serverSpan, err: "404 NOT FOUND", kv: kv{"http.status_code": 404}},
				{id: 2, trace: 2, name: "GET /health", kind: serverSpan},
				{id: 3, trace: 2, parent: 2, name: "SELECT", err: "x", events: []eventSpec{exception("OperationalError", "x")}},
				{id: 4, trace: 2, parent: 3, name: "below"},
			},
			want:    map[byte]byte{1: 0, 3: 0, 4: 3, 5: 0},
			dropped: map[droppedBy]int{{tally.RuleHealthCheck, tally.KindSpan}: 1},
		},
		"a chain of dropped spans": {
			spans: []spanSpec{
				{id: 4, parent: 3, name: "leaf"},
				{id: 3, parent: 2, name: "noise b"},
				{id: 2, parent: 1, name: "noise a"},
				{id: 1, name: "root"},
			},
			config: func(c *Config) {
				c.Drop.Rules = []RuleConfig{{Name: "mine", Drops: "span", SpanNameRegexp: "^noise "}}
			},
			want:    map[byte]byte{1: 0, 4: 1},
			dropped: map[droppedBy]int{{"mine", tally.KindSpan}: 2},
		},
		"a cycle of dropped spans": {
			spans: []spanSpec{
				{id: 1, parent: 2, name: "noise"},
				{id: 2, parent: 1, name: "noise"},
				{id: 3, parent: 1, name: "x"},
			},
			config: func(c *Config) {
				c.Drop.Rules = []RuleConfig{{Name: "mine", Drops: "span", SpanName: "noise"}}
			},
			want:    map[byte]byte{3: 0},
			dropped: map[droppedBy]int{{"mine", tally.KindSpan}: 2},
		},
		"spans without IDs are distinguished": {
			spans: []spanSpec{{name: "noise"}, {name: "x"}},
			config: func(c *Config) {
				c.Drop.Rules = []RuleConfig{{Name: "mine", Drops: "span", SpanName: "noise"}}
			},
			want:    map[byte]byte{0: 0},
			dropped: map[droppedBy]int{{"mine", tally.KindSpan}: 1},
		},
		"rules by attribute, kind, event and text": {
			spans: []spanSpec{
				{id: 1, name: "a", kv: kv{"peer": "squid", "code": 7}},
				{id: 2, name: "a", kv: kv{"peer": "squid", "code": 8}},
				{id: 3, name: "a", kv: kv{"host": "probe-17"}},
				{id: 4, name: "b", kind: producerSpan, events: []eventSpec{{"tick", nil}}},
				{id: 5, name: "b", kind: consumerSpan, events: []eventSpec{{"tick", nil}}},
				{id: 6, name: "c", err: "E42: never mind", events: []eventSpec{exception("a.b.NeverMind", "E42")}},
				{id: 7, name: "c", events: []eventSpec{exception("a.b.NotNeverMind", "E42")}},
			},
			config: func(c *Config) {
				c.Drop.Rules = []RuleConfig{
					{Name: "squid", Drops: "span", Attributes: map[string]string{"peer": "squid", "code": "7"}},
					{Name: "probe", Drops: "span", AttributesRegexp: map[string]string{"host": `^probe-\d+$`}},
					{Name: "tick", Drops: "span", EventName: "tick", SpanKind: "producer"},
					{Name: "never", Drops: "span", ExceptionType: "NeverMind", TextRegexp: `E\d+`},
				}
			},
			want: map[byte]byte{2: 0, 5: 0, 7: 0},
			dropped: map[droppedBy]int{
				{"squid", tally.KindSpan}: 1, {"probe", tally.KindSpan}: 1, {"tick", tally.KindSpan}: 1,
				{"never", tally.KindSpan}: 1,
			},
		},
		"errors are kept unless the rule includes them": {
			spans: []spanSpec{{id: 1, name: "a", err: "x"}, {id: 2, name: "b", err: "x"}},
			config: func(c *Config) {
				c.Drop.Rules = []RuleConfig{
					{Name: "a", Drops: "span", SpanName: "a"},
					{Name: "b", Drops: "span", SpanName: "b", Errors: true},
				}
			},
			want:    map[byte]byte{1: 0},
			dropped: map[droppedBy]int{{"b", tally.KindSpan}: 1},
		},
		"all rules off": {
			spans: []spanSpec{
				{id: 1, name: "GET /health", kind: serverSpan},
				{id: 2, scope: emitter.ScopeRedis, name: "BRPOP", kind: clientSpan, kv: redis(1)},
				{id: 3, name: difysemconv.NoiseParseError},
			},
			config: func(c *Config) {
				c.Drop = DropConfig{}
			},
			want: map[byte]byte{1: 0, 2: 0, 3: 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newHarness(t)
			if tt.config != nil {
				b = newHarness(t, tt.config)
			}
			td := b.traces(t, batchOf(difyProcess(1), tt.spans...))
			assert.Equal(t, tt.want, tree(td))
			if tt.dropped == nil {
				tt.dropped = map[droppedBy]int{}
			}
			assert.Equal(t, tt.dropped, b.dropped(t))
			assert.Equal(t, len(tt.spans), td.SpanCount()+b.droppedOf(t, tally.KindSpan))
			for id, code := range tt.status {
				assert.Equal(t, code, byID(td, id).Status().Code())
			}
			for _, rs := range td.ResourceSpans().All() {
				for _, ss := range rs.ScopeSpans().All() {
					assert.NotZero(t, ss.Spans().Len(), "no empty scope remains")
				}
			}
			second := newHarness(t, func(c *Config) {
				if tt.config != nil {
					tt.config(c)
				}
			})
			if td.SpanCount() > 0 {
				want := wireTraces(t, td)
				assert.JSONEq(t, want, wireTraces(t, second.traces(t, td)), "idempotent")
			}
		})
	}
}

func TestChildrenOfDroppedSpansInLaterBatches(t *testing.T) {
	b := newHarness(t)
	health := spanSpec{id: 2, parent: 1, name: "GET /health", kind: serverSpan}
	b.traces(t, batchOf(difyProcess(1), spanSpec{id: 1, name: "a"}, health))
	td := b.traces(t, batchOf(difyProcess(1),
		spanSpec{id: 3, parent: 2, name: "below a health check"}, spanSpec{id: 4, parent: 2, name: "x", err: "failed"}))
	assert.Equal(t, map[byte]byte{4: 1}, tree(td), "the subtree is dropped, an error is re-parented")
	td = b.traces(t, batchOf(difyProcess(1), spanSpec{id: 3, parent: 2, trace: 7, name: "of another trace"}))
	assert.Equal(t, map[byte]byte{3: 2}, tree(td))

	b.clock = b.clock.Add(2*b.cfg.Memory.TTL + 1)
	td = b.traces(t, batchOf(difyProcess(1), spanSpec{id: 5, parent: 2, name: "too late"}))
	assert.Equal(t, map[byte]byte{5: 2}, tree(td), "after expiry, spans are left unchanged")
	assert.Equal(t, 2, b.droppedOf(t, tally.KindSpan))
}

func TestNothingLeft(t *testing.T) {
	b := newHarness(t)
	assert.Zero(
		t,
		b.traces(t, batchOf(difyProcess(1), spanSpec{id: 1, name: "GET /health", kind: serverSpan})).ResourceSpans().Len(),
	)
	assert.Zero(t, b.traces(t, ptrace.NewTraces()).SpanCount())
}

func TestNoiseInRecords(t *testing.T) {
	langfuse := difysemconv.NoiseParseErrorText
	for name, tt := range map[string]struct {
		fill func(plog.LogRecord)
		rule string
	}{
		"body": {
			func(r plog.LogRecord) { r.Body().SetStr("ERROR [parse_error.py:30] " + langfuse) },
			tally.RuleParseError,
		},
		"body, part of a map": {
			func(r plog.LogRecord) { r.Body().SetEmptyMap().PutStr("message", langfuse) },
			tally.RuleParseError,
		},
		"attribute": {func(r plog.LogRecord) {
			r.Attributes().PutStr("exception.message",
				difysemconv.NoiseParseError)
		}, tally.RuleParseError},
		"detach": {
			func(r plog.LogRecord) { r.Body().SetStr("Failed to detach context") },
			tally.RuleContextDetach,
		},
		"configured, by event":  {func(r plog.LogRecord) { r.SetEventName("tick") }, "ticks"},
		"configured, attribute": {func(r plog.LogRecord) { r.Attributes().PutStr("event.name", "tick") }, "ticks"},
		"other error":           {func(r plog.LogRecord) { r.Body().SetStr("Unexpected error occurred.") }, ""},
		"only the stack trace":  {func(r plog.LogRecord) { r.Attributes().PutStr("exception.stacktrace", langfuse) }, ""},
		"a failed run is not noise, whatever its text": {func(r plog.LogRecord) {
			r.SetEventName(difysemconv.EventWorkflowRun)
			r.Body().SetStr(langfuse)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newHarness(t, func(c *Config) {
				c.Drop.Rules = []RuleConfig{{Name: "ticks", Drops: "record", EventName: "tick"}}
			})
			ld := plog.NewLogs()
			tt.fill(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
			ld = b.logs(t, ld)
			if tt.rule == "" {
				require.Equal(t, 1, ld.LogRecordCount())
				assert.Empty(t, b.dropped(t))
				return
			}
			assert.Zero(t, ld.ResourceLogs().Len())
			assert.Equal(t, map[droppedBy]int{{tt.rule, tally.KindLogRecord}: 1}, b.dropped(t))
		})
	}
}

// A hostile batch must not be expensive: these chains, children first, would take minutes if each dropped span caused
// a pass over all spans.
func TestPruningIsLinear(t *testing.T) {
	const n = 20_000
	for name, noise := range map[string]struct {
		name string
		kind ptrace.SpanKind
		all  bool // every span of the chain is noise once it is a root, not only the first
	}{
		"subtree": {"GET /health", serverSpan, false},
		"roots":   {"BRPOP", clientSpan, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newHarness(t)
			td := batchOf(kv{})
			spans := td.ResourceSpans().At(0).ScopeSpans().AppendEmpty().Spans()
			for i := uint64(n); i > 0; i-- {
				span := spans.AppendEmpty()
				span.SetTraceID(pcommon.TraceID{1})
				span.SetSpanID(longSpanID(i))
				span.SetParentSpanID(longSpanID(i - 1))
				if i == 1 || noise.all {
					span.SetName(noise.name)
					span.SetKind(noise.kind)
					span.Attributes().PutStr(attrs.OldDBSystem, "redis")
				}
			}
			assert.Zero(t, b.traces(t, td).SpanCount())
			assert.Equal(t, n, b.droppedOf(t, tally.KindSpan))
		})
	}
}

func longSpanID(n uint64) (id pcommon.SpanID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}
