// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"encoding/json"
	"maps"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// templateVersion goes up whenever a template changes.
const templateVersion = 2

// priority is above that of templates people make without thinking of one (0), and below what they choose to override
// with.
const priority = 150

// Indices of the shipped pipelines.
const (
	workflowLogs = "workflow-logs-*"
	logs         = "dify-logs-*"
	traces       = "dify-traces-*"
)

// Options are what an operator can choose.
type Options struct {
	DeadLetterIndex    string
	AutoExpandReplicas string
}

// Template is one index template.
type Template struct {
	Name     string
	pattern  string
	replicas string
	mappings map[string]any
}

// object is a JSON object.
type object = map[string]any

// Templates are those that the shipped pipelines need.
func Templates(opts Options) []Template {
	return []Template{
		{Name: "otelcol-dify-workflow-logs", pattern: workflowLogs, replicas: opts.AutoExpandReplicas, mappings: logMappings()},
		{Name: "otelcol-dify-logs", pattern: logs, replicas: opts.AutoExpandReplicas, mappings: logMappings()},
		{Name: "otelcol-dify-traces", pattern: traces, replicas: opts.AutoExpandReplicas, mappings: spanMappings()},
		{Name: "otelcol-dify-dead-letter", pattern: opts.DeadLetterIndex, replicas: opts.AutoExpandReplicas, mappings: deadLetterMappings()},
	}
}

func keyword() object { return object{"type": "keyword", "ignore_above": 1024} }
func text() object    { return object{"type": "text"} }

// message is searched by its words, and counted as a whole under `.keyword`. Lucene's longest term has 32,766 bytes.
func message() object {
	return object{"type": "text", "fields": object{"keyword": object{"type": "keyword", "ignore_above": 32766 / 4}}}
}

func number(kind string) object {
	return object{"type": kind}
}
func nanos() object { return object{"type": "date_nanos"} }

// fields is an object whose fields are these and no others: what else a document has is kept in it and not indexed.
func fields(properties object) object {
	return object{"dynamic": false, "properties": properties}
}

// attributes is a set of attributes with dots in their keys. `disable_objects` (OpenSearch 3) leaves the dots alone,
// so that `a` and `a.b` can both be there; without it the dots make objects, and the names below are chosen to bear
// that.
func attributes(properties object) object {
	return object{"type": "object", "dynamic": false, "disable_objects": true, "properties": properties}
}

func resourceFields() object {
	return named(keyword,
		"service.name", "service.namespace", "service.instance.id", "service.version",
		"host.name", "container.id", "container.name", "process.pid",
		difysemconv.AttrEnvironment, difysemconv.AttrRole, difysemconv.AttrEdition, difysemconv.AttrVersion, difysemconv.AttrCommit)
}

// attributeFields are those that both log records and spans have.
func attributeFields() object {
	shared := named(keyword,
		difysemconv.AttrTenantID, difysemconv.AttrWorkspaceName, difysemconv.AttrAppID, difysemconv.AttrAppName, difysemconv.AttrAppMode,
		difysemconv.AttrWorkflowID, difysemconv.AttrWorkflowRunID, difysemconv.AttrRole,
		"error.type", "exception.type",
		"http.request.method", "http.route", "url.path",
		"data_stream.dataset", "data_stream.namespace", "data_stream.type")
	shared["http.response.status_code"] = number("integer")
	return shared
}

func logMappings() object {
	logAttributes := attributeFields()
	maps.Copy(logAttributes, named(keyword,
		difysemconv.AttrLogRecordUID, difysemconv.AttrEventName, difysemconv.AttrWorkflowAppLogID,
		difysemconv.AttrCreatedFrom, difysemconv.AttrCreatedByRole, difysemconv.AttrCreatedBy,
		difysemconv.AttrRunStatus, difysemconv.AttrRunType, difysemconv.AttrRunTriggeredFrom, difysemconv.AttrUsageCurrency,
		"container.id", "container.name", "fluent.tag",
		"code.file.path", "log.logger"))
	maps.Copy(logAttributes, object{
		difysemconv.AttrRunElapsedTime:     number("double"),
		difysemconv.AttrRunTotalTokens:     number("long"),
		"http.response.status_code":        number("integer"),
		difysemconv.AttrRunTotalSteps:      number("long"),
		difysemconv.AttrRunExceptionsCount: number("long"),
		difysemconv.AttrRunError:           message(),
		difysemconv.AttrRunCreatedAt:       nanos(),
		difysemconv.AttrRunFinishedAt:      nanos(),
		difysemconv.AttrUsageTotalPrice:    number("double"),
		"exception.message":                message(),
		"exception.stacktrace":             text(),
	})
	return fields(object{
		"@timestamp":        nanos(),
		"observedTimestamp": nanos(),
		"body":              text(),
		"severity":          fields(object{"text": keyword(), "number": number("integer")}),
		"traceId":           keyword(),
		"spanId":            keyword(),
		"schemaUrl":         object{"type": "keyword", "index": false, "doc_values": false},
		"instrumentationScope": fields(object{
			"name": keyword(), "version": keyword(),
		}),
		"resource":   attributes(resourceFields()),
		"attributes": attributes(logAttributes),
	})
}

