// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package containerlog

import (
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/logline"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// TruncatedEntry ends an entry that was cut.
const TruncatedEntry = "\n" + attrs.TruncatedMark

// entry is one log entry: its first line, and the lines that continue it.
type entry struct {
	raw     rawLine // the first line
	line    logline.Line
	known   bool // the first line is in a known format
	text    strings.Builder
	cut     bool              // it exceeded MaxEntry
	last    pcommon.Timestamp // time of its last line
	touched time.Time
}

// MaxEntry is the maximum size of one entry in bytes. A longer entry is cut.
const MaxEntry = 128 << 10

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
	if room := MaxEntry - e.text.Len(); len(text) > room {
		text, e.cut = attrs.FirstBytes(text, room), true
	}
	e.text.WriteString(text)
}

// write fills a record from the entry.
func (e *entry) write(record plog.LogRecord, now time.Time) {
	message := strings.TrimRight(e.text.String(), "\n")
	if e.cut {
		message += TruncatedEntry
	}
	e.raw.attributes.RemoveIf(func(key string, _ pcommon.Value) bool {
		return e.raw.isConsumed(key)
	})
	e.raw.attributes.MoveTo(record.Attributes())
	if e.raw.stream != "" {
		record.Attributes().PutStr(attrs.LogIOStream, e.raw.stream)
	}
	e.stamp(record, now)
	message = e.writeException(record, message)
	if below, statement := logline.SplitStatement(message); statement != "" {
		message = below
		record.Attributes().PutStr(attrs.DBQueryText, statement)
		record.Attributes().PutStr(attrs.DBSystemName, databaseOf(statement))
	}
	record.Body().SetStr(message)
	if e.known {
		writeSeverity(record, e.line.Level)
		writeTrace(record, &e.line)
		writeWhere(record.Attributes(), &e.line)
		writeRequest(record.Attributes(), e.line.Request)
		writeIdentity(record.Attributes(), &e.line)
	}
}

// stamp sets the timestamps, and a random record ID if the content does not distinguish the record from others: two
// equal lines may have the same milliseconds and be in the same second of Docker's timestamp.
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
		{attrs.ExceptionType, raised.Type},
		{attrs.ExceptionMessage, raised.Message},
		{attrs.ExceptionStacktrace, raised.Stack},
		{attrs.ErrorType, raised.Type},
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
