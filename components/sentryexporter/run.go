// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"cmp"
	"regexp"
	"time"

	"github.com/getsentry/sentry-go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// runFailure is the type of an event of which only the run's error text is known.
const runFailure = "WorkflowRunFailed"

// isFailedRun tells workflow_log's record of a run that failed.
func isFailedRun(rec plog.LogRecord) bool {
	return cmp.Or(rec.EventName(), attr.Text(rec.Attributes(), difysemconv.AttrEventName)) == difysemconv.EventWorkflowRun &&
		attr.Text(rec.Attributes(), difysemconv.AttrRunStatus) == difysemconv.StatusFailed
}

var errorClass = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.]*(?:Error|Exception|Timeout|Exceeded)): `)

// run makes the event of a failed run. It waits until it is clear that no exception tells more.
func (c *conversion) run(id *resource.Identity, rec plog.LogRecord, at time.Time) {
	attrs := rec.Attributes()
	route := c.shared.router.find(id.Attributes, attrs)
	message := cmp.Or(attr.Text(attrs, difysemconv.AttrRunError), rec.Body().AsString(), "workflow run failed")
	nodeType := cmp.Or(attr.Text(attrs, difysemconv.AttrNodeType), "run")
	exc := &stacktrace.Exception{Type: runFailure, Message: message}
	group := stable(message)
	if m := errorClass.FindStringSubmatch(message); m != nil {
		exc.Type, exc.Message, group = m[1], message[len(m[0]):], m[1]
	}
	if isNoise(message) {
		c.discard(item.ReasonEventFilter, route, protocol.CategoryError, 1)
		return
	}
	handled := true
	ev := &protocol.Event{Timestamp: at.UTC(), Level: sentry.LevelError, Transaction: difysemconv.EventWorkflowRun}
	id.Fill(ev)
	ev.SDK = sdkInfo()
	ev.Exception = &protocol.Values[*protocol.Exception]{
		Values: payloadExceptions(exc, protocol.Mechanism{Type: "dify.workflow_log", Handled: &handled}),
	}
	ev.Fingerprint = []string{"dify.workflow", nodeType, group}
	run := attr.Text(attrs, difysemconv.AttrWorkflowRunID)
	mark := item.NewID("run", cmp.Or(run, attr.Text(attrs, difysemconv.AttrLogRecordUID), attr.Fingerprint(attrs).String()))
	if !sampled(pcommon.TraceID(mark), c.cfg.SampleRate) { // its trace is not known
		c.discard(item.ReasonSampled, route, protocol.CategoryError, 1)
		return
	}
	ev.EventID = mark.String()
	fillFromRecord(ev, rec)
	it := c.eventItem(ev, mark, route)
	switch {
	case it == nil:
	case run == "": // no exception could be known as its own
		c.events = append(c.events, it)
	default:
		it.Run = run
		c.runs = append(c.runs, it)
	}
}

// fillFromRecord sets what a log record says about an event.
func fillFromRecord(ev *protocol.Event, rec plog.LogRecord) {
	for _, key := range eventTags {
		tag(ev, key, attr.Text(rec.Attributes(), key))
	}
	ev.User = userOf(attr.Text(rec.Attributes(), keysUser...))
	if trace, ok := traceOf(rec, ev.EventID); ok {
		ev.Contexts["trace"] = trace
	}
}
