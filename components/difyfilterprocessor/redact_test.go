// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/redaction"
)

// canary is a secret that contains mark. No output may contain mark.
const (
	mark   = "CANARY7Zk3v9QwX7LmN2pR8"
	canary = "app-" + mark
)

// ways are the forms in which a secret can occur in a text.
var ways = []string{
	canary, "dataset-" + mark, "sk-" + mark, "Bearer " + mark, "redis://:" + mark + "@redis:6379/1", "api_key=" + mark,
	`{"password": "` + mark + `"}`, "Authorization: Basic " + mark, "https://x/y?access_token=" + mark,
}

func canaries() string { return strings.Join(ways, "\n") }

func fillWithCanaries(m pcommon.Map) {
	m.PutStr("free.text", canaries())
	m.PutStr("exception.message", canaries())
	m.PutStr("exception.stacktrace", "Traceback\n"+canaries())
	m.PutStr("x-api-key", mark)
	m.PutStr("http.url", "https://h/p?q="+mark)
	m.PutStr("url.query", mark)
	m.PutStr("db.statement", "SELECT '"+mark+"'")
	m.PutStr("dify.workflow_run.error", canaries())
	for _, key := range redaction.ContentKeys() {
		m.PutStr(strings.ReplaceAll(key, "*", "x"), mark)
	}
	m.PutEmptyBytes("bytes").FromRaw([]byte(canaries()))
	m.PutEmptySlice("list").AppendEmpty().SetStr(canaries())
	nested := m.PutEmptyMap("map")
	nested.PutStr("password", mark)
	nested.PutEmptyBytes("token").FromRaw([]byte(mark))
	nested.PutEmptyMap("credentials").PutStr("user", mark)
	nested.PutStr("gen_ai.prompt", mark)
	nested.PutEmptySlice("list").AppendEmpty().SetEmptyMap().PutStr("x", canaries())
}

func TestNoCanaryLeavesTraces(t *testing.T) {
	b := newHarness(t)
	td := batchOf(
		difyProcess(1),
		startNode(1, 2, runA, appA, workflowA),
		spanSpec{id: 3, name: canaries(), err: canaries()},
	)
	fillWithCanaries(td.ResourceSpans().At(0).Resource().Attributes())
	td.ResourceSpans().At(0).SetSchemaUrl(canary)
	for _, ss := range td.ResourceSpans().At(0).ScopeSpans().All() {
		ss.SetSchemaUrl(canary)
		fillWithCanaries(ss.Scope().Attributes())
		for _, span := range ss.Spans().All() {
			fillWithCanaries(span.Attributes())
			span.SetName(canaries())
			span.TraceState().FromRaw("k=" + canary)
			event := span.Events().AppendEmpty()
			event.SetName(canaries())
			fillWithCanaries(event.Attributes())
			link := span.Links().AppendEmpty()
			fillWithCanaries(link.Attributes())
			link.TraceState().FromRaw("k=" + canary)
		}
	}
	text := wireTraces(t, b.traces(t, td))
	assert.NotContains(t, text, mark)
	assert.NotZero(t, sum(b.counter(t, "otelcol_dify_filter_redacted_values")))
}

func TestNoCanaryLeavesMetrics(t *testing.T) {
	md := durations(difyProcess(1), flaskLabels("a", "/x", 200))
	rm := md.ResourceMetrics().At(0)
	fillWithCanaries(rm.Resource().Attributes())
	rm.SetSchemaUrl(canary)
	rm.ScopeMetrics().At(0).SetSchemaUrl(canary)
	fillWithCanaries(rm.ScopeMetrics().At(0).Scope().Attributes())
	p := rm.ScopeMetrics().At(0).Metrics().At(0).Histogram().DataPoints().At(0)
	fillWithCanaries(p.Attributes())
	fillWithCanaries(p.Exemplars().AppendEmpty().FilteredAttributes())
	metrics := rm.ScopeMetrics().At(0).Metrics()
	fillWithCanaries(namedMetric(metrics).SetEmptyGauge().DataPoints().AppendEmpty().Attributes())
	fillWithCanaries(namedMetric(metrics).SetEmptySummary().DataPoints().AppendEmpty().Attributes())
	exponential := namedMetric(metrics).SetEmptyExponentialHistogram()
	exponential.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	fillWithCanaries(exponential.DataPoints().AppendEmpty().Attributes())
	assert.NotContains(t, wireMetrics(t, newHarness(t).metrics(t, md)), mark)
}

