// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"cmp"
	"strings"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// name is what an emitter calls an ID, and the attribute in which this distribution has it.
type name struct{ theirs, ours string }

// ownNames are attributes of the spans and the events of the emitters.
var ownNames = []name{
	{"dify.workflow.run_id", difysemconv.AttrWorkflowRunID},
	{"dify.workflow.id", difysemconv.AttrWorkflowID},
	{"dify.node.id", difysemconv.AttrNodeID},
	{"dify.node.type", difysemconv.AttrNodeType},
	{"node_type", difysemconv.AttrNodeType},
	{"dify.node.execution_id", difysemconv.AttrNodeExecutionID},
	{"dify.conversation.id", difysemconv.AttrConversationID},
	{"dify.message.id", difysemconv.AttrMessageID},
	{"dify.user.id", attrs.UserID},
	{"dify.invoked_by", attrs.UserID},
	{"workspace_name", difysemconv.AttrWorkspaceName},
	{"app_name", difysemconv.AttrAppName},
}

// metadataNames are keys of the JSON object that a provider writes into one attribute.
var metadataNames = []name{
	{"tenant_id", difysemconv.AttrTenantID},
	{"app_id", difysemconv.AttrAppID},
	{"workflow_id", difysemconv.AttrWorkflowID},
	{"workflow_run_id", difysemconv.AttrWorkflowRunID},
	{"conversation_id", difysemconv.AttrConversationID},
	{"message_id", difysemconv.AttrMessageID},
	{"user_id", attrs.UserID},
	{"from_end_user_id", attrs.UserID},
	{"from_account_id", attrs.UserID},
	{"workspace_name", difysemconv.AttrWorkspaceName},
	{"app_name", difysemconv.AttrAppName},
	{"node_id", difysemconv.AttrNodeID},
	{"node_type", difysemconv.AttrNodeType},
	{"node_execution_id", difysemconv.AttrNodeExecutionID},
	{"triggered_from", difysemconv.AttrRunTriggeredFrom},
}

const (
	maxName     = 256     // longer values are no IDs or names
	maxMetadata = 1 << 20 // longer metadata is not read
)

// attributes that only one emitter has.
const (
	attrSessionID   = "session.id"
	attrEnterprise  = "dify.trace_id" // of Enterprise
	attrOpsSession  = "dify.session.id"
	attrOpsSpanType = "dify.span.type"
	attrSpanKind    = "openinference.span.kind"
)

// readNames sets the IDs that a span has by itself.
func readNames(shape emitter.Shape, span ptrace.Span) {
	attributes := span.Attributes()
	RenameRecordIDs(attributes)
	switch {
	case shape.HasMetadata():
		readMetadata(attributes)
		readProvider(span)
	case shape == emitter.Enterprise:
		readEnterprise(span)
	case shape == emitter.ProviderOps:
		copyConversation(attributes, attrs.Text(attributes, attrOpsSession))
	}
}

// RenameRecordIDs sets the IDs of a span or a log record under the names that all have. The original names stay.
func RenameRecordIDs(attributes pcommon.Map) {
	for _, n := range ownNames {
		copyName(attributes, n.ours, attrs.Text(attributes, n.theirs))
	}
}

func copyName(attributes pcommon.Map, key, value string) {
	if value != "" && len(value) <= maxName {
		attrs.PutAbsent(attributes, key, value)
	}
}

// readMetadata reads key by key, so that a truncated object still yields what precedes the defect.
func readMetadata(attributes pcommon.Map) {
	found := map[string]string{}
	read := func(key string, value gjson.Result) {
		switch value.Type {
		case gjson.String:
			found[key] = strings.Clone(value.Str)
		case gjson.Number:
			found[key] = strings.Clone(value.Raw)
		default:
		}
	}
	v, ok := attributes.Get(emitter.AttrMetadata)
	if !ok {
		return
	}
	switch v.Type() {
	case pcommon.ValueTypeStr:
		if len(v.Str()) > maxMetadata {
			return
		}
		gjson.Parse(v.Str()).ForEach(func(key, value gjson.Result) bool {
			read(key.Str, value)
			return true
		})
	case pcommon.ValueTypeMap:
		for key, value := range v.Map().All() {
			found[key] = attrs.Str(value)
		}
	default:
		return
	}
	for _, n := range metadataNames {
		copyName(attributes, n.ours, found[n.theirs])
	}
}

// readProvider takes IDs from the name and the ID of a provider's span, where its metadata lacks them.
func readProvider(span ptrace.Span) {
	attributes := span.Attributes()
	id := attrs.Text(attributes, difysemconv.AttrSpanID)
	kind, named, _ := cutID(span.Name())
	switch {
	case kind == nameWorkflow:
		copyName(attributes, difysemconv.AttrWorkflowRunID, cmp.Or(named, uuidOr(id)))
	case kind == nameChatflow, span.Name() == nameMessage:
		copyName(attributes, difysemconv.AttrMessageID, cmp.Or(named, uuidOr(id)))
		copyConversation(attributes, attrs.Text(attributes, attrSessionID))
	case kind == nameLLM && strings.HasSuffix(id, ":"+nameLLM):
		copyName(attributes, difysemconv.AttrMessageID, uuidOr(strings.TrimSuffix(id, ":"+nameLLM)))
	case attrs.Has(attributes, difysemconv.AttrNodeID):
		execution := cmp.Or(uuidOr(id), uuidOr(attrs.Text(attributes, difysemconv.AttrNodeID)))
		copyName(attributes, difysemconv.AttrNodeExecutionID, execution)
	default:
		if nodeType := typeInName(span.Name()); nodeType != "" && uuidOr(id) != "" {
			copyName(attributes, difysemconv.AttrNodeType, nodeType)
			copyName(attributes, difysemconv.AttrNodeExecutionID, id)
		}
	}
}

// readEnterprise takes the run from the ID of the trace, which is the run's, as long as the span says nothing else. The
// trace of a node that is tried out in the editor has the ID of that node.
func readEnterprise(span ptrace.Span) {
	attributes := span.Attributes()
	if span.Name() != spanEnterpriseRun && span.Name() != spanEnterpriseNode {
		return
	}
	id := uuid.UUID(span.TraceID()).String()
	if said := attrs.Text(attributes, attrEnterprise); said == "" || said == id {
		copyName(attributes, difysemconv.AttrWorkflowRunID, id)
	}
}

// Names of spans of Enterprise.
const (
	spanEnterpriseRun  = "dify.workflow.run"
	spanEnterpriseNode = "dify.node.execution"
)

// copyConversation sets a conversation from the ID of a session, which is the run's for apps without conversations, and
// free text if the caller of Dify set it.
func copyConversation(attributes pcommon.Map, session string) {
	if session != attrs.Text(attributes, difysemconv.AttrWorkflowRunID) {
		copyName(attributes, difysemconv.AttrConversationID, uuidOr(session))
	}
}

// uuidOr returns id if it is a UUID, else "".
func uuidOr(id string) string {
	if len(id) != 36 || uuid.Validate(id) != nil {
		return ""
	}
	return id
}
