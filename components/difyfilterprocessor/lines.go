// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/logline"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Keys of Docker's fluentd logging driver. A record with the first two is a line of a container. The record that is made
// from it has container.id instead, so that it is not processed again.
const (
	driverContainerID   = "container_id"
	driverContainerName = "container_name"
	driverSource        = "source"
	driverPartial       = "partial_message"
	driverPartialLast   = "partial_last"
)

// truncatedEntry ends an entry that was cut.
const truncatedEntry = "\n" + attrs.TruncatedMark

// rawLine is a line as the driver sends it: one of a container's standard output or error, or a part of a long one.
type rawLine struct {
	container, name, source string
	text                    string
	cut                     bool // its parts exceeded the size of an entry
	partial, last           bool
	at                      pcommon.Timestamp // when Docker read it, by default in whole seconds
	attributes              pcommon.Map       // all other attributes of the record
	res                     pcommon.Map
}

func rawLineOf(res pcommon.Map, record plog.LogRecord) (rawLine, bool) {
	attributes := record.Attributes()
	id, name := attrs.Text(attributes, driverContainerID), attrs.Text(attributes, driverContainerName)
	if id == "" || name == "" || record.Body().Type() != pcommon.ValueTypeStr {
		return rawLine{}, false
	}
	return rawLine{
		container: id, name: strings.TrimPrefix(name, "/"), source: attrs.Text(attributes, driverSource),
		text:    strings.TrimRight(record.Body().Str(), "\r\n"),
		partial: attrs.Text(attributes, driverPartial) == "true", last: attrs.Text(attributes, driverPartialLast) == "true",
		at: record.Timestamp(), attributes: attributes, res: res,
	}, true
}

// entry is one log entry: its first line, and the lines that continue it.
type entry struct {
	raw     rawLine // the first line
	line    logline.Line
	known   bool // the first line is in a known format
	text    strings.Builder
	cut     bool              // it exceeded maxEntry
	last    pcommon.Timestamp // time of its last line
	touched time.Time
}

// maxEntry is the maximum size of one entry in bytes. A longer entry is cut.
const maxEntry = 128 << 10

func newEntry(raw rawLine, now time.Time) *entry {
	e := &entry{raw: raw, last: raw.at, touched: now}
	e.raw.attributes, e.raw.res = pcommon.NewMap(), pcommon.NewMap()
	raw.attributes.CopyTo(e.raw.attributes)
	raw.res.CopyTo(e.raw.res)
	return e
}

func (e *entry) add(text string, at pcommon.Timestamp, now time.Time) {
	e.last, e.touched = max(e.last, at), now
	if e.cut {
		return
	}
	if room := maxEntry - e.text.Len(); len(text) > room {
		text, e.cut = attrs.FirstBytes(text, room), true
	}
	e.text.WriteString(text)
}

// write fills a record from the entry.
func (e *entry) write(record plog.LogRecord, now time.Time) {
	message := e.text.String()
	if e.cut {
		message += truncatedEntry
	}
	e.raw.attributes.RemoveIf(func(key string, _ pcommon.Value) bool {
		return key == driverContainerID || key == driverContainerName || key == driverSource || strings.HasPrefix(key, "partial_")
	})
	e.raw.attributes.MoveTo(record.Attributes())
	if e.raw.source != "" {
		record.Attributes().PutStr(attrs.LogIOStream, e.raw.source)
	}
	e.stamp(record, now)
	message = e.writeException(record, message)
	record.Body().SetStr(message)
	if e.known {
		writeSeverity(record, e.line.Level)
		writeTrace(record, &e.line)
		writeWhere(record.Attributes(), &e.line)
		writeRequest(record.Attributes(), e.line.Request)
		writeIdentity(record.Attributes(), &e.line)
	}
}

// stamp sets the timestamps, and a random record ID if the content does not distinguish the record from others: two equal
// lines may have the same milliseconds and be in the same second of Docker's timestamp.
func (e *entry) stamp(record plog.LogRecord, now time.Time) {
	at := e.raw.at
	if at == 0 {
		at = pcommon.NewTimestampFromTime(now)
	}
	record.SetObservedTimestamp(at)
	record.SetTimestamp(at)
	if !e.line.Time.IsZero() {
		record.SetTimestamp(pcommon.NewTimestampFromTime(e.line.Time))
	}
	if uint64(at)%uint64(time.Second) == 0 {
		record.Attributes().PutStr(difysemconv.AttrLogRecordUID, uuid.NewString())
	}
}

