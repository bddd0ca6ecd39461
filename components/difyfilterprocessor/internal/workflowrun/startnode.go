// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowrun

import (
	"encoding/json"
	"strings"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/identity"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// runOf returns the run that a span identifies: by the output of a start node, or by the run ID that the span already
// has. Only nodes and runners are sources, since an ancestor of a run has other descendants too.
func runOf(span ptrace.Span, node bool) (run, bool) {
	root := span.SpanID()
	if node && !span.ParentSpanID().IsEmpty() {
		root = span.ParentSpanID()
	}
	attributes := span.Attributes()
	if id := attrs.Text(attributes, difysemconv.AttrWorkflowRunID); id != "" {
		if !node && !isRunner(span) {
			return run{}, false
		}
		return run{id: id, root: root, path: []pcommon.SpanID{root}, ids: identity.IDsOf(attributes)}, true
	}
	if !node || !startsRun(attrs.Text(attributes, difysemconv.AttrNodeType)) {
		return run{}, false
	}
	id, found := readStart(attrs.Text(attributes, "output.value"))
	if id == "" {
		return run{}, false
	}
	return run{id: id, root: root, path: []pcommon.SpanID{root}, ids: found}, true
}

// isRunner reports whether a span is the span of a run itself.
func isRunner(span ptrace.Span) bool { return strings.HasSuffix(span.Name(), "Runner.run") }

func startsRun(nodeType string) bool {
	return nodeType == "start" || strings.HasPrefix(nodeType, "trigger")
}

// readStart reads the system variables from the output of a start node. It decodes key by key, so that a truncated or
// partly invalid output still yields the variables before the defect.
func readStart(output string) (runID string, found identity.IDs) {
	if !strings.Contains(output, `"sys.workflow_run_id"`) {
		return "", identity.IDs{}
	}
	decoder := json.NewDecoder(strings.NewReader(output))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return "", identity.IDs{}
	}
	for decoder.More() && (runID == "" || found.App == "" || found.Workflow == "") {
		key, err := decoder.Token()
		if err != nil {
			break
		}
		var value json.RawMessage // not decoded: it may be of any size and form
		if err := decoder.Decode(&value); err != nil {
			break
		}
		id := shortText(value)
		if uuid.Validate(id) != nil {
			continue
		}
		switch key {
		case "sys.workflow_run_id":
			runID = id
		case "sys.app_id":
			found.App = id
		case "sys.workflow_id":
			found.Workflow = id
		}
	}
	return runID, found
}

// shortText returns a JSON string without its quotes, and "" for a longer one than an ID, or another value.
func shortText(value json.RawMessage) string {
	if len(value) > maxIDLength || value[0] != '"' {
		return ""
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return ""
	}
	return text
}

// maxIDLength is more than the length of an ID in its longest form, with quotes and escapes.
const maxIDLength = 512
