// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/getsentry/sentry-go"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

func sdkInfo() sentry.SdkInfo { return sentry.SdkInfo{Name: clientName, Version: clientVersion} }

// eventTags are the attributes that become tags, from the span or the nearest above it that has them.
var eventTags = []string{
	difysemconv.AttrAppID, difysemconv.AttrAppName, difysemconv.AttrAppMode, difysemconv.AttrTenantID,
	difysemconv.AttrWorkspaceName, difysemconv.AttrWorkflowID, difysemconv.AttrWorkflowRunID, difysemconv.AttrUserType,
	difysemconv.AttrNodeType, difysemconv.AttrNodeID, difysemconv.AttrNodeTitle, difysemconv.AttrNodeExecutionID,
	difysemconv.AttrRunStatus, difysemconv.AttrRunTriggeredFrom, difysemconv.AttrCreatedFrom, difysemconv.AttrCreatedByRole,
	difysemconv.AttrRole, "celery.task_name", "gen_ai.request.model", "gen_ai.provider.name",
}

// occurrence is one recording of an exception on a span.
type occurrence struct {
	node  *node
	what  recorded
	exc   *stacktrace.Exception
	extra map[string]string
	route item.Route
}

// exceptions makes the error events of a push: one for each exception, on however many spans it is recorded.
func (c *conversion) exceptions(nodes []*node) {
	byID := map[item.ID][]*occurrence{}
	var order []item.ID
	for _, n := range nodes {
		if n.waited { // its exceptions were told when it came
			continue
		}
		for _, r := range recordedBy(n) {
			r.scope = n.scope
			o := &occurrence{node: n, what: r, extra: map[string]string{}, route: c.routeOf(n)}
			o.exc = exceptionOf(r, o.extra)
			if c.ignore(r, o.exc, o.route) {
				continue
			}
			id := exceptionID(n.traceHex(), r, o.exc)
			if byID[id] == nil {
				order = append(order, id)
			}
			byID[id] = append(byID[id], o)
		}
	}
	for _, id := range order {
		all := byID[id]
		c.discard(item.ReasonDuplicate, all[0].route, protocol.CategoryError, len(all)-1)
		if n := all[0].node; !sampled(n.part.trace, c.cfg.SampleRate) {
			c.unsampledError(all[0].route, runsOf(all))
			continue
		}
		c.exception(id, slices.MaxFunc(all, deeper), slices.MaxFunc(all, moreDetailed), runsOf(all))
	}
}

// runsOf are the workflow runs that an exception passed: a workflow that another one calls as a tool has a run of its own.
func runsOf(all []*occurrence) []string {
	var out []string
	for _, o := range all {
		if run := o.node.inherited(difysemconv.AttrWorkflowRunID); run != "" && !slices.Contains(out, run) {
			out = append(out, run)
		}
	}
	return out
}

// unsampledError counts an exception that is not told. It explains its runs all the same: they are not to be told in its
// place.
func (c *conversion) unsampledError(route item.Route, supersedes []string) {
	c.discard(item.ReasonSampled, route, protocol.CategoryError, 1)
	c.superseded = append(c.superseded, supersedes...)
}

// nearer prefers the span on which it happened to those that it passed on its way out.
func deeper(a, b *occurrence) int { return cmp.Compare(a.node.depth(), b.node.depth()) }

// telling prefers the recording that Sentry's SDK would have made, the logged one, and then the longer way out.
func moreDetailed(a, b *occurrence) int {
	if a.what.logged != b.what.logged {
		if a.what.logged {
			return 1
		}
		return -1
	}
	return cmp.Compare(len(a.exc.Frames), len(b.exc.Frames))
}

func (c *conversion) routeOf(n *node) item.Route {
	if route := c.shared.router.findInTrace(n.part.trace, n.identity.Attributes, n.span.Attributes()); route != (item.Route{}) {
		return route
	}
	return n.segment.route
}

// exception makes the event of an exception from the place where it happened and the recording that tells most.
func (c *conversion) exception(id item.ID, where, what *occurrence, supersedes []string) {
	n := where.node
	ev := c.newEvent(n.identity, what.what, what.exc, what.extra)
	ev.EventID = id.String()
	if root := n.segment.root; n.segment.complete {
		ev.Transaction = protocol.Line(describe(root).transactionName(root.span), protocol.MaxTransaction)
	}
	for _, key := range eventTags {
		tag(ev, key, n.inherited(key))
	}
	ev.User = userOf(n.inherited(keysUser...))
	ev.Request = requestOfSpan(n.segment.root)
	d := describe(n)
	ev.Contexts["trace"] = protocol.TraceContext{
		TraceID: n.traceHex(), SpanID: n.idHex(), ParentSpanID: n.parentHex(),
		Op: protocol.Text(d.op, protocol.MaxOp), Status: statusOf(n.span), Origin: protocol.Origin(d.origin, n.scope),
	}
	ev.Fingerprint = fingerprint(what.exc, place{
		nodeType: n.inherited(difysemconv.AttrNodeType), task: n.inherited("celery.task_name"), route: n.inherited("http.route"),
	})
	c.addEvent(ev, id, where.route, supersedes)
}

// tag sets a tag from an attribute. Dify writes "unknown" for an id that it does not have.
func tag(ev *protocol.Event, key, value string) {
	if value != "unknown" {
		protocol.Tag(ev.Tags, key, value)
	}
}

// newEvent holds what does not depend on where the exception was recorded.
func (*conversion) newEvent(id *resource.Identity, r recorded, exc *stacktrace.Exception, extra map[string]string) *protocol.Event {
	ev := &protocol.Event{Timestamp: r.at.UTC(), Level: r.level, Logger: protocol.Line(r.logger, protocol.MaxLogger), Extra: extra}
	id.Fill(ev)
	ev.SDK = sdkInfo()
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

// exceptionID is the same wherever and however often an exception is recorded in a trace: made from the trace and the
// exception itself, its type, message and innermost frame.
func exceptionID(traceID string, r recorded, exc *stacktrace.Exception) item.ID {
	if exc.Type == "" && exc.Message == "" {
		return item.NewID("log", traceID, r.logger, r.logMessage, r.stack)
	}
	frame, _ := exc.Innermost()
	return item.NewID("exception", traceID, exc.Type, exc.Message, frame.File, frame.Function, strconv.Itoa(frame.Line))
}

// addEvent encodes an event and keeps it for the queue of errors.
func (c *conversion) addEvent(ev *protocol.Event, id item.ID, route item.Route, supersedes []string) {
	if it := c.eventItem(ev, id, route); it != nil {
		it.Supersedes = supersedes
		c.events = append(c.events, it)
	}
}

func (c *conversion) eventItem(ev *protocol.Event, id item.ID, route item.Route) *item.Item {
	payload, err := encodeEvent(ev)
	if err != nil {
		c.discard(item.ReasonInternal, route, protocol.CategoryError, 1)
		return nil
	}
	return &item.Item{
		Category: protocol.CategoryError, EventID: ev.EventID, Route: route, Time: ev.Timestamp, Count: 1,
		Size: len(payload), Payload: payload, ID: id,
	}
}

// encodeEvent makes the payload, and makes it smaller in steps if it is larger than Sentry takes.
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
