// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/internal/expiring"
)

// name is what an emitter calls an ID, and the attribute in which this distribution has it.
type name struct{ theirs, ours string }

// spanNames are attributes of the spans of the emitters.
var spanNames = []name{
	{"dify.workflow.run_id", difysemconv.AttrWorkflowRunID},
	{"dify.workflow.id", difysemconv.AttrWorkflowID},
	{"dify.node.id", difysemconv.AttrNodeID},
	{"dify.node.type", difysemconv.AttrNodeType},
	{"node_type", difysemconv.AttrNodeType},
	{"dify.node.execution_id", difysemconv.AttrNodeExecutionID},
	{"dify.conversation.id", difysemconv.AttrConversationID},
	{"dify.message.id", difysemconv.AttrMessageID},
	{"dify.user.id", attrs.UserID},
	{"workspace_name", difysemconv.AttrWorkspaceName},
	{"app_name", difysemconv.AttrAppName},
	{"dify.app.name", difysemconv.AttrAppName},
}

// metadataNames are keys of the JSON object that Provider writes into one attribute.
var metadataNames = []name{
	{"tenant_id", difysemconv.AttrTenantID},
	{"app_id", difysemconv.AttrAppID},
	{"workflow_id", difysemconv.AttrWorkflowID},
	{"workflow_run_id", difysemconv.AttrWorkflowRunID},
	{"conversation_id", difysemconv.AttrConversationID},
	{"message_id", difysemconv.AttrMessageID},
	{"user_id", attrs.UserID},
	{"workspace_name", difysemconv.AttrWorkspaceName},
	{"app_name", difysemconv.AttrAppName},
	{"node_id", difysemconv.AttrNodeID},
	{"node_type", difysemconv.AttrNodeType},
	{"node_execution_id", difysemconv.AttrNodeExecutionID},
}

// inherited are the attributes that Provider's spans have from the span above them.
var inherited = []string{
	difysemconv.AttrTenantID, difysemconv.AttrAppID, difysemconv.AttrWorkflowID, difysemconv.AttrWorkflowRunID,
	difysemconv.AttrConversationID, difysemconv.AttrMessageID, attrs.UserID, difysemconv.AttrWorkspaceName,
	difysemconv.AttrAppName,
}

// runIDs are the values of the attributes in inherited.
type runIDs [9]string

const (
	attrMetadata = "metadata"
	maxName      = 256 // longer values are no IDs or names
)

// RunSpans sets the IDs of spans that emitters other than ENABLE_OTEL send for runs, under the names that all spans
// have. Provider posts each span alone, the root first, and only the root has the IDs: the spans below it take them
// from memory. A span that comes before the one above it stays as it is; its session.id leads to the run. It is safe
// for concurrent use.
type RunSpans struct {
	mu    sync.Mutex
	known *expiring.Map[attrs.SpanKey, runIDs] // guarded by mu
}

// NewRunSpans returns a RunSpans that remembers at most limit spans, each for at least ttl if there is room.
func NewRunSpans(limit int, ttl time.Duration) *RunSpans {
	return &RunSpans{known: expiring.NewMap[attrs.SpanKey, runIDs](limit, ttl)}
}

// Identify sets the IDs and the names of the spans of a scope.
func (r *RunSpans) Identify(shape emitter.Shape, ss ptrace.ScopeSpans, now time.Time) {
	if shape == emitter.NoShape || shape == emitter.AgentPlatform {
		return
	}
	for _, span := range ss.Spans().All() {
		for _, n := range spanNames {
			copyName(span.Attributes(), n.ours, attrs.Text(span.Attributes(), n.theirs))
		}
		if shape == emitter.Provider {
			readMetadata(span.Attributes())
		}
	}
	if shape == emitter.Provider {
		r.inherit(ss.Spans(), now)
	}
	for _, span := range ss.Spans().All() {
		nameSpan(shape, span)
	}
}

func copyName(attributes pcommon.Map, key, value string) {
	if value != "" && len(value) <= maxName {
		attrs.PutAbsent(attributes, key, value)
	}
}

