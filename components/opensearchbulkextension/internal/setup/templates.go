// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"encoding/json"
)

// templateVersion goes up whenever a template changes.
const templateVersion = 3

// priority is above the default of a template (0), and below what people choose to override others.
const priority = 150

// Indices of the shipped pipelines.
const (
	workflowLogs = "workflow-logs-*"
	logs         = "dify-logs-*"
)

// Options are what an operator can choose.
type Options struct {
	DeadLetterIndex    string
	AutoExpandReplicas string
	// TraceViews is set if spans are written for OpenSearch's trace views.
	TraceViews bool
	// Shards of each index.
	Shards int
	// Codec compresses the documents.
	Codec string
}

// Template is one index template.
type Template struct {
	Name     string
	pattern  string
	settings object
	mappings object
}

// object is a JSON object.
type object = map[string]any

// Templates returns the templates that the shipped pipelines need.
func Templates(opts Options) []Template {
	settings := indexSettings(opts)
	spans := spansOf(opts)
	return []Template{
		{Name: "otelcol-dify-workflow-logs", pattern: workflowLogs, settings: settings, mappings: logMappings()},
		{Name: "otelcol-dify-logs", pattern: logs, settings: settings, mappings: logMappings()},
		{Name: spans.template, pattern: spans.pattern, settings: settings, mappings: spans.mappings},
		{
			Name: "otelcol-dify-dead-letter", pattern: opts.DeadLetterIndex, settings: settings,
			mappings: deadLetterMappings(),
		},
	}
}

func indexSettings(opts Options) object {
	return object{"index": object{
		"number_of_shards":     opts.Shards,
		"auto_expand_replicas": opts.AutoExpandReplicas,
		"codec":                opts.Codec,
		// A value of the wrong type is kept and not indexed; otherwise the document would be rejected.
		"mapping": object{"ignore_malformed": true},
	}}
}

func (t Template) body() []byte {
	return t.render(t.checksum())
}

func (t Template) plainBody() []byte { return t.plain().body() }

// plain returns the template without `disable_objects`, which OpenSearch before 3 does not support.
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

// checksum reads the template as OpenSearch would return it, so that both are compared in one form.
func (t Template) checksum() string {
	var read installed
	if json.Unmarshal(t.render(""), &read) != nil {
		return ""
	}
	return read.checksum()
}

func (t Template) render(checksum string) []byte {
	body, err := json.Marshal(t.content(object{
		"managed_by": managedBy, "checksum": checksum,
		"description": "Written by otelcol-dify. It is left alone once it is changed.",
	}))
	if err != nil { // impossible: the template is made of maps and texts
		return nil
	}
	return body
}

// content returns the template as OpenSearch accepts it.
func (t Template) content(meta object) object {
	content := object{
		"index_patterns": []string{t.pattern},
		"priority":       priority,
		"version":        templateVersion,
		"composed_of":    []string{},
		"template":       object{"settings": t.settings, "mappings": t.mappings},
	}
	if meta != nil {
		content["_meta"] = meta
	}
	return content
}
