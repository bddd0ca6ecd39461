// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package convert

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/getsentry/sentry-go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/attr"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/item"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/resource"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/route"
)

// Severities are the values of `logs::min_severity`, each with the lowest number of its range.
var Severities = map[string]plog.SeverityNumber{
	"trace": plog.SeverityNumberTrace, "debug": plog.SeverityNumberDebug, "info": plog.SeverityNumberInfo,
	"warn": plog.SeverityNumberWarn, "error": plog.SeverityNumberError, "fatal": plog.SeverityNumberFatal,
	"off": plog.SeverityNumberFatal4 + 1,
}

// severityOf returns the severity number, else what the severity text says, else info.
func severityOf(rec plog.LogRecord) plog.SeverityNumber {
	n, _ := statedSeverity(rec)
	return n
}

// statedSeverity also returns whether the record itself has a severity.
func statedSeverity(rec plog.LogRecord) (n plog.SeverityNumber, stated bool) {
	if n := rec.SeverityNumber(); n >= plog.SeverityNumberTrace && n <= plog.SeverityNumberFatal4 {
		return n, true
	}
	name := strings.ToLower(rec.SeverityText())
	switch name {
	case "warning":
		name = "warn"
	case "critical":
		name = "fatal"
	}
	if n, ok := Severities[name]; ok && name != "off" {
		return n, true
	}
	return plog.SeverityNumberInfo, false
}

// logLevelOf returns the level of Sentry's logs, where a warning is "warn".
func logLevelOf(n plog.SeverityNumber) sentry.LogLevel {
	switch {
	case n >= plog.SeverityNumberFatal:
		return sentry.LogLevelFatal
	case n >= plog.SeverityNumberError:
		return sentry.LogLevelError
	case n >= plog.SeverityNumberWarn:
		return sentry.LogLevelWarn
	case n >= plog.SeverityNumberInfo:
		return sentry.LogLevelInfo
	case n >= plog.SeverityNumberDebug:
		return sentry.LogLevelDebug
	default:
		return sentry.LogLevelTrace
	}
}

// logs converts the log records of a push.
type logs struct {
	*Converter
	Result

	records []LogRecord
	lines   []Line
	routes  *route.Lookup
	now     time.Time
	read    int // records that became an event or a log
}

// maxPushRecords bounds the log records of a push that become events or logs. Receivers send some thousand at most.
const maxPushRecords = 20_000

func (l *logs) timeOfRecord(rec plog.LogRecord) time.Time {
	for _, ts := range []pcommon.Timestamp{rec.Timestamp(), rec.ObservedTimestamp()} {
		if ts != 0 {
			return ts.AsTime()
		}
	}
	return l.now
}

// LogRecord is an encoded Sentry log, which is not in an item yet.
type LogRecord struct {
	// ID recognizes a redelivery; the zero ID if the record has no log.record.uid.
	ID      item.ID
	Route   item.Route
	Time    time.Time
	encoded []byte
}

// Logs makes error events and Sentry logs of log records. identity returns the identity of a resource; now replaces
// missing times. The caller removes the records that were sent before and calls BatchLogs with the others. The lines
// are breadcrumbs for errors of their traces.
func (c *Converter) Logs(
	ld plog.Logs, identity func(pcommon.Resource) *resource.Identity, routes *route.Lookup, now time.Time,
) (Result, []LogRecord, []Line) {
	l := logs{Converter: c, routes: routes, now: now}
	for _, rl := range ld.ResourceLogs().All() {
		id := identity(rl.Resource())
		for _, sl := range rl.ScopeLogs().All() {
			for _, rec := range sl.LogRecords().All() {
				l.record(id, sl.Scope().Name(), rec)
			}
		}
	}
	return l.Result, l.records, l.lines
}

// record makes an error event, if the record is a failed run or has an exception, and a Sentry log, if its severity
// is high enough; it makes both if both apply.
func (l *logs) record(id *resource.Identity, scope string, rec plog.LogRecord) {
	at := l.timeOfRecord(rec)
	if line, ok := lineOf(rec, at, scope); ok {
		l.lines = append(l.lines, line)
	}
	switch run := runIn(rec); run {
	case runFailed, runStuck:
		l.run(run, id, rec, at)
	default:
		l.exceptionIn(id, scope, rec, at)
	}
	l.log(id, scope, rec, at)
}

// exceptionIn makes an error event of an exception in a record.
func (l *logs) exceptionIn(id *resource.Identity, scope string, rec plog.LogRecord, at time.Time) {
	if r, ok := recordedIn(rec, at); ok {
		r.logger = cmp.Or(attr.Text(rec.Attributes(), "log.logger", "logger"), scope)
		if l.read < maxPushRecords {
			l.exception(id, rec, r)
		} else {
			l.overflow(id, rec, protocol.CategoryError)
		}
		l.read++
	}
}

// log makes a Sentry log of a record.
func (l *logs) log(id *resource.Identity, scope string, rec plog.LogRecord, at time.Time) {
	if severityOf(rec) < Severities[l.MinSeverity] {
		return
	}
	l.read++
	if l.read > maxPushRecords {
		l.overflow(id, rec, protocol.CategoryLogItem)
		return
	}
	to := l.routes.FindInTrace(rec.TraceID(), id.Attributes, rec.Attributes())
	if isNoise(rec.Body().AsString()) {
		l.Discard(item.ReasonEventFilter, to, protocol.CategoryLogItem, 1)
		return
	}
	encoded, err := json.Marshal(l.sentryLog(id, scope, rec, at))
	if err != nil {
		l.Discard(item.ReasonInternal, to, protocol.CategoryLogItem, 1)
		return
	}
	record := LogRecord{Route: to, Time: at, encoded: encoded}
	if uid := attr.Text(rec.Attributes(), difysemconv.AttrLogRecordUID); uid != "" {
		record.ID = item.NewID("record", uid)
	}
	l.records = append(l.records, record)
}