func spanMappings() object {
	spanAttributes := attributeFields()
	maps.Copy(spanAttributes, named(keyword,
		difysemconv.AttrNodeID, difysemconv.AttrNodeType, difysemconv.AttrNodeTitle, difysemconv.AttrNodeExecutionID, difysemconv.AttrUserType,
		difysemconv.AttrOriginalStatus,
		"http.method", "http.target", "http.url", "url.full", "url.scheme", "server.address", "net.peer.name", "client.address", "user_agent.original",
		"db.system", "db.name", "db.namespace", "db.operation",
		"messaging.destination",
		"celery.task_name", "celery.state", "celery.action",
		"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.span.kind", "gen_ai.tool.name"))
	maps.Copy(spanAttributes, object{
		"http.status_code":           number("integer"),
		"server.port":                number("integer"),
		"gen_ai.usage.input_tokens":  number("long"),
		"gen_ai.usage.output_tokens": number("long"),
		"gen_ai.usage.total_tokens":  number("long"),
	})
	return fields(object{
		"@timestamp":   nanos(),
		"startTime":    nanos(),
		"endTime":      nanos(),
		"name":         keyword(),
		"kind":         keyword(),
		"traceId":      keyword(),
		"spanId":       keyword(),
		"parentSpanId": keyword(),
		"status":       fields(object{"code": keyword(), "message": text()}),
		"events": fields(object{
			"name":       keyword(),
			"@timestamp": nanos(),
			"attributes": attributes(object{
				"exception.type": keyword(), "exception.message": message(), "exception.stacktrace": text(),
				"log.level": keyword(), "log.logger": keyword(), "log.message": text(), // Dify's log.exception
			}),
		}),
		"links": fields(object{"traceId": keyword(), "spanId": keyword()}),
		"instrumentationScope": fields(object{
			"name": keyword(), "version": keyword(),
		}),
		"resource":   attributes(resourceFields()),
		"attributes": attributes(spanAttributes),
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

func (t Template) settings() object {
	return object{"index": object{
		"number_of_shards":     1,
		"auto_expand_replicas": t.replicas,
		// A value of the wrong type is kept and not indexed, instead of costing the document its place.
		"mapping": object{"ignore_malformed": true},
	}}
}

func (t Template) body() []byte {
	return t.render(t.checksum())
}

func (t Template) plainBody() []byte { return t.plain().body() }

// plain is the template without `disable_objects`, which OpenSearch before 3 does not know.
func (t Template) plain() Template {
	t.mappings = withoutKey(t.mappings, "disable_objects")
	return t
}

func withoutKey(from object, key string) object {
	copied := object{}
	for name, value := range from {
		if name == key {
			continue
		}
		if child, ok := value.(object); ok {
			value = withoutKey(child, key)
		}
		copied[name] = value
	}
	return copied
}

// checksum reads the template back as OpenSearch would give it, so that both are compared in one form.
func (t Template) checksum() string {
	var read installed
	if json.Unmarshal(t.render(""), &read) != nil {
		return ""
	}
	return read.checksum()
}

func (t Template) render(checksum string) []byte {
	body, err := json.Marshal(t.content(object{
		"managed_by": managedBy, "checksum": checksum, "description": "Written by otelcol-dify. It is left alone once it is changed.",
	}))
	if err != nil { // can't be: the template is made of maps and texts
		return nil
	}
	return body
}

// content is the template as OpenSearch takes it.
func (t Template) content(meta object) object {
	content := object{
		"index_patterns": []string{t.pattern},
		"priority":       priority,
		"version":        templateVersion,
		"composed_of":    []string{},
		"template":       object{"settings": t.settings(), "mappings": t.mappings},
	}
	if meta != nil {
		content["_meta"] = meta
	}
	return content
}