// writeException moves the traceback from the message to the attributes of the exception. It returns the rest of the
// message.
func (e *entry) writeException(record plog.LogRecord, message string) string {
	var raised logline.Exception
	if e.line.Stack != "" {
		raised = logline.ReadTraceback(e.line.Stack)
	} else if below, found, ok := logline.SplitTraceback(message); ok {
		message, raised = below, found
	} else {
		return message
	}
	attributes := record.Attributes()
	for _, a := range [...]struct{ key, value string }{
		{attrs.ExceptionType, raised.Type}, {attrs.ExceptionMessage, raised.Message}, {attrs.ExceptionStacktrace, raised.Stack}, {attrs.ErrorType, raised.Type},
	} {
		if a.value != "" {
			attributes.PutStr(a.key, a.value)
		}
	}
	if !e.known {
		writeSeverity(record, "ERROR")
	}
	if message == "" {
		message, _, _ = strings.Cut(raised.Type+": "+raised.Message, "\n") // there was no message before the traceback
	}
	return message
}

// severities has the level names of all formats.
var severities = map[string]plog.SeverityNumber{
	"DEBUG": plog.SeverityNumberDebug, "INFO": plog.SeverityNumberInfo, "NOTICE": plog.SeverityNumberInfo2,
	"WARN": plog.SeverityNumberWarn, "WARNING": plog.SeverityNumberWarn,
	"ERROR": plog.SeverityNumberError, "CRIT": plog.SeverityNumberError2, "ALERT": plog.SeverityNumberError3,
	"CRITICAL": plog.SeverityNumberFatal, "FATAL": plog.SeverityNumberFatal, "PANIC": plog.SeverityNumberFatal, "EMERG": plog.SeverityNumberFatal,
}

// writeSeverity writes WARN for Dify's WARNING too, so that one name finds the lines of all formats.
func writeSeverity(record plog.LogRecord, level string) {
	record.SetSeverityNumber(severities[level])
	if level == "WARNING" {
		level = "WARN"
	}
	record.SetSeverityText(level)
}

func writeTrace(record plog.LogRecord, line *logline.Line) {
	var trace pcommon.TraceID
	if n, err := hex.Decode(trace[:], []byte(line.TraceID)); err != nil || n == 0 {
		return
	}
	record.SetTraceID(trace)
	var span pcommon.SpanID
	if n, err := hex.Decode(span[:], []byte(line.SpanID)); err == nil && n > 0 {
		record.SetSpanID(span)
	}
	if line.Unverified {
		record.Attributes().PutBool(difysemconv.AttrTraceUnverified, true)
	}
}

func writeWhere(attributes pcommon.Map, line *logline.Line) {
	if line.Thread != "" {
		attributes.PutStr(attrs.ThreadName, line.Thread)
	}
	if line.File != "" {
		attributes.PutStr(attrs.CodeFilePath, line.File)
		attributes.PutInt(attrs.CodeLineNumber, int64(line.FileLine))
	}
}

func writeRequest(attributes pcommon.Map, r logline.Request) {
	if r.Method != "" {
		attributes.PutStr(attrs.HTTPMethod, r.Method)
	}
	if path, query, _ := strings.Cut(r.Target, "?"); r.Sent {
		attributes.PutStr(attrs.URLFull, r.Target)
	} else if path != "" {
		attributes.PutStr(attrs.URLPath, path)
		if query != "" {
			attributes.PutStr(attrs.URLQuery, query)
		}
	}
	if r.Client != "" {
		attributes.PutStr(attrs.ClientAddress, r.Client)
	}
	if r.Status != 0 {
		attributes.PutInt(attrs.HTTPStatusCode, int64(r.Status))
	}
	if r.Status >= 500 || (r.Sent && r.Status >= 400) {
		attrs.PutAbsent(attributes, attrs.ErrorType, strconv.Itoa(r.Status))
	}
}

// consumed are the attributes of a request in lines of the plugin daemon. writeRequest writes them under their current
// names.
var consumed = map[string]bool{"method": true, "path": true, "status": true, "client_ip": true}

func writeIdentity(attributes pcommon.Map, line *logline.Line) {
	for _, a := range [...]struct{ key, value string }{
		{difysemconv.AttrTenantID, line.TenantID}, {attrs.UserID, line.UserID}, {difysemconv.AttrUserType, line.UserType},
	} {
		if a.value != "" {
			attributes.PutStr(a.key, a.value)
		}
	}
	for key, value := range line.Attributes {
		if (line.Request.Status == 0 || !consumed[key]) && !attrs.Has(attributes, key) {
			putJSON(attributes.PutEmpty(key), value)
		}
	}
}

func putJSON(to pcommon.Value, value any) {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			to.SetInt(n)
		} else if f, err := v.Float64(); err == nil {
			to.SetDouble(f)
		} else {
			to.SetStr(v.String())
		}
	case map[string]any:
		m := to.SetEmptyMap()
		for key, child := range v {
			putJSON(m.PutEmpty(key), child)
		}
	case []any:
		s := to.SetEmptySlice()
		for _, child := range v {
			putJSON(s.AppendEmpty(), child)
		}
	default:
		_ = to.FromRaw(v) // string, bool or nil: the other types of JSON
	}
}
