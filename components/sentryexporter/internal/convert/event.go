// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"encoding/json"
	"regexp"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/grouping"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/tracetree"
)

const attrTask = "celery.task_name"

// eventTags are the attributes that become tags, from the span or the nearest span above it that has them.
var eventTags = []string{
	difysemconv.AttrAppID, difysemconv.AttrAppName, difysemconv.AttrAppMode, difysemconv.AttrTenantID,
	difysemconv.AttrWorkspaceName, difysemconv.AttrWorkflowID, difysemconv.AttrWorkflowRunID, difysemconv.AttrUserType,
	difysemconv.AttrNodeType, difysemconv.AttrNodeID, difysemconv.AttrNodeTitle, difysemconv.AttrNodeExecutionID,
	difysemconv.AttrRunStatus, difysemconv.AttrRunTriggeredFrom, difysemconv.AttrCreatedFrom,
	difysemconv.AttrCreatedByRole, difysemconv.AttrMessageID, difysemconv.AttrConversationID,
	difysemconv.AttrRole, attrTask, "gen_ai.request.model", "gen_ai.provider.name",
}

// fillFromSpan sets what a span, and those above it, say about an event.
func fillFromSpan(ev *protocol.Event, n *tracetree.Node) {
	if root := n.Segment.Root; n.Segment.Complete {
		ev.Transaction = transactionOf(root)
		setResponse(ev, root.Span.Attributes())
	}
	for _, key := range eventTags {
		tag(ev, key, n.Inherited(key))
	}
	ev.User = userOf(n.Inherited(keysUser...))
	ev.Request = requestOfSpan(n.Segment.Root)
	d := describe(n)
	ev.Contexts["trace"] = protocol.TraceContext{
		TraceID: n.TraceHex(), SpanID: n.IDHex(), ParentSpanID: n.ParentHex(),
		Op: protocol.Text(d.op, protocol.MaxOp), Status: statusOf(n.Span), Origin: protocol.Origin(d.origin, n.Scope),
	}
}

// transactionOf returns the name of the transaction that begins with a span.
func transactionOf(n *tracetree.Node) string {
	return protocol.Line(describe(n).transactionName(n.Span), protocol.MaxTransaction)
}

// setResponse sets the status of the response to a request.
func setResponse(ev *protocol.Event, attrs pcommon.Map) {
	protocol.Tag(ev.Tags, "http.status_code", attr.Text(attrs, keysStatus...))
	if code, ok := codeIn(attrs, keysStatus...); ok {
		ev.Contexts["response"] = map[string]any{"status_code": code}
	}
}

// pythonPath matches the version in the path of Python's library.
var pythonPath = regexp.MustCompile(`/python(\d\.\d{1,2})/`)

// setRuntime sets the runtime of an exception, which Dify's resource lacks, from its frames.
func setRuntime(ev *protocol.Event, exc *stacktrace.Exception) {
	if exc.Language != stacktrace.Python || ev.Contexts["runtime"] != nil {
		return
	}
	runtime := map[string]any{"name": "CPython"}
	for _, f := range exc.Frames {
		if m := pythonPath.FindStringSubmatch(f.File); m != nil {
			runtime["version"] = m[1]
			break
		}
	}
	ev.Contexts["runtime"] = runtime
}

// tag sets a tag from an attribute. Dify writes "unknown" for an ID that it does not have.
func tag(ev *protocol.Event, key, value string) {
	if value != "unknown" {
		protocol.Tag(ev.Tags, key, value)
	}
}

// newEvent returns an event without what depends on where the exception was recorded.
func (c *Converter) newEvent(
	id *resource.Identity,
	r recorded,
	exc *stacktrace.Exception,
	extra map[string]string,
) *protocol.Event {
	ev := &protocol.Event{
		Timestamp: r.at.UTC(),
		Level:     r.level,
		Logger:    protocol.Line(r.logger, protocol.MaxLogger),
		Extra:     extra,
	}
	id.Fill(ev)
	ev.SDK = c.SDK
	ev.Platform = platformOf(exc, ev.Platform)
	setRuntime(ev, exc)
	if r.logMessage != "" {
		ev.LogEntry = &protocol.LogEntry{Message: protocol.Text(r.logMessage, protocol.MaxValue)}
	}
	if r.source != "" {
		extra["log.source"] = protocol.Text(r.source, protocol.MaxPath)
	}
	if exc.Type != "" || exc.Message != "" || len(exc.Frames) > 0 {
		ev.Exception = &protocol.Values[*protocol.Exception]{Values: payloadExceptions(exc, mechanismOf(r))}
	} else if ev.LogEntry == nil {
		ev.LogEntry = &protocol.LogEntry{Message: "exception without type and message"}
	}
	return ev
}

// faultOf returns what an exception stands for. The class that only passes the failure on is kept in extra.
func faultOf(exc *stacktrace.Exception, extra map[string]string) grouping.Fault {
	f := grouping.Of(exc)
	if f.Wrapper != "" && f.Wrapper != grouping.RunFailure {
		extra["exception.wrapper"] = protocol.Line(f.Wrapper, protocol.MaxType)
	}
	return f
}

// fingerprintOf returns the fingerprint of a failure. Exceeded time limits are grouped by task, as in Sentry's SDK.
func fingerprintOf(f grouping.Fault, task string) []string {
	if limit := grouping.TimeLimit(f.Exception, task); limit != nil {
		return limit
	}
	return f.Fingerprint
}

// eventItem encodes an event; nil, with a discard, if that fails.
func (r *Result) eventItem(ev *protocol.Event, id item.ID, to item.Route) *item.Item {
	payload, err := encodeEvent(ev)
	if err != nil {
		r.Discard(item.ReasonInternal, to, protocol.CategoryError, 1)
		return nil
	}
	return &item.Item{
		Category: protocol.CategoryError, EventID: ev.EventID, Route: to, Time: ev.Timestamp, Count: 1,
		Size: len(payload), Payload: payload, ID: id,
	}
}

// encodeEvent encodes an event, and makes it smaller in steps if it is larger than Sentry accepts.
func encodeEvent(ev *protocol.Event) ([]byte, error) {
	payload, err := json.Marshal(ev)
	for _, shrink := range []func(*protocol.Event){withoutExtra, withFewerFrames, withOneException} {
		if err != nil || len(payload) <= protocol.MaxPayload {
			break
		}
		shrink(ev)
		ev.Tags["otelcol.trimmed"] = "true"
		payload, err = json.Marshal(ev)
	}
	return payload, err
}

func withoutExtra(ev *protocol.Event) { ev.Extra = nil }

func withFewerFrames(ev *protocol.Event) {
	const kept = 20
	if ev.Exception == nil {
		return
	}
	for _, e := range ev.Exception.Values {
		if e.Stacktrace != nil && len(e.Stacktrace.Frames) > kept {
			e.Stacktrace.Frames = e.Stacktrace.Frames[len(e.Stacktrace.Frames)-kept:]
		}
	}
}

func withOneException(ev *protocol.Event) {
	if ev.Exception != nil {
		ev.Exception.Values = ev.Exception.Values[len(ev.Exception.Values)-1:]
	}
}

func userOf(id string) *protocol.User {
	if id == "" {
		return nil
	}
	return &protocol.User{ID: protocol.Line(id, protocol.MaxUserID)}
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
