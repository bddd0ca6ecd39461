// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/grouping"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/route"
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
	difysemconv.AttrCreatedByRole,
	difysemconv.AttrRole, attrTask, "gen_ai.request.model", "gen_ai.provider.name",
}

// occurrence is one recording of an exception on a span.
type occurrence struct {
	node  *tracetree.Node
	what  recorded
	exc   *stacktrace.Exception
	fault grouping.Fault
	extra map[string]string
	route item.Route
}

// exceptions makes the error events of a push.
type exceptions struct {
	*Converter
	Result

	routes *route.Lookup
	read   int // exceptions
}

// Bounds of the exceptions that become events. OpenTelemetry's SDKs keep 128 events of a span; a push of Dify's has a
// few exceptions. Without a bound, a request of some hundred KB becomes gigabytes of events.
const (
	maxSpanExceptions = 128
	maxPushExceptions = 2000
)

// Exceptions makes the error events of a push: one for each exception, on however many spans it is recorded. The
// nodes are linked, and their segments have routes.
func (c *Converter) Exceptions(nodes []*tracetree.Node, routes *route.Lookup) Result {
	e := exceptions{Converter: c, routes: routes}
	e.ofNodes(nodes)
	return e.Result
}

func (e *exceptions) ofNodes(nodes []*tracetree.Node) {
	byID := map[item.ID][]*occurrence{}
	var order []item.ID
	for _, n := range nodes {
		if n.WasPending { // its exceptions were reported when it came
			continue
		}
		all, left := recordedBy(n, min(maxSpanExceptions, maxPushExceptions-e.read))
		e.read += len(all)
		if left > 0 {
			e.Discard(item.ReasonBufferFull, e.routeOf(n), protocol.CategoryError, left)
		}
		for _, r := range all {
			r.scope = n.Scope
			o := &occurrence{node: n, what: r, extra: map[string]string{}, route: e.routeOf(n)}
			o.exc = exceptionOf(r, o.extra)
			if reason, ignored := e.ignores(r, o.exc); ignored {
				e.Discard(reason, o.route, protocol.CategoryError, 1)
				continue
			}
			o.fault = faultOf(o.exc, o.extra)
			id := exceptionID(n.TraceHex(), r, o.fault)
			if byID[id] == nil {
				order = append(order, id)
			}
			byID[id] = append(byID[id], o)
		}
	}
	for _, id := range order {
		all := byID[id]
		e.Discard(item.ReasonDuplicate, all[0].route, protocol.CategoryError, len(all)-1)
		if n := all[0].node; !sampled(n.Part.Trace, e.SampleRate) {
			e.unsampledError(all[0].route, runsOf(all))
			continue
		}
		e.exception(id, slices.MaxFunc(all, deeper), slices.MaxFunc(all, moreDetailed), runsOf(all))
	}
}

// runsOf returns the workflow runs that an exception passed: a workflow that is called as a tool has a run of its own.
func runsOf(all []*occurrence) []string {
	var out []string
	for _, o := range all {
		if run := o.node.Inherited(difysemconv.AttrWorkflowRunID); run != "" && !slices.Contains(out, run) {
			out = append(out, run)
		}
	}
	return out
}

// unsampledError discards an exception because of the sample rate. Its failed runs are not reported in its place.
func (r *Result) unsampledError(to item.Route, supersedes []string) {
	r.Discard(item.ReasonSampled, to, protocol.CategoryError, 1)
	r.Superseded = append(r.Superseded, supersedes...)
}

// deeper prefers the span on which an exception happened to the spans that it passed on its way out.
func deeper(a, b *occurrence) int { return cmp.Compare(a.node.Depth(), b.node.Depth()) }

// moreDetailed prefers the recording that Sentry's SDK would have made, which is the logged one, then the longest stack
// trace.
func moreDetailed(a, b *occurrence) int {
	if a.what.logged != b.what.logged {
		if a.what.logged {
			return 1
		}
		return -1
	}
	return cmp.Compare(len(a.exc.Frames), len(b.exc.Frames))
}

func (e *exceptions) routeOf(n *tracetree.Node) item.Route {
	if to := e.routes.FindInTrace(n.Part.Trace, n.Identity.Attributes, n.Span.Attributes()); to != (item.Route{}) {
		return to
	}
	return n.Segment.Route
}

// exception makes the event of an exception from the place where it happened and the most detailed recording.
func (e *exceptions) exception(id item.ID, where, what *occurrence, supersedes []string) {
	n := where.node
	ev := e.newEvent(n.Identity, what.what, what.fault.Exception, what.extra)
	ev.EventID = id.String()
	if root := n.Segment.Root; n.Segment.Complete {
		ev.Transaction = protocol.Line(describe(root).transactionName(root.Span), protocol.MaxTransaction)
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
	ev.Fingerprint = fingerprintOf(what.fault, n.Inherited(attrTask))
	e.addEvent(ev, id, where.route, supersedes)
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

// exceptionID returns an ID that is the same wherever and however often an exception is recorded in a trace: it is made
// from the trace and from what identifies the failure.
func exceptionID(traceID string, r recorded, f grouping.Fault) item.ID {
	if f.Exception.Type == "" && f.Exception.Message == "" {
		return item.NewID("log", traceID, r.logger, r.logMessage, r.stack)
	}
	return item.NewID(append([]string{"exception", traceID}, f.Key()...)...)
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

func (r *Result) addEvent(ev *protocol.Event, id item.ID, to item.Route, supersedes []string) {
	if it := r.eventItem(ev, id, to); it != nil {
		it.Supersedes = supersedes
		r.Events = append(r.Events, it)
	}
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
