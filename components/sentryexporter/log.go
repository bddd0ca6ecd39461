// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

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
)

// severityByName are the values of logs::min_severity, each the lowest number of its range.
var severityByName = map[string]plog.SeverityNumber{
	"trace": plog.SeverityNumberTrace, "debug": plog.SeverityNumberDebug, "info": plog.SeverityNumberInfo,
	"warn": plog.SeverityNumberWarn, "error": plog.SeverityNumberError, "fatal": plog.SeverityNumberFatal,
	"off": plog.SeverityNumberFatal4 + 1,
}

// severityOf is the number, else what the text says, else info.
func severityOf(rec plog.LogRecord) plog.SeverityNumber {
	n, _ := statedSeverity(rec)
	return n
}

// statedSeverity tells also whether the record itself says its severity.
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
	if n, ok := severityByName[name]; ok && name != "off" {
		return n, true
	}
	return plog.SeverityNumberInfo, false
}

// logLevelOf is the level of Sentry's logs, where a warning is "warn".
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

func (c *conversion) timeOfRecord(rec plog.LogRecord) time.Time {
	for _, ts := range []pcommon.Timestamp{rec.Timestamp(), rec.ObservedTimestamp()} {
		if ts != 0 {
			return ts.AsTime()
		}
	}
	return c.now
}

// record makes of a log record an error event, if it is a failed run or carries an exception, and a Sentry log, if it is
// severe enough; both where both hold.
func (c *conversion) record(id *resource.Identity, scope string, rec plog.LogRecord, batches *logBatches) {
	at := c.timeOfRecord(rec)
	if isFailedRun(rec) {
		c.run(id, rec, at)
	} else if r, ok := recordedIn(rec, at); ok {
		r.logger = cmp.Or(attr.Text(rec.Attributes(), "log.logger", "logger"), scope)
		c.loggedException(id, rec, r)
	}
	if severityOf(rec) < severityByName[c.cfg.Logs.MinSeverity] {
		return
	}
	route := c.shared.router.findInTrace(rec.TraceID(), id.Attributes, rec.Attributes())
	if isNoise(rec.Body().AsString()) {
		c.discard(item.ReasonEventFilter, route, protocol.CategoryLogItem, 1)
		return
	}
	mark := item.NewID("record", attr.Text(rec.Attributes(), difysemconv.AttrLogRecordUID))
	if hasUID := attr.Text(rec.Attributes(), difysemconv.AttrLogRecordUID) != ""; hasUID && !c.shared.seen.add(mark, c.now) {
		c.discard(item.ReasonDuplicate, route, protocol.CategoryLogItem, 1)
		return
	}
	batches.add(c, route, payloadLog(id, scope, rec, at), at, mark)
}

// loggedException makes the event of an exception in a log record. Its id is the one the exception has on spans.
func (c *conversion) loggedException(id *resource.Identity, rec plog.LogRecord, r recorded) {
	attrs := rec.Attributes()
	route := c.shared.router.findInTrace(rec.TraceID(), id.Attributes, attrs)
	extra := map[string]string{}
	exc := exceptionOf(r, extra)
	if c.ignore(r, exc, route) {
		return
	}
	ev := c.newEvent(id, r, exc, extra)
	trace := rec.TraceID()
	context := hex.EncodeToString(trace[:])
	if trace.IsEmpty() { // nothing else tells this occurrence from the next
		context = cmp.Or(attr.Text(attrs, difysemconv.AttrLogRecordUID), r.at.String()+id.Fingerprint.String())
	}
	mark := exceptionID(context, r, exc)
	var supersedes []string
	if run := attr.Text(attrs, difysemconv.AttrWorkflowRunID); run != "" {
		supersedes = []string{run}
	}
	if !sampled(cmp.Or(rec.TraceID(), pcommon.TraceID(mark)), c.cfg.SampleRate) {
		c.unsampledError(route, supersedes)
		return
	}
	ev.EventID = mark.String()
	ev.Fingerprint = fingerprint(exc, place{
		nodeType: attr.Text(attrs, difysemconv.AttrNodeType), task: attr.Text(attrs, "celery.task_name"), route: attr.Text(attrs, "http.route"),
	})
	fillFromRecord(ev, rec)
	c.addEvent(ev, mark, route, supersedes)
}

// traceOf is the trace context of a record's event. Sentry links by trace only where a span is named: a record without one
// gets the beginning of its event's id.
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

func payloadLog(id *resource.Identity, scope string, rec plog.LogRecord, at time.Time) *protocol.Log {
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
		"sentry.environment": id.Environment, "sentry.release": id.Release, "sentry.sdk.name": clientName,
		"sentry.sdk.version": clientVersion, "server.address": id.ServerName, "sentry.origin": protocol.Origin("log", scope),
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

const (
	// maxLogs of one item, as SDKs do, and maxLogBytes of it.
	maxLogs     = 100
	maxLogBytes = 1 << 20
)

// logBatches gathers the records of a push by route.
type logBatches struct {
	done []*item.Item
	open map[item.Route]*logBatch
}

type logBatch struct {
	logs []json.RawMessage
	size int
	time time.Time
	ids  []item.ID
}

func newLogBatches() *logBatches { return &logBatches{open: map[item.Route]*logBatch{}} }

func (b *logBatches) add(c *conversion, route item.Route, l *protocol.Log, at time.Time, mark item.ID) {
	encoded, err := json.Marshal(l)
	if err != nil {
		c.discard(item.ReasonInternal, route, protocol.CategoryLogItem, 1)
		return
	}
	batch := b.open[route]
	if batch == nil || len(batch.logs) >= maxLogs || batch.size+len(encoded) > maxLogBytes {
		b.close(c, route)
		batch = &logBatch{}
		b.open[route] = batch
	}
	batch.logs = append(batch.logs, encoded)
	batch.ids = append(batch.ids, mark)
	batch.size += len(encoded) + 1
	if at.After(batch.time) {
		batch.time = at
	}
}

func (b *logBatches) close(c *conversion, route item.Route) {
	batch := b.open[route]
	if batch == nil {
		return
	}
	delete(b.open, route)
	payload, err := json.Marshal(struct {
		Items []json.RawMessage `json:"items"`
	}{batch.logs})
	if err != nil {
		c.discard(item.ReasonInternal, route, protocol.CategoryLogItem, len(batch.logs))
		return
	}
	b.done = append(b.done, &item.Item{
		Category: protocol.CategoryLogItem, Route: route, Time: batch.time, Count: len(batch.logs),
		Size: len(payload), Payload: payload, RecordIDs: batch.ids,
	})
}

func (b *logBatches) items(c *conversion) []*item.Item {
	for route := range b.open {
		b.close(c, route)
	}
	return b.done
}
