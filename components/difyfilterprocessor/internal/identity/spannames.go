// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"regexp"
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Names of spans, by what they describe.
const (
	nameWorkflow = "workflow"
	nameChatflow = "chatflow"
	nameMessage  = "message"
	nameLLM      = "llm"
	nameTool     = "execute_tool"
)

// operations are the operations of a message that a provider marks as tools. They keep their names.
var operations = map[string]bool{
	"moderation": true, "suggested_question": true, "generate_name": true, "dataset_retrieval": true,
	"api_check": true, nameWorkflow: true, nameChatflow: true, nameMessage: true, nameLLM: true, nameTool: true,
}

// nodeTypes are the types of Dify's nodes, for spans that say theirs only in the name.
var nodeTypes = map[string]bool{
	"start": true, "end": true, "answer": true, "llm": true, "knowledge-retrieval": true, "if-else": true, "code": true,
	"template-transform": true, "question-classifier": true, "http-request": true, "tool": true, "datasource": true,
	"variable-aggregator": true, "variable-assigner": true, "assigner": true, "loop": true, "loop-start": true,
	"loop-end": true, "iteration": true, "iteration-start": true, "parameter-extractor": true, "agent": true,
	"document-extractor": true, "list-operator": true, "knowledge-index": true, "human-input": true,
	"trigger-webhook": true, "trigger-schedule": true, "trigger-plugin": true,
}

var (
	withID = regexp.MustCompile(
		`(?i)^([a-z][a-z0-9 .-]*)[_:. -]([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$`)
	withIndex = regexp.MustCompile(`^([A-Za-z_-]+)\[\d+\]$`)
)

// cutID cuts a UUID off the end of a name.
func cutID(spanName string) (kind, id string, ok bool) {
	if len(spanName) > 36 {
		if m := withID.FindStringSubmatch(spanName); m != nil {
			return m[1], m[2], true
		}
	}
	return spanName, "", false
}

// typeInName returns the type of the node in a name <type>_<title>.
func typeInName(spanName string) string {
	if before, _, ok := strings.Cut(spanName, "_"); ok && nodeTypes[before] {
		return before
	}
	return ""
}

// nameSpan gives a span a name of few values: names of emitters contain IDs of runs, and titles and names that users
// chose. The title is kept in an attribute.
func (r *RunSpans) nameSpan(shape emitter.Shape, span ptrace.Span) {
	attributes := span.Attributes()
	if attrs.Has(attributes, difysemconv.AttrNodeTitle) && shape != emitter.Enterprise {
		return
	}
	switch shape {
	case emitter.Provider, emitter.OlderProvider:
		nameProvider(span, attrs.Text(attributes, difysemconv.AttrNodeType))
	case emitter.ProviderOps:
		nameOps(span, attrs.Text(attributes, difysemconv.AttrNodeType))
	case emitter.Trajectory:
		r.nameTrajectory(span)
	default: // their names have few values
	}
}

func nameProvider(span ptrace.Span, nodeType string) {
	attributes := span.Attributes()
	kind, _, cut := cutID(span.Name())
	switch index := withIndex.FindStringSubmatch(span.Name()); {
	case nodeType != "":
		title := strings.TrimPrefix(span.Name(), nodeType+"_")
		retitle(span, nodeType, title)
		if tool, ok := attributes.Get("gen_ai.tool.name"); ok && attrs.Str(tool) == nodeType+"_"+title {
			tool.SetStr(title)
		}
	case cut:
		span.SetName(kind)
	case index != nil:
		span.SetName(index[1])
	case operations[span.Name()]:
	case attrs.Text(attributes, attrSpanKind) != "":
		retitle(span, kindName(attrs.Text(attributes, attrSpanKind)), span.Name())
	}
}

// kindName is the name of a span that no node or operation explains.
func kindName(kind string) string {
	switch kind {
	case "TOOL":
		return nameTool
	case "AGENT":
		return "invoke_agent"
	case "LLM":
		return "chat"
	case "RETRIEVER":
		return "retrieval"
	default:
		return strings.ToLower(kind)
	}
}

func nameOps(span ptrace.Span, nodeType string) {
	switch kind := attrs.Text(span.Attributes(), attrOpsSpanType); {
	case nodeType != "":
		retitle(span, nodeType, span.Name())
	case operations[strings.ToLower(span.Name())]:
	case kind != "":
		retitle(span, kind, span.Name())
	}
}

// nameTrajectory bounds the names of models and tools: what is not in the names that were seen becomes the operation.
func (r *RunSpans) nameTrajectory(span ptrace.Span) {
	operation, of, ok := strings.Cut(span.Name(), " ")
	if !ok {
		return
	}
	if !boundedName.MatchString(of) || longNumber.MatchString(of) || !r.fewNames(span.Name()) {
		span.SetName(operation)
	}
}

// boundedName matches a short name of one word, longNumber an ID in it.
var (
	boundedName = regexp.MustCompile(`^[\p{L}\d_.:/@-]{1,64}$`)
	longNumber  = regexp.MustCompile(`(?i)[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{16}|\d{9}`)
)

// maxNames bounds the different names of Trajectory's spans.
const maxNames = 200

// fewNames reports whether a name is one of the first maxNames.
func (r *RunSpans) fewNames(spanName string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.names[spanName] && len(r.names) < maxNames {
		r.names[strings.Clone(spanName)] = true
	}
	return r.names[spanName]
}

func retitle(span ptrace.Span, name, title string) {
	span.Attributes().PutStr(difysemconv.AttrNodeTitle, title)
	span.SetName(name)
}
