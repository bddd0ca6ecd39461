// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

type counts = map[tally.Limit]int64

func testLimiter() *Limiter {
	return NewLimiter(Settings{
		MaxStringLength: 100, MaxItemSize: 2000, MaxPointSize: 1000, MaxDepth: 4, MaxAttributes: 10, MaxEvents: 3,
		MaxLinks: 2, MaxBuckets: 4, PrometheusNames: true, ConvertExponential: true,
		Whole: func(key string) bool { return key == "input.value" },
	})
}

// nested returns n slices within each other.
func nested(n int) any {
	var v any = "core"
	for range n {
		v = []any{v}
	}
	return v
}

func many(n int, value any) map[string]any {
	m := map[string]any{}
	for i := range n {
		m[fmt.Sprintf("key%06d", i)] = value
	}
	return m
}

func TestSpan(t *testing.T) {
	long := strings.Repeat("é", 100)
	short := strings.Repeat("é", 43) + attrs.TruncatedMark
	for _, test := range []struct {
		name  string
		fill  func(ptrace.Span)
		check func(*testing.T, ptrace.Span)
		want  counts
		mark  string
	}{{
		name: "nothing",
		fill: func(s ptrace.Span) {
			s.SetName("x")
			_ = s.Attributes().FromRaw(map[string]any{"a": strings.Repeat("x", 100), "b": nested(4), "c": []byte("\xff")})
			s.Events().AppendEmpty()
		},
	}, {
		name: "long texts are cut at a character and marked",
		fill: func(s ptrace.Span) {
			s.SetName(long)
			s.Status().SetMessage(long)
			s.TraceState().FromRaw(long)
			s.Attributes().PutStr("a", long)
			e := s.Events().AppendEmpty()
			e.SetName(long)
			e.Attributes().PutStr("a", long)
			s.Links().AppendEmpty().Attributes().PutStr("a", long)
		},
		check: func(t *testing.T, s ptrace.Span) {
			for _, got := range []string{
				s.Name(), s.Status().Message(), s.TraceState().AsRaw(), attrs.Text(s.Attributes(), "a"),
				s.Events().At(0).Name(), attrs.Text(s.Events().At(0).Attributes(), "a"),
				attrs.Text(s.Links().At(0).Attributes(), "a"),
			} {
				assert.Equal(t, short, got)
			}
		},
		want: counts{tally.LimitStringLength: 7},
		mark: "string_length",
	}, {
		name: "bytes are cut without a mark of their own",
		fill: func(s ptrace.Span) { s.Attributes().PutEmptyBytes("a").FromRaw([]byte(long)) },
		check: func(t *testing.T, s ptrace.Span) {
			v, _ := s.Attributes().Get("a")
			assert.Equal(t, []byte(long)[:100], v.Bytes().AsRaw())
		},
		want: counts{tally.LimitStringLength: 1},
		mark: "string_length",
	}, {
		name: "what redaction removes is whole for the passes before",
		fill: func(s ptrace.Span) { s.Attributes().PutStr("input.value", strings.Repeat("x", 5000)) },
		check: func(t *testing.T, s ptrace.Span) {
			assert.Len(t, attrs.Text(s.Attributes(), "input.value"), 5000)
		},
	}, {
		name: "invalid UTF-8 in a value, in a key, in a long text",
		fill: func(s ptrace.Span) {
			s.SetName("a\xffb")
			s.Attributes().PutStr("k\xff", "v\xff\xfe")
			s.Status().SetMessage(strings.Repeat("\x80", 1000))
		},
		check: func(t *testing.T, s ptrace.Span) {
			assert.Equal(t, "a\uFFFDb", s.Name())
			assert.Equal(t, "v\uFFFD", attrs.Text(s.Attributes(), "k\uFFFD"))
			assert.Equal(t, attrs.TruncatedMark, s.Status().Message())
		},
		want: counts{tally.LimitUTF8: 3, tally.LimitStringLength: 1},
		mark: "string_length,utf8",
	}, {
		name: "deep values",
		fill: func(s ptrace.Span) {
			_ = s.Attributes().FromRaw(map[string]any{"a": nested(100_000), "b": nested(4), "c": nested(5)})
		},
		check: func(t *testing.T, s ptrace.Span) {
			raw := s.Attributes().AsRaw()
			cut := []any{[]any{[]any{[]any{attrs.TruncatedMark}}}}
			assert.Equal(t, cut, raw["a"])
			assert.Equal(t, nested(4), raw["b"])
			assert.Equal(t, cut, raw["c"])
		},
		want: counts{tally.LimitDepth: 2},
		mark: "depth",
	}, {
		name: "attributes, events, links",
		fill: func(s ptrace.Span) {
			_ = s.Attributes().FromRaw(many(200, 1))
			for range 5 {
				s.Events().AppendEmpty()
				s.Links().AppendEmpty()
			}
			s.SetDroppedEventsCount(1)
		},
		check: func(t *testing.T, s ptrace.Span) {
			assert.Equal(t, 11, s.Attributes().Len()) // with the mark
			assert.EqualValues(t, 190, s.DroppedAttributesCount())
			assert.Equal(t, 3, s.Events().Len())
			assert.EqualValues(t, 3, s.DroppedEventsCount())
			assert.Equal(t, 2, s.Links().Len())
			assert.EqualValues(t, 3, s.DroppedLinksCount())
		},
		want: counts{tally.LimitAttributes: 190, tally.LimitEvents: 2, tally.LimitLinks: 3},
		mark: "attributes,events,links",
	}, {
		name: "an item that is too large in total",
		fill: func(s ptrace.Span) {
			_ = s.Attributes().FromRaw(map[string]any{
				"a": many(10, strings.Repeat("x", 100)), "b": many(10, strings.Repeat("y", 100)),
			})
			s.Events().AppendEmpty()
		},
		check: func(t *testing.T, s ptrace.Span) {
			text := fmt.Sprint(s.Attributes().AsRaw())
			assert.Less(t, len(text), 2500)
			assert.Zero(t, s.Events().Len())
		},
		mark: "item_size,events",
	}} {
		t.Run(test.name, func(t *testing.T) {
			td := ptrace.NewTraces()
			span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
			test.fill(span)
			var once, twice tally.Tally
			testLimiter().Traces(td, &once)
			if test.check != nil {
				test.check(t, span)
			}
			assert.Equal(t, test.mark, attrs.Text(span.Attributes(), difysemconv.AttrLimited))
			if test.want != nil || test.mark == "" {
				assert.Equal(t, test.want, once.Limited())
			}
			after := td.ResourceSpans().At(0).Resource()
			assert.False(t, attrs.Has(after.Attributes(), difysemconv.AttrLimited))
			testLimiter().Traces(td, &twice)
			assert.Empty(t, twice.Limited(), "limiting twice changes nothing")
		})
	}
}

