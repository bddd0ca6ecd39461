// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"maps"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// spanDocuments are the documents of spans in one format: where they are, and what their fields are called.
type spanDocuments struct {
	template, pattern string
	mappings          object
	indexPattern      string // id of the saved object
	suffix            string // of the ids of the other saved objects
	timeField         string
	service, role     string
	failed            string // a query
}

func spansOf(opts Options) spanDocuments {
	if opts.TraceViews {
		return spanDocuments{
			template: "otelcol-dify-otel-v1-apm-span", pattern: "otel-v1-apm-span-*", mappings: traceViewMappings(),
			indexPattern: "otelcol-dify-otel-v1-apm-span", suffix: "-otel-v1", timeField: "startTime",
			service: "serviceName", role: "resource.attributes." + difysemconv.AttrRole, failed: "status.code:2",
		}
	}
	return spanDocuments{
		template: "otelcol-dify-traces", pattern: "dify-traces-*", mappings: spanMappings(),
		indexPattern: "otelcol-dify-traces", timeField: "@timestamp",
		service: fieldService, role: "resource." + difysemconv.AttrRole, failed: `status.code:"Error"`,
	}
}

// traceViewMappings has the fields of OpenSearch's trace schema, with the types of Data Prepper's template
// `otel-v1-apm-span-index-standard-template`. What that one maps dynamically is in the lists of the other templates.
func traceViewMappings() object {
	spanAttributes := spanAttributeFields()
	maps.Copy(spanAttributes, named(keyword,
		"gen_ai.agent.id", "gen_ai.agent.name", "gen_ai.conversation.id", "gen_ai.data_source.id",
		"gen_ai.response.finish_reasons", "gen_ai.response.id", "gen_ai.tool.call.id", "gen_ai.tool.type"))
	return fields(object{
		"@timestamp":             otherTime(),
		"time":                   otherTime(),
		"startTime":              nanos(),
		"endTime":                nanos(),
		"durationInNanos":        number("long"),
		"name":                   keyword(),
		"kind":                   keyword(),
		"serviceName":            keyword(),
		"traceId":                keyword(),
		"spanId":                 keyword(),
		"parentSpanId":           keyword(),
		"traceState":             keyword(),
		"status":                 fields(object{"code": number("integer"), "message": statusMessage()}),
		"traceGroup":             keyword(),
		"traceGroupFields":       fields(traceGroupFields()),
		"droppedAttributesCount": number("integer"),
		"droppedEventsCount":     number("integer"),
		"droppedLinksCount":      number("integer"),
		"events": nestedFields(object{
			"name":                   keyword(),
			"time":                   nanos(),
			"attributes":             attributes(eventAttributeFields()),
			"droppedAttributesCount": number("integer"),
		}),
		"links": nestedFields(object{
			"traceId":                keyword(),
			"spanId":                 keyword(),
			"traceState":             keyword(),
			"droppedAttributesCount": number("integer"),
		}),
		"instrumentationScope": fields(object{
			"name": keyword(), "version": keyword(), "schemaUrl": keyword(),
			"droppedAttributesCount": number("integer"),
		}),
		"resource":   fields(object{"attributes": attributes(resourceFields())}),
		"attributes": attributes(spanAttributes),
	})
}

func statusMessage() object { return object{"type": "keyword", "ignore_above": 2048} }

func traceGroupFields() object {
	return object{"endTime": nanos(), "durationInNanos": number("long"), "statusCode": number("integer")}
}

// nestedFields is a list of objects that are searched one by one.
func nestedFields(properties object) object {
	return object{"type": "nested", "dynamic": false, "properties": properties}
}
