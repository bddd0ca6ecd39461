// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulktest"
)

func testRewriter() *Rewriter {
	n := 0
	return &Rewriter{
		indexKeys: []string{"dify.tenant_id", "dify.app_id", "service.name"},
		age:       60 * 24 * time.Hour,
		newID:     func() string { n++; return fmt.Sprintf("random-%d", n) },
		now:       func() time.Time { return time.Date(2026, 11, 25, 3, 4, 5, 0, time.UTC) },
	}
}

func TestRewriteAction(t *testing.T) {
	long := strings.Repeat("a", 600)
	for name, tt := range map[string]struct {
		index, doc string
		wantAction string
		wantDoc    string // empty: unchanged
	}{
		"log record": {
			index:      "workflow-logs",
			doc:        bulktest.LogDoc("u1", "t1"),
			wantAction: `{"create":{"_index":"workflow-logs-2026.11.23","_id":"u1"}}`,
		},
		"log record with its tenant": {
			index:      "workflow-logs-{dify.tenant_id}",
			doc:        bulktest.LogDoc("u1", "t1"),
			wantAction: `{"create":{"_index":"workflow-logs-t1-2026.11.23","_id":"u1"}}`,
		},
		"a map before its tenant": {
			index: "l-{dify.tenant_id}",
			doc: `{"attributes":{"dify":{"tenant_id":"x"},"log.record.uid":"u","dify.tenant_id":"t"},` +
				`"@timestamp":"2026-11-23T00:00:00Z"}`,
			wantAction: `{"create":{"_index":"l-t-2026.11.23","_id":"u"}}`,
		},
		"no such attribute": {
			index:      "l-{dify.app_id}-{dify.tenant_id}",
			doc:        bulktest.LogDoc("u1", "t1"),
			wantAction: `{"create":{"_index":"l-unknown-t1-2026.11.23","_id":"u1"}}`,
		},
		"attribute of the resource": {
			index:      "l-{service.name}",
			doc:        `{"attributes":{"log.record.uid":"u"},"resource":{"service.name":"api"},"@timestamp":"2026-11-23T00:00:00Z"}`,
			wantAction: `{"create":{"_index":"l-api-2026.11.23","_id":"u"}}`,
		},
		"a key that is not allowed stays": {
			index:      "l-{other}",
			doc:        bulktest.LogDoc("u1", "t1"),
			wantAction: `{"create":{"_index":"l-{other}-2026.11.23","_id":"u1"}}`,
		},
		"span": {
			index:      "dify-traces",
			doc:        bulktest.SpanDoc("aa", "bb", "2026-11-23T10:00:00.5Z"),
			wantAction: `{"create":{"_index":"dify-traces-2026.11.23","_id":"aa-bb"}}`,
			wantDoc: strings.Replace(bulktest.SpanDoc("aa", "bb", "2026-11-23T10:00:00.5Z"),
				"0001-01-01T00:00:00Z", "2026-11-23T10:00:00.5Z", 1),
		},
		"span without ids": {
			index:      "s",
			doc:        bulktest.SpanDoc("", "", "2026-11-23T10:00:00Z"),
			wantAction: `{"create":{"_index":"s-2026.11.23","_id":"random-1"}}`,
			wantDoc: strings.Replace(bulktest.SpanDoc("", "", "2026-11-23T10:00:00Z"),
				"0001-01-01T00:00:00Z", "2026-11-23T10:00:00Z", 1),
		},
		"record of a span is no span": {
			index:      "l",
			doc:        `{"attributes":{"log.record.uid":"u"},"traceId":"aa","spanId":"bb","@timestamp":"2026-11-23T00:00:00Z"}`,
			wantAction: `{"create":{"_index":"l-2026.11.23","_id":"u"}}`,
		},
		"ecs": {
			index:      "l-{dify.tenant_id}",
			doc:        `{"@timestamp":"2026-11-23T00:00:00.000000000Z","Attributes.dify.tenant_id":"t","Attributes.log.record.uid":"u"}`,
			wantAction: `{"create":{"_index":"l-t-2026.11.23","_id":"u"}}`,
		},
		"ecs with dedot": {
			index:      "l-{dify.tenant_id}",
			doc:        `{"@timestamp":"2026-11-23T00:00:00Z","Attributes":{"dify":{"tenant_id":"t"},"log":{"record":{"uid":"u"}}}}`,
			wantAction: `{"create":{"_index":"l-t-2026.11.23","_id":"u"}}`,
		},
		"flatten_attributes": {
			index:      "l-{dify.tenant_id}",
			doc:        `{"dify.tenant_id":"t","log.record.uid":"u","@timestamp":"2026-11-23T00:00:00Z"}`,
			wantAction: `{"create":{"_index":"l-t-2026.11.23","_id":"u"}}`,
		},
		"time with an offset is converted to UTC": {
			index:      "l",
			doc:        `{"attributes":{"log.record.uid":"u"},"@timestamp":"2026-11-23T23:30:00-02:00"}`,
			wantAction: `{"create":{"_index":"l-2026.11.24","_id":"u"}}`,
		},
		"time in milliseconds": {
			index:      "l",
			doc:        `{"attributes":{"log.record.uid":"u"},"@timestamp":1795435200000}`,
			wantAction: `{"create":{"_index":"l-2026.11.23","_id":"u"}}`,
		},
		"no time": {
			index:      "l",
			doc:        `{"x":1}`,
			wantAction: `{"create":{"_index":"l-2026.11.25","_id":"random-1"}}`,
		},
		"empty and odd ids": {
			index:      "l",
			doc:        `{"attributes":{"log.record.uid":""},"log.record.uid":null,"Attributes":{"log.record.uid":{}}}`,
			wantAction: `{"create":{"_index":"l-2026.11.25","_id":"random-1"}}`,
		},
		"id with escapes": {
			index:      "l",
			doc:        `{"attributes":{"log.record.uid":"a\"\\\u003c"}}`,
			wantAction: `{"create":{"_index":"l-2026.11.25","_id":"a\"\\\u003c"}}`,
		},
		"id longer than OpenSearch accepts": {
			index:      "l",
			doc:        `{"attributes":{"log.record.uid":"` + long + `"}}`,
			wantAction: `{"create":{"_index":"l-2026.11.25","_id":"` + string(boundedID([]byte(long))) + `"}}`,
		},
		"not JSON": {
			index:      "l",
			doc:        `{"a":`,
			wantAction: `{"create":{"_index":"l-2026.11.25","_id":"random-1"}}`,
		},
		"id inside an event does not count": {
			index:      "l",
			doc:        `{"events":[{"attributes":{"log.record.uid":"no"}}],"attributes":{"x":{"log.record.uid":"no"},"log.record.uid":"u"}}`,
			wantAction: `{"create":{"_index":"l-2026.11.25","_id":"u"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			items, err := testRewriter().Rewrite(bulktest.Body(tt.index, tt.doc), "")
			require.NoError(t, err)
			require.Len(t, items, 1)
			assert.Equal(t, tt.wantAction, string(items[0].ActionLine()))
			if tt.wantDoc == "" {
				tt.wantDoc = tt.doc
			}
			assert.Equal(t, tt.wantDoc, string(items[0].Document()))
			assert.True(t, items[0].Create)
		})
	}
}

func TestRewriteKeepsOrderAndTenants(t *testing.T) {
	var docs, want []string
	for i := range 1000 { // enough for the output to be moved while it grows
		docs = append(docs, bulktest.LogDoc(fmt.Sprintf("u%d", i), fmt.Sprintf("t%d", i%7)))
		want = append(
			want,
			fmt.Sprintf(
				`{"create":{"_index":"a-very-long-name-of-an-index-so-that-the-estimate-is-too-small-a-very-long-name-t%d-2026.11.23","_id":"u%d"}}`,
				i%7,
				i,
			),
		)
	}
	items, err := testRewriter().Rewrite(bulktest.Body("a-very-long-name-of-an-index-so-that-the-estimate-is-too-small-a-very-long-name-{dify.tenant_id}", docs...), "")
	require.NoError(t, err)
	require.Len(t, items, len(docs))
	for i := range items {
		require.Equal(t, want[i], string(items[i].ActionLine()))
		require.Equal(t, docs[i], string(items[i].Document()))
	}
	again, err := Restore(Join(items), "dead")
	require.NoError(t, err)
	assert.Equal(t, items, again)
}

func TestRewriteOtherActions(t *testing.T) {
	body := `{"index":{"_index":"a","_id":"own","routing":"r"}}` + "\n" + bulktest.LogDoc(
		"u",
		"t",
	) + "\n\n" + `{"create":{}}` + "\n" + bulktest.LogDoc(
		"v",
		"t",
	)
	items, err := testRewriter().Rewrite([]byte(body), "from-url")
	require.NoError(t, err)
	require.Len(t, items, 2)
	assert.JSONEq(t, `{"index":{"routing":"r","_index":"a-2026.11.23","_id":"own"}}`, string(items[0].ActionLine()))
	assert.False(t, items[0].Create)
	assert.JSONEq(t, `{"create":{"_index":"from-url-2026.11.23","_id":"v"}}`, string(items[1].ActionLine()))
}

func TestRewriteRejects(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want error
	}{
		"no document":     {`{"create":{"_index":"a"}}` + "\n", errOddLines},
		"no action":       {`{"x":1}` + "\n{}\n", errNotAction},
		"not JSON":        {"secret\n{}\n", errNotAction},
		"other action":    {`{"delete":{"_index":"a"}}` + "\n{}\n", errBulkAction},
		"no index at all": {`{"create":{}}` + "\n{}\n", errNoIndex},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := testRewriter().Rewrite([]byte(tt.body), "")
			require.ErrorIs(t, err, tt.want)
		})
	}
}

func TestRestoreRejects(t *testing.T) {
	for name, body := range map[string]string{
		"cut document": `{"create":{"_index":"a","_id":"b"}}` + "\n{\"x\":",
		"no document":  `{"create":{"_index":"a","_id":"b"}}` + "\n",
		"no action":    "x\n{}\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Restore([]byte(body), "dead")
			require.Error(t, err)
		})
	}
}

func TestIndexValue(t *testing.T) {
	assert.Equal(t, "unknown", indexValue(""))
	assert.Equal(t, "8d5c-1", indexValue("8d5c-1"))
	seen := map[string]string{}
	for _, value := range []string{
		"a", "A", " a", "a ", "_a", "-a", "a/b", "a\\b", "a,b", "a*b", "a?b", `a"b`, "a#b", "a:b", "Ä", "ä", "..", ".", "//",
		"unknown", "", "a-12345678", "12345678", indexValue("A"), indexValue(indexValue("A")), indexValue("//"),
		strings.Repeat("x", 300), strings.Repeat("x", 301), strings.Repeat("é", 200),
	} {
		got := indexValue(value)
		assert.Regexp(t, `^[a-z0-9][a-z0-9._-]{0,120}$`, got)
		assert.NotContains(t, seen, got, "%q and %q share an index", value, seen[got])
		seen[got] = value
	}
}

func FuzzRewrite(f *testing.F) {
	f.Add(bulktest.LogDoc("u", "t"))
	f.Add(bulktest.SpanDoc("a", "b", "2026-11-23T10:00:00Z"))
	f.Add(`{"attributes":{"a":[1,{"b":"\\"}],"log.record.uid":"x"},"@timestamp":12}`)
	f.Add(`{"a`)
	f.Fuzz(func(t *testing.T, doc string) {
		if doc == "" || strings.ContainsRune(doc, '\n') {
			t.Skip()
		}
		items, err := testRewriter().Rewrite(bulktest.Body("l-{dify.tenant_id}", doc, doc), "")
		require.NoError(t, err)
		require.Len(t, items, 2)
	})
}

func BenchmarkRewrite(b *testing.B) {
	docs := make([]string, 500)
	for i := range docs {
		docs[i] = bulktest.LogDoc(fmt.Sprintf("u%d", i), "t1")
	}
	body := bulktest.Body("workflow-logs-{dify.tenant_id}", docs...)
	r := testRewriter()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Rewrite(body, ""); err != nil {
			b.Fatal(err)
		}
	}
}