func namedMetric(metrics pmetric.MetricSlice) pmetric.Metric {
	m := metrics.AppendEmpty()
	m.SetName("x")
	return m
}

func TestNoCanaryLeavesLogs(t *testing.T) {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	fillWithCanaries(rl.Resource().Attributes())
	rl.SetSchemaUrl(canary)
	sl := rl.ScopeLogs().AppendEmpty()
	sl.SetSchemaUrl(canary)
	fillWithCanaries(sl.Scope().Attributes())
	record := sl.LogRecords().AppendEmpty()
	record.SetEventName(canary)
	record.Body().SetStr(canaries())
	fillWithCanaries(record.Attributes())
	fillWithCanaries(sl.LogRecords().AppendEmpty().Body().SetEmptyMap())
	assert.NotContains(t, wireLogs(t, newHarness(t).logs(t, ld)), mark)
}

func TestRedactionOff(t *testing.T) {
	b := newHarness(t, func(c *Config) { c.Redaction.Enabled = false })
	td := b.traces(t, batchOf(difyProcess(1), spanSpec{id: 1, name: canary, kv: kv{"gen_ai.prompt": mark}}))
	span := byID(td, 1)
	assert.Equal(t, canary, span.Name())
	assert.Equal(t, mark, attrs.Text(span.Attributes(), "gen_ai.prompt"))
}

func TestEachRedactionCanBeOff(t *testing.T) {
	in := kv{"db.statement": "SELECT 'x'", "http.url": "http://h/p?q=1", "url.query": "q=1", "x": canary}
	b := newHarness(t, func(c *Config) {
		c.Redaction.SQL, c.Redaction.URLQueries, c.Redaction.Secrets = false, false, false
	})
	assert.Equal(t, in, byID(b.traces(t, batchOf(kv{}, spanSpec{id: 1, kv: in})), 1).Attributes().AsRaw())
}

func TestActionsByKey(t *testing.T) {
	for name, tt := range map[string]struct {
		action, in, want string
	}{
		"keep": {redaction.ActionKeep, "content with " + canary, "content with app-***"},
		"hash": {
			redaction.ActionHash, "content",
			"sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73",
		},
		"truncate":               {redaction.ActionTruncate, "0123456789", "01234567…[truncated]"},
		"truncate, short enough": {redaction.ActionTruncate, "01234567", "01234567"},
		"truncate between runes": {redaction.ActionTruncate, "0123456开始", "0123456…[truncated]"},
		"truncate, secret first": {redaction.ActionTruncate, "012 " + canary, "012 app-…[truncated]"},
	} {
		t.Run(name, func(t *testing.T) {
			config := func(c *Config) {
				c.Redaction.Keys = map[string]string{"gen_ai.prompt": tt.action}
				c.Redaction.TruncateTo = 8
			}
			td := newHarness(t, config).traces(t, batchOf(kv{}, spanSpec{id: 1, kv: kv{"gen_ai.prompt": tt.in}}))
			assert.Equal(t, tt.want, attrs.Text(byID(td, 1).Attributes(), "gen_ai.prompt"))
			td = newHarness(t, config).traces(t, td)
			assert.Equal(t, tt.want, attrs.Text(byID(td, 1).Attributes(), "gen_ai.prompt"), "idempotent")
		})
	}
}

func TestHashWithKey(t *testing.T) {
	hashed := func(key configopaque.String) string {
		b := newHarness(t, func(c *Config) {
			c.Redaction.Keys = map[string]string{"user.*": redaction.ActionHash}
			c.Redaction.HashKey = key
		})
		return attrs.Text(
			byID(b.traces(t, batchOf(kv{}, spanSpec{id: 1, kv: kv{"user.email": "a@b"}})), 1).Attributes(),
			"user.email",
		)
	}
	assert.NotEqual(t, hashed(""), hashed("k"))
	assert.NotEqual(t, hashed("k"), hashed("l"))
	first := hashed("k")
	assert.Equal(t, first, hashed("k"))
}

func TestLongestPrefixWins(t *testing.T) {
	b := newHarness(t, func(c *Config) {
		c.Redaction.Keys = map[string]string{
			"a.*":   redaction.ActionDrop,
			"a.b.*": redaction.ActionKeep,
			"a.b.c": redaction.ActionDrop,
		}
	})
	td := b.traces(t, batchOf(kv{}, spanSpec{id: 1, kv: kv{"a.x": "1", "a.b.x": "2", "a.b.c": "3", "b": "4"}}))
	assert.Equal(t, kv{"a.b.x": "2", "b": "4"}, byID(td, 1).Attributes().AsRaw())
}

