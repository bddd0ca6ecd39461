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

// run is what a record of workflow_log says of a run that is an error.
type run int

const (
	noError run = iota
	runFailed
	runStuck // it has not ended for too long
)

// runIn recognizes workflow_log's records of failed and stuck runs.
func runIn(rec plog.LogRecord) run {
	switch cmp.Or(rec.EventName(), attr.Text(rec.Attributes(), difysemconv.AttrEventName)) {
	case difysemconv.EventWorkflowStuck:
		return runStuck
	case difysemconv.EventWorkflowRun:
		if attr.Text(rec.Attributes(), difysemconv.AttrRunStatus) == difysemconv.StatusFailed {
			return runFailed
		}
	}
	return noError
}

// fault returns what a record says: the error of a failed run, or that one has not ended.
func (r run) fault(rec plog.LogRecord) grouping.Fault {
	if r == runStuck {
		return grouping.Fault{
			Exception:   &stacktrace.Exception{Type: "WorkflowRunStuck", Message: rec.Body().AsString()},
			Fingerprint: []string{"stuck"},
		}
	}
	text := attr.Text(rec.Attributes(), difysemconv.AttrRunError)
	return grouping.Of(&stacktrace.Exception{
		Type: grouping.RunFailure, Message: cmp.Or(text, rec.Body().AsString(), "workflow run failed"),
	})
}

// waits returns what the event of a run waits for: an exception of the run, or only what is known of the run.
func (r run) waits(id string) string {
	if r == runStuck {
		return "stuck:" + id
	}
	return id
}

// run makes the event of a failed or stuck run.
func (l *logs) run(r run, id *resource.Identity, rec plog.LogRecord, at time.Time) {
	attrs := rec.Attributes()
	to := l.routes.Find(id.Attributes, attrs)
	f := r.fault(rec)
	if isNoise(f.Exception.Message) {
		l.Discard(item.ReasonEventFilter, to, protocol.CategoryError, 1)
		return
	}
	handled := true
	ev := &protocol.Event{Timestamp: at.UTC(), Level: sentry.LevelError, Transaction: difysemconv.EventWorkflowRun}
	if r == runStuck {
		ev.Level = sentry.LevelWarning
	}
	id.Fill(ev)
	ev.SDK = l.SDK
	ev.Exception = &protocol.Values[*protocol.Exception]{
		Values: payloadExceptions(f.Exception, protocol.Mechanism{Type: "dify.workflow_log", Handled: &handled}),
	}
	ev.Fingerprint = f.Fingerprint
	runID := attr.Text(attrs, difysemconv.AttrWorkflowRunID)
	eventID := item.NewID(
		map[run]string{runFailed: "run", runStuck: "stuck"}[r],
		cmp.Or(runID, attr.Text(attrs, difysemconv.AttrLogRecordUID), attr.Fingerprint(attrs).String()),
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
	case runID == "": // no exception could be recognized as its own
		l.Events = append(l.Events, it)
	default:
		it.Waits = r.waits(runID)
		if f.Text != "" {
			it.Relations.Text = item.NewID("failure", f.Text)
		}
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
