// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"maps"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

func keyword() object { return object{"type": "keyword", "ignore_above": 1024} }
func text() object    { return object{"type": "text"} }

// message is searched by its words, and aggregated as a whole under `.keyword`. Lucene's longest term has 32,766
// bytes.
func message() object {
	return object{"type": "text", "fields": object{"keyword": object{"type": "keyword", "ignore_above": 32766 / 4}}}
}

func number(kind string) object {
	return object{"type": kind}
}
func nanos() object { return object{"type": "date_nanos"} }

// identifier is a value that few documents share: it is searched, and neither aggregated nor sorted by. Without the
// column for that it takes half the space.
func identifier() object { return object{"type": "keyword", "ignore_above": 1024, "doc_values": false} }

// otherTime is a time next to `@timestamp`, by which a document is found. It is shown, sorted by and aggregated; a
// search for a range of it reads the column, since it has no index.
func otherTime() object { return object{"type": "date_nanos", "index": false} }

// fields is an object with these fields. Other fields of a document are kept in it and not indexed.
func fields(properties object) object {
	return object{"dynamic": false, "properties": properties}
}

// attributes is a set of attributes with dots in their keys. `disable_objects` (OpenSearch 3) does not interpret the
// dots, so that `a` and `a.b` can both exist. Without it the dots make objects, and the names below are chosen so
// that this works too.
func attributes(properties object) object {
	return object{"type": "object", "dynamic": false, "disable_objects": true, "properties": properties}
}

func resourceFields() object {
	return named(
		keyword,
		"service.name",
		"service.namespace",
		"service.instance.id",
		"service.version",
		"host.name",
		"container.id",
		"container.name",
		"process.pid",
		difysemconv.AttrInstallation,
		difysemconv.AttrEnvironment,
		difysemconv.AttrRole,
		difysemconv.AttrEdition,
		difysemconv.AttrVersion,
		difysemconv.AttrCommit,
	)
}

// attributeFields are those that both log records and spans have.
func attributeFields() object {
	shared := named(
		keyword,
		difysemconv.AttrTenantID,
		difysemconv.AttrWorkspaceName,
		difysemconv.AttrAppID,
		difysemconv.AttrAppName,
		difysemconv.AttrAppMode,
		difysemconv.AttrWorkflowID,
		difysemconv.AttrWorkflowRunID,
		difysemconv.AttrConversationID,
		difysemconv.AttrRole,
		"error.type",
		"exception.type",
		"http.request.method",
		"http.route",
		"url.path",
		"data_stream.dataset",
		"data_stream.namespace",
		"data_stream.type",
	)
	maps.Copy(shared, named(identifier, difysemconv.AttrMessageID, difysemconv.AttrNodeExecutionID))
	shared["http.response.status_code"] = number("integer")
	return shared
}

func logMappings() object {
	logAttributes := attributeFields()
	maps.Copy(logAttributes, named(keyword,
		difysemconv.AttrEventName, difysemconv.AttrCreatedByRole, difysemconv.AttrCreatedBy,
		difysemconv.AttrRunStatus, difysemconv.AttrRunType, difysemconv.AttrRunTriggeredFrom, difysemconv.AttrUsageCurrency,
		difysemconv.AttrNodeID, difysemconv.AttrNodeType, difysemconv.AttrNodeTitle,
		"container.id", "container.name", "fluent.tag",
		"code.file.path", "log.logger"))
	maps.Copy(logAttributes, named(identifier, difysemconv.AttrLogRecordUID, difysemconv.AttrWorkflowAppLogID))
	maps.Copy(logAttributes, object{
		difysemconv.AttrRunElapsedTime:     number("double"),
		difysemconv.AttrRunTotalTokens:     number("long"),
		"http.response.status_code":        number("integer"),
		difysemconv.AttrRunTotalSteps:      number("long"),
		difysemconv.AttrRunExceptionsCount: number("long"),
		difysemconv.AttrRunError:           message(),
		difysemconv.AttrNodeError:          message(),
		difysemconv.AttrRunCreatedAt:       otherTime(),
		difysemconv.AttrRunFinishedAt:      otherTime(),
		difysemconv.AttrUsageTotalPrice:    number("double"),
		"exception.message":                message(),
		"exception.stacktrace":             text(),
	})
	return fields(object{
		"@timestamp":        nanos(),
		"observedTimestamp": otherTime(),
		"body":              text(),
		"severity":          fields(object{"text": keyword(), "number": number("integer")}),
		"traceId":           keyword(),
		"spanId":            identifier(),
		"schemaUrl":         object{"type": "keyword", "index": false, "doc_values": false},
		"instrumentationScope": fields(object{
			"name": keyword(), "version": keyword(),
		}),
		"resource":   attributes(resourceFields()),
		"attributes": attributes(logAttributes),
	})
}

func spanAttributeFields() object {
	spanAttributes := attributeFields()
	maps.Copy(spanAttributes, named(
		keyword,
		difysemconv.AttrNodeID,
		difysemconv.AttrNodeType,
		difysemconv.AttrNodeTitle,
		difysemconv.AttrUserType,
		difysemconv.AttrOriginalStatus,
		"http.method",
		"http.target",
		"http.url",
		"url.full",
		"url.scheme",
		"server.address",
		"net.peer.name",
		"client.address",
		"user_agent.original",
		"db.system",
		"db.name",
		"db.namespace",
		"db.operation",
		"messaging.destination",
		"celery.task_name",
		"celery.state",
		"celery.action",
		"gen_ai.operation.name",
		"gen_ai.provider.name",
		"gen_ai.request.model",
		"gen_ai.response.model",
		"gen_ai.span.kind",
		"gen_ai.tool.name",
	))
	maps.Copy(spanAttributes, object{
		"http.status_code":           number("integer"),
		"server.port":                number("integer"),
		"gen_ai.usage.input_tokens":  number("long"),
		"gen_ai.usage.output_tokens": number("long"),
		"gen_ai.usage.total_tokens":  number("long"),
	})
	return spanAttributes
}

func eventAttributeFields() object {
	return object{
		"exception.type": keyword(), "exception.message": message(), "exception.stacktrace": text(),
		"log.level": keyword(), "log.logger": keyword(), "log.message": text(), // Dify's log.exception
	}
}

func spanMappings() object {
	return fields(object{
		"@timestamp":   nanos(),
		"startTime":    otherTime(),
		"endTime":      otherTime(),
		"name":         keyword(),
		"kind":         keyword(),
		"traceId":      keyword(),
		"spanId":       identifier(),
		"parentSpanId": identifier(),
		"status":       fields(object{"code": keyword(), "message": text()}),
		"events": fields(object{
			"name":       keyword(),
			"@timestamp": nanos(),
			"attributes": attributes(eventAttributeFields()),
		}),
		"links": fields(object{"traceId": identifier(), "spanId": identifier()}),
		"instrumentationScope": fields(object{
			"name": keyword(), "version": keyword(),
		}),
		"resource":   attributes(resourceFields()),
		"attributes": attributes(spanAttributeFields()),
	})
}

func deadLetterMappings() object {
	return fields(object{
		"@timestamp": nanos(),
		"status":     number("integer"),
		"type":       keyword(),
		"reason":     text(),
		"index":      keyword(),
		"id":         keyword(),
		"document":   object{"type": "text", "index": false},
	})
}

func named(kind func() object, names ...string) object {
	properties := object{}
	for _, name := range names {
		properties[name] = kind()
	}
	return properties
}