func (l *logs) overflow(id *resource.Identity, rec plog.LogRecord, category protocol.Category) {
	to := l.routes.FindInTrace(rec.TraceID(), id.Attributes, rec.Attributes())
	l.Discard(item.ReasonBufferFull, to, category, 1)
}

// exception makes the event of an exception in a log record. Its ID is the one that the exception has on spans.
func (l *logs) exception(id *resource.Identity, rec plog.LogRecord, r recorded) {
	attrs := rec.Attributes()
	to := l.routes.FindInTrace(rec.TraceID(), id.Attributes, attrs)
	extra := map[string]string{}
	exc := exceptionOf(r, extra)
	if reason, ignored := l.ignores(r, exc, attr.Text(attrs, attrTask)); ignored {
		l.Discard(reason, to, protocol.CategoryError, 1)
		return
	}
	f := faultOf(exc, extra)
	ev := l.newEvent(id, r, f.Exception, extra)
	trace := rec.TraceID()
	context := hex.EncodeToString(trace[:])
	if trace.IsEmpty() { // nothing else distinguishes two occurrences
		context = cmp.Or(attr.Text(attrs, difysemconv.AttrLogRecordUID), r.at.String()+id.Fingerprint.String())
	}
	eventID := exceptionID(context, r, f)
	var supersedes []string
	if run := attr.Text(attrs, difysemconv.AttrWorkflowRunID); run != "" {
		supersedes = []string{run}
	}
	if !sampled(cmp.Or(rec.TraceID(), pcommon.TraceID(eventID)), l.SampleRate) {
		l.Discard(item.ReasonSampled, to, protocol.CategoryError, 1)
		l.Superseded = append(l.Superseded, supersedes...)
		return
	}
	ev.EventID = eventID.String()
	ev.Fingerprint = fingerprintOf(f, attr.Text(attrs, attrTask))
	fillFromRecord(ev, rec)
	it := l.eventItem(ev, eventID, to)
	if it == nil {
		return
	}
	it.Supersedes, it.Relations = supersedes, relationsOf(context, r, f, supersedes)
	it.Relations.Line, it.Relations.Traceless = true, trace.IsEmpty()
	if !trace.IsEmpty() {
		setTrace(&it.Relations, context)
	}
	if attr.Text(attrs, difysemconv.AttrEventName) == difysemconv.EventMessageRun && len(supersedes) == 0 {
		it.Relations.Message = item.Message{
			App: attr.Text(attrs, difysemconv.AttrAppID), User: attr.Text(attrs, keysUser...), Created: r.at,
		}
		created, err := time.Parse(time.RFC3339Nano, attr.Text(attrs, difysemconv.AttrMessageCreatedAt))
		if err == nil {
			it.Relations.Message.Created = created
		}
	}
	it.Waits = item.WaitsForTrace + it.EventID
	l.Waiting = append(l.Waiting, it)
}

// traceOf returns the trace context of a record's event. Sentry links by trace only if a span ID is set: a record
// without one gets the beginning of its event's ID.
func traceOf(rec plog.LogRecord, eventID string) (protocol.TraceContext, bool) {
	trace, span := rec.TraceID(), rec.SpanID()
	if trace.IsEmpty() {
		return protocol.TraceContext{}, false
	}
	out := protocol.TraceContext{TraceID: hex.EncodeToString(trace[:]), SpanID: hex.EncodeToString(span[:])}
	if span.IsEmpty() {
		out.SpanID = eventID[:len(out.SpanID)]
	}
	return out, true
}

func (c *Converter) sentryLog(id *resource.Identity, scope string, rec plog.LogRecord, at time.Time) *protocol.Log {
	trace, span := rec.TraceID(), rec.SpanID()
	if trace.IsEmpty() { // required; the same again on redelivery
		trace = pcommon.TraceID(item.NewID("log", id.Fingerprint.String(), at.String(), rec.Body().AsString()))
	}
	out := &protocol.Log{
		Timestamp: unixSeconds(at), TraceID: hex.EncodeToString(trace[:]),
		Level: logLevelOf(severityOf(rec)), SeverityNumber: int(severityOf(rec)),
		Body: protocol.Text(rec.Body().AsString(), protocol.MaxValue), Attributes: map[string]protocol.LogAttribute{},
	}
	if !span.IsEmpty() {
		out.SpanID = hex.EncodeToString(span[:])
	}
	for _, f := range attr.Data(rec.Attributes()).Fit(protocol.MaxDataBytes) {
		setLogAttribute(out, f.Key, f.Value.Scalar())
	}
	for key, value := range map[string]string{
		"sentry.environment": id.Environment, "sentry.release": id.Release, "sentry.sdk.name": c.SDK.Name,
		"sentry.sdk.version": c.SDK.Version, "server.address": id.ServerName, "sentry.origin": protocol.Origin("log", scope),
		difysemconv.AttrEventName: rec.EventName(), "user.id": attr.Text(rec.Attributes(), keysUser...),
	} {
		if value != "" {
			setLogAttribute(out, key, value)
		}
	}
	for key, value := range id.Tags {
		if _, own := out.Attributes[key]; !own {
			setLogAttribute(out, key, value)
		}
	}
	return out
}

func setLogAttribute(l *protocol.Log, key string, value any) {
	a := protocol.LogAttribute{Value: value}
	switch value.(type) {
	case bool:
		a.Type = "boolean"
	case int64:
		a.Type = "integer"
	case float64:
		a.Type = "double"
	default:
		a.Type = "string"
	}
	l.Attributes[key] = a
}
