// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
)

// publishedSpanFields are the fields and types of Data Prepper's index template for spans, in the form of
// `output_format: otel` (otel-v1-apm-span-index-standard-template, version 1).
var publishedSpanFields = map[string]string{
	"traceId": "keyword", "spanId": "keyword", "parentSpanId": "keyword", "traceState": "keyword",
	"name": "keyword", "kind": "keyword", "serviceName": "keyword",
	"startTime": "date_nanos", "endTime": "date_nanos", "@timestamp": "date_nanos", "time": "date_nanos",
	"durationInNanos": "long", "status.code": "integer", "status.message": "keyword",
	"traceGroup": "keyword", "traceGroupFields.endTime": "date_nanos",
	"traceGroupFields.durationInNanos": "long", "traceGroupFields.statusCode": "integer",
	"droppedAttributesCount": "integer", "droppedEventsCount": "integer", "droppedLinksCount": "integer",
	"events": "nested", "events.name": "keyword", "events.time": "date_nanos", "events.droppedAttributesCount": "integer",
	"links": "nested", "links.traceId": "keyword", "links.spanId": "keyword", "links.traceState": "keyword",
	"links.droppedAttributesCount": "integer",
	"instrumentationScope.name":    "keyword", "instrumentationScope.version": "keyword",
	"instrumentationScope.schemaUrl": "keyword", "instrumentationScope.droppedAttributesCount": "integer",
}

func TestTraceViewMappingsAreThePublishedOnes(t *testing.T) {
	types := fieldTypes("", traceViewMappings())
	for field, kind := range publishedSpanFields {
		assert.Equal(t, kind, types[field], field)
	}
	for _, attribute := range []string{"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"} {
		assert.Equal(t, "keyword", types["attributes."+attribute], attribute)
	}
	assert.Equal(t, "keyword", types["resource.attributes.service.name"])
}

func fieldTypes(prefix string, mapping object) map[string]string {
	types := map[string]string{}
	properties, _ := mapping["properties"].(object)
	for name, field := range properties {
		path := prefix + name
		if kind, ok := field.(object)["type"].(string); ok {
			types[path] = kind
		}
		maps.Copy(types, fieldTypes(path+".", field.(object)))
	}
	return types
}
