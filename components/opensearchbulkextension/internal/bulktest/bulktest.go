// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package bulktest has documents and bulk requests as the OpenSearch exporter writes them, for tests.
package bulktest

import (
	"fmt"
	"strings"
)

// LogDoc is a log record as the exporter's ss4o mode writes it.
func LogDoc(uid, tenant string) string {
	return fmt.Sprintf(`{"attributes":{"dify.tenant_id":%q,"log.record.uid":%q,"data_stream":{"dataset":"default"}},`+
		`"body":"b \"{[ \\","severity":{},"observedTimestamp":"2026-12-01T00:00:00Z",`+
		`"@timestamp":"2026-11-23T23:59:59.999999999Z"}`, tenant, uid)
}

// SpanDoc is a span as the exporter writes it.
func SpanDoc(trace, id, start string) string {
	return fmt.Sprintf(`{"attributes":{"dify.app_id":"app"},"droppedAttributesCount":0,"endTime":"2026-11-24T00:00:01Z",`+
		`"kind":"Server","name":"n","parentSpanId":"","spanId":%q,"startTime":%q,"status":{"code":"Unset","message":""},`+
		`"@timestamp":"0001-01-01T00:00:00Z","traceId":%q,"traceState":""}`, id, start, trace)
}

// Body is the body of a bulk request that creates documents in one index.
func Body(index string, docs ...string) []byte {
	var body strings.Builder
	for _, doc := range docs {
		fmt.Fprintf(&body, "{\"create\":{\"_index\":%q}}\n%s\n", index, doc)
	}
	return []byte(body.String())
}