// Each day that a client sends would be an index, and OpenSearch refuses new ones from a number on.
func TestDayOfADocument(t *testing.T) {
	const arrival, today = `"2026-11-20T10:00:00Z"`, `"2026-11-25T03:04:05Z"`
	for name, tt := range map[string]struct {
		own, arrival string
		day          string
		span, record string // `@timestamp`; empty: its own
	}{
		"its own":                   {own: `"2026-11-24T00:00:00Z"`, day: "2026.11.24"},
		"in the retention":          {own: `"2026-10-01T00:00:00Z"`, day: "2026.10.01"},
		"tomorrow":                  {own: `"2026-11-26T23:59:59.999999999Z"`, day: "2026.11.26"},
		"as dify_filter noted":      {own: `"1970-01-01T00:00:00Z"`, arrival: arrival, day: "2026.11.20", span: arrival, record: arrival},
		"1970":                      {own: `"1970-01-01T00:00:00Z"`, day: "2026.11.25", span: today},
		"2064":                      {own: `"2064-01-01T00:00:00Z"`, day: "2026.11.25", span: today},
		"before the retention":      {own: `"2026-09-19T23:59:59Z"`, day: "2026.11.25", span: today},
		"the day after tomorrow":    {own: `"2026-11-27T00:00:00Z"`, day: "2026.11.25", span: today},
		"a made up arrival":         {own: `"1970-01-01T00:00:00Z"`, arrival: `"1980-01-01T00:00:00Z"`, day: "2026.11.25", span: today},
		"an arrival that is no day": {own: `"2026-11-24T00:00:00Z"`, arrival: `{"a":1}`, day: "2026.11.24"},
		"year 10000":                {own: `"+10000-01-01T00:00:00Z"`, day: "2026.11.25", span: today},
	} {
		t.Run(name, func(t *testing.T) {
			attributes := `{"log.record.uid":"u"}`
			if tt.arrival != "" {
				attributes = `{"log.record.uid":"u","dify.arrival_time":` + tt.arrival + `}`
			}
			shown := func(value string) string {
				if value == "" {
					return tt.own
				}
				return value
			}
			record := `{"attributes":` + attributes + `,"@timestamp":%s}`
			span := `{"attributes":` + attributes + `,"startTime":` + tt.own + `,"parentSpanId":"","@timestamp":%s,` +
				`"spanId":"2","traceId":"1"}`
			for _, doc := range []struct{ in, want, id string }{
				{fmt.Sprintf(record, tt.own), fmt.Sprintf(record, shown(tt.record)), "u"},
				{fmt.Sprintf(span, `"0001-01-01T00:00:00Z"`), fmt.Sprintf(span, shown(tt.span)), "1-2"},
			} {
				items, err := testRewriter().Rewrite(bulktest.Body("l", doc.in), "")
				require.NoError(t, err)
				assert.Equal(t, `{"create":{"_index":"l-`+tt.day+`","_id":"`+doc.id+`"}}`, string(items[0].ActionLine()))
				assert.Equal(t, doc.want, string(items[0].Document()))
			}
		})
	}
}
