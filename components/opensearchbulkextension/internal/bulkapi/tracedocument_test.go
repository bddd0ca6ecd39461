// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/opensearchbulkextension/internal/bulktest"
)

const (
	exportedRoot = `{"attributes":{"http.route":"/v1/chat","n":1.50,"data_stream":{"dataset":"default","type":"span"}},` +
		`"droppedAttributesCount":1,"droppedEventsCount":2,"droppedLinksCount":3,"endTime":"2026-11-23T10:00:02.5Z",` +
		`"instrumentationScope":{"name":"flask","version":"0.65b0"},"kind":"Server","name":"POST <chat> & \"more\"",` +
		`"parentSpanId":"","resource":{"service.name":"langgenius/dify","dify.role":"api"},"spanId":"00f067aa0ba902b7",` +
		`"startTime":"2026-11-23T10:00:00.000000001Z","status":{"code":"Error","message":"boom"},` +
		`"@timestamp":"0001-01-01T00:00:00Z","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","traceState":"a=1"}`
	exportedChild = `{"events":[{"attributes":{"exception.type":"E"},"droppedAttributesCount":4,"name":"exception",` +
		`"@timestamp":"2026-11-23T10:00:01Z"},{"attributes":null,"name":"no time","observedTimestamp":"2026-11-23T10:00:03Z"}],` +
		`"links":[{"spanId":"1111111111111111","traceId":"22222222222222222222222222222222"}],` +
		`"endTime":"2026-11-23T10:00:02Z","kind":"Internal","name":"node","parentSpanId":"00f067aa0ba902b7",` +
		`"spanId":"00f067aa0ba902b8","startTime":"2026-11-23T10:00:01Z","status":{"code":"Unset","message":""},` +
		`"@timestamp":"0001-01-01T00:00:00Z","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","traceState":""}`
)

func traceRewriter() *Rewriter {
	r := testRewriter()
	r.format = FormatOTelV1
	return r
}

func rewritten(t *testing.T, r *Rewriter, index string, docs ...string) (actions, documents []string) {
	t.Helper()
	items, err := r.Rewrite(bulktest.Body(index, docs...), "")
	require.NoError(t, err)
	for _, item := range items {
		actions = append(actions, string(item.ActionLine()))
		documents = append(documents, string(item.Document()))
	}
	return actions, documents
}

func TestTraceDocument(t *testing.T) {
	actions, documents := rewritten(t, traceRewriter(), "dify-traces-{service.name}", exportedChild, exportedRoot)
	assert.Equal(t, []string{
		`{"create":{"_index":"otel-v1-apm-span-unknown-2026.11.23",` +
			`"_id":"4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8"}}`,
		`{"create":{"_index":"otel-v1-apm-span-langgenius_dify-` + checksumOf("langgenius/dify") + `-2026.11.23",` +
			`"_id":"4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"}}`,
	}, actions)
	group := `"traceGroup":"POST <chat> & \"more\"","traceGroupFields":` +
		`{"endTime":"2026-11-23T10:00:02.5Z","durationInNanos":2499999999,"statusCode":2},`
	assert.Equal(t, `{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","parentSpanId":"",`+
		`"traceState":"a=1","name":"POST <chat> & \"more\"","kind":"SPAN_KIND_SERVER","serviceName":"langgenius/dify",`+
		`"startTime":"2026-11-23T10:00:00.000000001Z","endTime":"2026-11-23T10:00:02.5Z","durationInNanos":2499999999,`+
		`"status":{"code":2,"message":"boom"},`+group+
		`"events":[],"links":[],"droppedAttributesCount":1,"droppedEventsCount":2,"droppedLinksCount":3,`+
		`"attributes":{"http.route":"/v1/chat","n":1.50},`+
		`"resource":{"attributes":{"dify.role":"api","service.name":"langgenius/dify"}},`+
		`"instrumentationScope":{"name":"flask","version":"0.65b0"},`+
		`"@timestamp":"2026-11-23T10:00:00.000000001Z","time":"2026-11-23T10:00:00.000000001Z"}`, documents[1])
	assert.Equal(t, `{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b8",`+
		`"parentSpanId":"00f067aa0ba902b7","traceState":"","name":"node","kind":"SPAN_KIND_INTERNAL","serviceName":"",`+
		`"startTime":"2026-11-23T10:00:01Z","endTime":"2026-11-23T10:00:02Z","durationInNanos":1000000000,`+
		`"status":{"code":0,"message":""},`+group+
		`"events":[{"name":"exception","time":"2026-11-23T10:00:01Z","attributes":{"exception.type":"E"},`+
		`"droppedAttributesCount":4},{"name":"no time","time":"2026-11-23T10:00:03Z","attributes":{},`+
		`"droppedAttributesCount":0}],"links":[{"traceId":"22222222222222222222222222222222","spanId":"1111111111111111",`+
		`"traceState":"","attributes":{},"droppedAttributesCount":0}],`+
		`"droppedAttributesCount":0,"droppedEventsCount":0,"droppedLinksCount":0,"attributes":{},`+
		`"resource":{"attributes":{}},"@timestamp":"2026-11-23T10:00:01Z","time":"2026-11-23T10:00:01Z"}`, documents[0])
}

func TestTraceGroupIsEmptyWithoutTheRoot(t *testing.T) {
	_, documents := rewritten(t, traceRewriter(), "dify-traces", exportedChild)
	assert.Contains(t, documents[0], `"traceGroup":"",`)
	assert.NotContains(t, documents[0], "traceGroupFields")
}

// A root's long name must not be copied whole into each span of its trace.
func TestTraceGroupIsBounded(t *testing.T) {
	long := strings.Replace(exportedRoot, "POST", strings.Repeat("é", 5000), 1)
	_, documents := rewritten(t, traceRewriter(), "dify-traces", long, exportedChild)
	assert.Contains(t, documents[1], `"traceGroup":"`+strings.Repeat("é", maxGroupName/2)+`",`)
}

// A document that is moved to the day of its arrival keeps its own time in startTime.
func TestTraceDocumentOfAnotherDay(t *testing.T) {
	old := strings.ReplaceAll(exportedChild, "2026-11-23", "1999-01-02")
	actions, documents := rewritten(t, traceRewriter(), "dify-traces", old)
	assert.Contains(t, actions[0], `"otel-v1-apm-span-2026.11.25"`)
	assert.Contains(t, documents[0], `"startTime":"1999-01-02T10:00:01Z"`)
	assert.Contains(t, documents[0], `"@timestamp":"2026-11-25T03:04:05Z"`)
}

func TestOnlySpansBecomeTraceDocuments(t *testing.T) {
	record := bulktest.LogDoc("u1", "t1")
	_, documents := rewritten(t, traceRewriter(), "workflow-logs", record)
	assert.Equal(t, record, documents[0])
	broken := strings.Replace(exportedChild, `"kind":"Internal"`, `"kind":7`, 1)
	_, documents = rewritten(t, traceRewriter(), "dify-traces", broken)
	assert.Contains(t, documents[0], `"kind":7`, "sent as it is, for OpenSearch to judge")
}

func checksumOf(value string) string {
	name := indexValue(value)
	return name[strings.LastIndexByte(name, '-')+1:]
}
