// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import (
	"encoding/json"
	"strings"
)

// traceGroupFields are those of the trace's root.
type traceGroupFields struct {
	EndTime         string `json:"endTime"`
	DurationInNanos int64  `json:"durationInNanos"`
	StatusCode      int    `json:"statusCode"`
}

// traceGroup is what a trace's root gives to all spans of the trace.
type traceGroup struct {
	name   json.RawMessage
	fields traceGroupFields
}

// traceGroups returns the groups of the traces whose root is in a request, by the trace's id as raw JSON.
func traceGroups(body []byte) map[string]traceGroup {
	var groups map[string]traceGroup
	var s scanner
	for len(body) > 0 {
		var doc []byte
		_, body = CutLine(body) // the action
		doc, body = CutLine(body)
		s.scan(doc, documentPaths)
		parsed := newDocument(doc, s.found)
		if !parsed.isSpan || len(text(parsed.value(pathParentSpanID))) > 0 {
			continue
		}
		var root exportedSpan
		if json.Unmarshal(doc, &root) != nil {
			continue
		}
		if groups == nil {
			groups = map[string]traceGroup{}
		}
		groups[string(root.TraceID)] = traceGroup{name: groupName(root.Name), fields: traceGroupFields{
			EndTime: root.EndTime, DurationInNanos: root.duration(), StatusCode: root.Status.number(),
		}}
	}
	return groups
}

// maxGroupName is how many bytes of the root's name each span of the trace repeats: OpenSearch's trace schema indexes
// no more.
const maxGroupName = 1024

func groupName(name json.RawMessage) json.RawMessage {
	if len(name) <= maxGroupName {
		return orEmpty(name)
	}
	whole := decoded(name)
	cut := strings.ToValidUTF8(whole[:min(len(whole), maxGroupName)], "")
	return json.RawMessage(`"` + jsonText(cut) + `"`)
}
