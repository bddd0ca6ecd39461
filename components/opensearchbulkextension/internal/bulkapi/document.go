// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package bulkapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Indices into documentPaths.
const (
	pathTimestamp = iota
	pathStartTime
	pathParentSpanID
	pathTraceID
	pathSpanID
	pathUID
	pathUIDEcs
	pathUIDFlat
	pathArrival
	pathArrivalEcs
	pathArrivalFlat
	firstPlaceholder
)

// pathsPerPlaceholder is the number of paths that placeholderPaths returns.
const pathsPerPlaceholder = 4

// documentPaths are the values that are looked for in every document, in the order of the constants above. The
// exporter writes spans in one way (ss4o) and log records in three.
var documentPaths = []string{
	"@timestamp",
	"startTime",
	"parentSpanId",
	"traceId",
	"spanId",
	"attributes." + difysemconv.AttrLogRecordUID,
	"Attributes." + difysemconv.AttrLogRecordUID,
	difysemconv.AttrLogRecordUID,
	"attributes." + difysemconv.AttrArrivalTime,
	"Attributes." + difysemconv.AttrArrivalTime,
	difysemconv.AttrArrivalTime,
}

// maxIDBytes is OpenSearch's limit for a document id. With a longer one it rejects the whole request.
const maxIDBytes = 512

// document is what the scanner found in one document.
type document struct {
	raw    []byte
	found  []span
	isSpan bool
}

// newDocument distinguishes spans from log records: only a span has a start and a parent, even if that is empty.
func newDocument(raw []byte, found []span) document {
	return document{raw: raw, found: found, isSpan: found[pathStartTime].found() && found[pathParentSpanID].found()}
}

func (d *document) value(path int) []byte {
	return d.raw[d.found[path].start:d.found[path].end]
}

// appendID writes the document's id, escaped for a JSON string: a span's from its trace and span id, a log record's
// from its `log.record.uid`. It writes nothing for a document that has neither.
func (d *document) appendID(out []byte) []byte {
	if d.isSpan {
		trace, id := text(d.value(pathTraceID)), text(d.value(pathSpanID))
		if len(trace) == 0 || len(id) == 0 {
			return out
		}
		out = append(out, trace...)
		out = append(out, '-')
		return append(out, id...)
	}
	for _, path := range []int{pathUID, pathUIDEcs, pathUIDFlat} {
		if uid := text(d.value(path)); len(uid) > 0 {
			return append(out, boundedID(uid)...)
		}
	}
	return out
}

// placeholder returns the value for the index name's placeholder number key, or "" if the document has none.
func (d *document) placeholder(key int) string {
	first := firstPlaceholder + key*pathsPerPlaceholder
	for path := first; path < first+pathsPerPlaceholder; path++ {
		if value := decoded(d.value(path)); value != "" {
			return value
		}
	}
	return ""
}

// time returns the raw value of the document's own time.
func (d *document) time() []byte {
	if d.isSpan {
		return d.value(pathStartTime)
	}
	return d.value(pathTimestamp)
}

// arrival returns the raw value of the time at which dify_filter accepted the document, or nil.
func (d *document) arrival() []byte {
	for _, path := range []int{pathArrival, pathArrivalEcs, pathArrivalFlat} {
		if d.found[path].found() {
			return d.value(path)
		}
	}
	return nil
}

// days are the days that have an index: only a document of one of them is in the index of its own day.
type days struct {
	first, last string // as in RFC 3339
	now         time.Time
}

// newDays returns the days from age ago until tomorrow, in UTC.
func newDays(now time.Time, age time.Duration) days {
	now = now.UTC()
	return days{first: now.Add(-age).Format(time.DateOnly), last: now.AddDate(0, 0, 1).Format(time.DateOnly), now: now}
}

// place returns the day of a document's index. A document with another time than its own has moved to it: the raw
// value of the time at which it arrived, or nil if that is not known.
func (d days) place(doc *document) (day string, moved bool, arrival []byte) {
	if day, ok := d.day(doc.arrival()); ok {
		return day, true, doc.arrival()
	}
	if day, ok := d.day(doc.time()); ok {
		return day, false, nil
	}
	return d.now.Format(time.DateOnly), true, nil
}

// day returns the day of a raw JSON time, if it is one that has an index.
func (d days) day(raw []byte) (string, bool) {
	var day string
	// The form in which Go writes a time in UTC: "2026-11-23T…Z".
	if n := len(raw); n > len(`"2026-11-23T"`) && raw[0] == '"' && raw[n-2] == 'Z' && raw[11] == 'T' &&
		isDate(raw[1:11]) {
		day = string(raw[1:11])
	} else if parsed, ok := parseTime(raw); ok {
		day = parsed.UTC().Format(time.DateOnly)
	}
	return day, len(day) == len(d.first) && day >= d.first && day <= d.last
}

// appendDay writes a day as index names have it.
func appendDay(out []byte, day string) []byte {
	out = append(out, day...)
	n := len(out)
	out[n-6], out[n-3] = '.', '.'
	return out
}

func isDate(date []byte) bool {
	for i, b := range date {
		if i == 4 || i == 7 {
			if b != '-' {
				return false
			}
		} else if b < '0' || b > '9' {
			return false
		}
	}
	return true
}

// parseTime reads RFC 3339, and milliseconds as the exporter's `unix_timestamp` writes them.
func parseTime(raw []byte) (time.Time, bool) {
	if parsed, err := time.Parse(time.RFC3339Nano, string(text(raw))); err == nil {
		return parsed, true
	}
	if millis, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return time.UnixMilli(millis), true
	}
	return time.Time{}, false
}

// text returns a raw JSON string without its quotes and with its escapes, and a number or a boolean as it is written.
func text(raw []byte) []byte {
	if n := len(raw); n >= 2 && raw[0] == '"' {
		return raw[1 : n-1]
	}
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || string(raw) == "null" {
		return nil
	}
	return raw
}

// decoded is like text, but resolves escapes.
func decoded(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(text(raw))
	}
	var value string
	if json.Unmarshal(raw, &value) != nil {
		return ""
	}
	return value
}

func boundedID(id []byte) []byte {
	if len(id) <= maxIDBytes {
		return id
	}
	sum := sha256.Sum256(id)
	return hex.AppendEncode(nil, sum[:])
}
