// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"encoding/json"
	"strings"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

func idsOf(attrs pcommon.Map) ids {
	found := ids{
		tenant:   text(attrs, difysemconv.AttrTenantID),
		app:      text(attrs, difysemconv.AttrAppID),
		workflow: text(attrs, difysemconv.AttrWorkflowID),
	}
	if found.workflow == "unknown" { // Dify's word for none
		found.workflow = ""
	}
	return found
}

// runOf reads a run from a span: from the start node's output, or from the id that the span bears already. Only nodes and
// runners are sources: an ancestor that was given the id has other descendants than the run.
func runOf(span ptrace.Span, node bool) (run, bool) {
	root := span.SpanID()
	if node && !span.ParentSpanID().IsEmpty() {
		root = span.ParentSpanID()
	}
	attrs := span.Attributes()
	if id := text(attrs, difysemconv.AttrWorkflowRunID); id != "" {
		if !node && !isRunner(span) {
			return run{}, false
		}
		return run{id: id, root: root, way: []pcommon.SpanID{root}, ids: idsOf(attrs)}, true
	}
	if !node || !startsRun(text(attrs, difysemconv.AttrNodeType)) {
		return run{}, false
	}
	id, found := readStart(text(attrs, "output.value"))
	if id == "" {
		return run{}, false
	}
	return run{id: id, root: root, way: []pcommon.SpanID{root}, ids: found}, true
}

// isRunner is true for the span of a run itself.
func isRunner(span ptrace.Span) bool { return strings.HasSuffix(span.Name(), "Runner.run") }

func startsRun(nodeType string) bool {
	return nodeType == "start" || strings.HasPrefix(nodeType, "trigger")
}

// readStart reads the system variables among the start node's outputs. It reads key by key, so that an output which was
// cut off, or holds what JSON does not know, still tells what stands before.
func readStart(output string) (runID string, found ids) {
	if !strings.Contains(output, `"sys.workflow_run_id"`) {
		return "", ids{}
	}
	decoder := json.NewDecoder(strings.NewReader(output))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return "", ids{}
	}
	for decoder.More() && (runID == "" || found.app == "" || found.workflow == "") {
		key, err := decoder.Token()
		if err != nil {
			break
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			break
		}
		id, _ := value.(string)
		if uuid.Validate(id) != nil {
			continue
		}
		switch key {
		case "sys.workflow_run_id":
			runID = id
		case "sys.app_id":
			found.app = id
		case "sys.workflow_id":
			found.workflow = id
		}
	}
	return runID, found
}