func TestManyEmptyValues(t *testing.T) {
	ld := plog.NewLogs()
	record := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	s := record.Body().SetEmptySlice()
	for range 1_000_000 {
		s.AppendEmpty()
	}
	var c tally.Tally
	testLimiter().Logs(ld, &c)
	assert.LessOrEqual(t, record.Body().Slice().Len(), 2000/valueSize)
	assert.Equal(t, "item_size", attrs.Text(record.Attributes(), difysemconv.AttrLimited))
}

func TestLogRecordAndResource(t *testing.T) {
	long := strings.Repeat("x", 200)
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.SetSchemaUrl(long)
	rl.Resource().Attributes().PutStr("service.name", "a\xff")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName(long)
	sl.Scope().Attributes().PutStr("x", long)
	record := sl.LogRecords().AppendEmpty()
	record.Body().SetStr(long)
	record.SetSeverityText(long)
	record.SetEventName(long)
	record.Attributes().PutStr("x", long)
	var c tally.Tally
	testLimiter().Logs(ld, &c)
	assert.Equal(t, counts{tally.LimitStringLength: 7, tally.LimitUTF8: 1}, c.Limited())
	assert.Equal(t, "string_length,utf8", attrs.Text(rl.Resource().Attributes(), difysemconv.AttrLimited))
	assert.Equal(t, "string_length", attrs.Text(record.Attributes(), difysemconv.AttrLimited))
	for _, text := range []string{
		rl.SchemaUrl(), sl.Scope().Name(), record.Body().Str(), record.SeverityText(), record.EventName(),
	} {
		assert.Len(t, text, 100)
	}
}

// Twice the input must not take more than twice the steps. Steps are counted by the allocations of the copy, not by
// time: this test only ends quickly if the work is linear.
func TestKeysThatAreNotUTF8(t *testing.T) {
	ld := plog.NewLogs()
	record := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	raw := map[string]any{}
	for i := range 1000 {
		raw[fmt.Sprintf("%d\xff", i)] = i
	}
	require.NoError(t, record.Attributes().FromRaw(raw))
	set := testLimiter().set
	set.MaxAttributes, set.MaxItemSize = 1000, 1<<20
	var c tally.Tally
	NewLimiter(set).Logs(ld, &c)
	assert.Equal(t, 1001, record.Attributes().Len())
	for key := range record.Attributes().All() {
		assert.Equal(t, key, strings.ToValidUTF8(key, ""))
	}
	assert.Equal(t, counts{tally.LimitUTF8: 1000}, c.Limited())
}

func TestMarksAddUp(t *testing.T) {
	m := pcommon.NewMap()
	m.PutStr(difysemconv.AttrLimited, "events,unknown")
	c := &cutter{}
	c.begin(m, 1)
	c.applied.Add(tally.LimitUTF8)
	c.mark(m)
	assert.Equal(t, "events,utf8", attrs.Text(m, difysemconv.AttrLimited))
}
