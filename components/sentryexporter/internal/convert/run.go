// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"cmp"
	"time"

	"github.com/getsentry/sentry-go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/grouping"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// isFailedRun recognizes workflow_log's record of a failed run.
func isFailedRun(rec plog.LogRecord) bool {
	return cmp.Or(
		rec.EventName(),
		attr.Text(rec.Attributes(), difysemconv.AttrEventName),
	) == difysemconv.EventWorkflowRun &&
		attr.Text(rec.Attributes(), difysemconv.AttrRunStatus) == difysemconv.StatusFailed
}

// failedRun makes the event of a failed run.
func (l *logs) failedRun(id *resource.Identity, rec plog.LogRecord, at time.Time) {
	attrs := rec.Attributes()
	to := l.routes.Find(id.Attributes, attrs)
	message := cmp.Or(attr.Text(attrs, difysemconv.AttrRunError), rec.Body().AsString(), "workflow run failed")
	f := grouping.Of(&stacktrace.Exception{Type: grouping.RunFailure, Message: message})
	if isNoise(message) {
		l.Discard(item.ReasonEventFilter, to, protocol.CategoryError, 1)
		return
	}
	handled := true
	ev := &protocol.Event{Timestamp: at.UTC(), Level: sentry.LevelError, Transaction: difysemconv.EventWorkflowRun}
	id.Fill(ev)
	ev.SDK = l.SDK
	ev.Exception = &protocol.Values[*protocol.Exception]{
		Values: payloadExceptions(f.Exception, protocol.Mechanism{Type: "dify.workflow_log", Handled: &handled}),
	}
	ev.Fingerprint = f.Fingerprint
	run := attr.Text(attrs, difysemconv.AttrWorkflowRunID)
	eventID := item.NewID(
		"run",
		cmp.Or(run, attr.Text(attrs, difysemconv.AttrLogRecordUID), attr.Fingerprint(attrs).String()),
	)
	if !sampled(pcommon.TraceID(eventID), l.SampleRate) { // its trace is not known
		l.Discard(item.ReasonSampled, to, protocol.CategoryError, 1)
		return
	}
	ev.EventID = eventID.String()
	fillFromRecord(ev, rec)
	it := l.eventItem(ev, eventID, to)
	switch {
	case it == nil:
	case run == "": // no exception could be recognized as its own
		l.Events = append(l.Events, it)
	default:
		it.Waits, it.Relations.Text = run, item.NewID("failure", f.Text)
		l.Waiting = append(l.Waiting, it)
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