func readMetadata(attributes pcommon.Map) {
	metadata := attrs.Text(attributes, attrMetadata)
	if metadata == "" {
		return
	}
	found := make(map[string]string, len(metadataNames))
	gjson.Parse(metadata).ForEach(func(key, value gjson.Result) bool {
		if value.Type == gjson.String {
			found[key.Str] = value.Str
		}
		return true
	})
	for _, n := range metadataNames {
		copyName(attributes, n.ours, found[n.theirs])
	}
}

// inherit remembers all spans before it looks any up, so that the order within a batch does not matter.
func (r *RunSpans) inherit(spans ptrace.SpanSlice, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range maxDepth {
		changed := false
		for _, span := range spans.All() {
			key := attrs.SpanKey{Trace: span.TraceID(), Span: span.SpanID()}
			above, ok := r.known.Get(attrs.SpanKey{Trace: span.TraceID(), Span: span.ParentSpanID()}, now)
			if ok && !span.ParentSpanID().IsEmpty() && canInherit(span.Attributes(), above) {
				for i, key := range inherited {
					copyName(span.Attributes(), key, above[i])
				}
			}
			ids := idsOf(span.Attributes())
			if known, ok := r.known.Get(key, now); ids != (runIDs{}) && (!ok || known != ids) {
				r.known.Set(key, ids, now)
				changed = true
			}
		}
		if !changed {
			return
		}
	}
}

// maxDepth bounds the passes over a batch whose spans are in the order from leaves to root.
const maxDepth = 64

// canInherit reports whether a span belongs to the same run, as far as it says: a workflow that was called as a tool is
// a run of its own within the trace.
func canInherit(attributes pcommon.Map, above runIDs) bool {
	for i, key := range inherited {
		switch key {
		case difysemconv.AttrAppID, difysemconv.AttrWorkflowRunID, difysemconv.AttrMessageID:
			if own := attrs.Text(attributes, key); own != "" && above[i] != "" && own != above[i] {
				return false
			}
		}
	}
	return true
}

func idsOf(attributes pcommon.Map) (ids runIDs) {
	for i, key := range inherited {
		if value := attrs.Text(attributes, key); len(value) <= maxName {
			ids[i] = value
		}
	}
	return ids
}

// nameSpan gives a span a name of few values: names of emitters contain IDs of runs and titles of nodes.
func nameSpan(shape emitter.Shape, span ptrace.Span) {
	attributes := span.Attributes()
	if attrs.Has(attributes, difysemconv.AttrNodeTitle) {
		return
	}
	nodeType := attrs.Text(attributes, difysemconv.AttrNodeType)
	switch shape {
	case emitter.Provider:
		before, id, ok := strings.Cut(span.Name(), "_")
		switch {
		case nodeType != "":
			retitle(span, nodeType, strings.TrimPrefix(span.Name(), nodeType+"_"))
		case ok && uuid.Validate(id) == nil:
			span.SetName(before)
		case strings.HasSuffix(span.Name(), "]"):
			name, _, _ := strings.Cut(span.Name(), "[")
			span.SetName(name)
		case attrs.Text(attributes, "openinference.span.kind") == "TOOL" && !operations[span.Name()]:
			retitle(span, "execute_tool", span.Name())
		}
	case emitter.ProviderOps:
		if kind := attrs.Text(attributes, "dify.span.type"); nodeType != "" {
			retitle(span, nodeType, span.Name())
		} else if kind != "" && kind != strings.ToLower(span.Name()) {
			retitle(span, kind, span.Name())
		}
	case emitter.NoShape, emitter.Trajectory, emitter.AgentPlatform, emitter.Enterprise: // their names have few values
	}
}

func retitle(span ptrace.Span, name, title string) {
	span.Attributes().PutStr(difysemconv.AttrNodeTitle, title)
	span.SetName(name)
}

// operations are the operations of a message that Provider marks as tools. They keep their names.
var operations = map[string]bool{
	"moderation": true, "suggested_question": true, "generate_name": true, "execute_tool": true,
}