func TestRedactionIsCountedByReason(t *testing.T) {
	b := newHarness(t)
	b.traces(t, batchOf(kv{}, spanSpec{id: 1, name: canary, kv: kv{
		"db.statement": "SELECT 'x'", "http.url": "http://h/p?q=1", "gen_ai.prompt": "x", "gen_ai.completion": "y",
	}}))
	counts := map[string]int64{}
	for set, n := range b.counter(t, "otelcol_dify_filter_redacted_values") {
		reason, _ := set.Value("reason")
		counts[reason.AsString()] = n
	}
	assert.Equal(t, map[string]int64{"key": 2, "sql": 1, "query": 1, "shape": 1}, counts)
}

// IDs and times can't contain secrets and must not change.
func TestRedactionDoesNotChangeStructure(t *testing.T) {
	in := batchOf(
		kv{"service.name": "x"},
		spanSpec{id: 1, parent: 2, name: "x", kind: serverSpan, kv: kv{"n": 7, "b": true, "f": 1.5}},
	)
	in.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetEndTimestamp(5)
	want := wireTraces(t, in)
	assert.JSONEq(t, want, wireTraces(t, newHarness(t).traces(t, in)))
	require.NotEmpty(t, want)
}

// A copy in another pipeline shares the bytes.
func TestRedactionDoesNotChangeACopy(t *testing.T) {
	td := batchOf(nil, spanSpec{id: 1, name: "x"})
	byID(td, 1).Attributes().PutEmptyBytes("bytes").FromRaw([]byte("key=" + canary))
	before := copyTraces(td)
	want := wireTraces(t, before)
	assert.NotEqual(t, want, wireTraces(t, newHarness(t).traces(t, td)))
	assert.Equal(t, want, wireTraces(t, before))
}

// JSON can't represent these numbers: an exporter that writes JSON would have to drop the whole span or record.
func TestNumbersThatJSONCannotRepresent(t *testing.T) {
	fill := func(m pcommon.Map) {
		m.PutDouble("nan", math.NaN())
		m.PutDouble("up", math.Inf(1))
		m.PutDouble("score", 0.5)
		m.PutEmptyMap("metadata").PutEmptySlice("tag.tags").AppendEmpty().SetDouble(math.Inf(-1))
		m.PutEmptyMap("password").PutDouble("x", math.NaN())
	}
	want := map[string]any{
		"nan": "NaN", "up": "Infinity", "score": 0.5,
		"metadata": map[string]any{"tag.tags": []any{"-Infinity"}},
		"password": map[string]any{"x": redaction.Mask},
	}
	b := newHarness(t)
	td := batchOf(nil, spanSpec{id: 1, name: "x"})
	for _, s := range spansOf(td) {
		fill(s.res)
		fill(s.Attributes())
		fill(s.Events().AppendEmpty().Attributes())
		fill(s.Links().AppendEmpty().Attributes())
	}
	fill(td.ResourceSpans().At(0).ScopeSpans().At(0).Scope().Attributes())
	span := byID(b.traces(t, td), 1)
	for _, m := range []pcommon.Map{
		td.ResourceSpans().At(0).Resource().Attributes(), td.ResourceSpans().At(0).ScopeSpans().At(0).Scope().Attributes(),
		span.Attributes(), span.Events().At(0).Attributes(), span.Links().At(0).Attributes(),
	} {
		assert.Equal(t, want, m.AsRaw())
	}
	counts := map[string]int64{}
	for set, n := range b.counter(t, "otelcol_dify_filter_redacted_values") {
		reason, _ := set.Value("reason")
		counts[reason.AsString()] += n
	}
	assert.Equal(t, map[string]int64{"number": 5 * 4, "secret": 5}, counts)

	ld := b.logs(
		t,
		records(
			func(r plog.LogRecord) { fill(r.Attributes()); fill(r.Body().SetEmptyMap()) },
			func(r plog.LogRecord) { r.Body().SetDouble(math.NaN()) },
		),
	)
	for _, r := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		for _, part := range []any{r.Body().AsRaw(), r.Attributes().AsRaw()} {
			_, err := json.Marshal(part)
			assert.NoError(t, err)
		}
	}
}
