// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package logline

import (
	"strconv"
	"strings"
	"time"
)

const (
	dashed   = "2006-01-02 15:04:05"
	slashed  = "2006/01/02 15:04:05"
	gunicorn = "2006-01-02 15:04:05 -0700"
	gin      = "2006/01/02 - 15:04:05"
)

// parseText parses Dify's text format:
//
//	2026-11-23 08:37:53.893 INFO [MainThread] [x.py:6] <trace id> - hello
//
// The trace ID may be empty; up to 1.10.x there is no field for it. Without LOG_DATEFORMAT, the milliseconds occur
// twice. The format of installations from source has a request ID, but no thread and no dash.
func parseText(text string, zone *time.Location) (Line, bool) {
	at, rest, ok := cutTime(text, zone)
	if !ok {
		return Line{}, false
	}
	word, rest, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	name, ok := level(strings.Trim(word, "[]"))
	if !ok && !strings.ContainsAny(word, "[]:") { // installations from source write the name of the logger first
		word, rest, _ = strings.Cut(strings.TrimLeft(rest, " "), " ")
		name, ok = level(word)
	}
	if !ok {
		return Line{}, false
	}
	l := Line{Time: at, Level: name, Open: true}
	for {
		inside, after, found := cutBrackets(strings.TrimLeft(rest, " "))
		if !found {
			break
		}
		if !l.setCaller(inside) {
			l.Thread = inside
		}
		rest = after
		if l.File != "" {
			break // a message may begin with a bracket
		}
	}
	l.setMessage(rest)
	l.Request = requestIn(l.Message, l.File)
	return l, true
}

// cutTime parses the time at the beginning of a text, with any precision and with or without a zone.
func cutTime(text string, zone *time.Location) (time.Time, string, bool) {
	if len(text) < len(dashed) {
		return time.Time{}, "", false
	}
	stamp := text[:len(dashed)]
	if stamp[10] == 'T' {
		stamp = stamp[:10] + " " + stamp[11:]
	}
	at, err := time.ParseInLocation(dashed, stamp, zone)
	if err != nil {
		return time.Time{}, "", false
	}
	rest := text[len(dashed):]
	nanos, rest := cutFraction(rest)
	_, rest = cutFraction(rest) // repeated without LOG_DATEFORMAT
	if end := strings.IndexByte(rest+" ", ' '); end > 0 && rest[0] != ':' {
		offset, err := time.Parse("Z07:00", rest[:end])
		if err != nil {
			return time.Time{}, "", false
		}
		_, seconds := offset.Zone()
		at = time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, time.FixedZone("", seconds))
		rest = rest[end:]
	}
	return at.Add(nanos), rest, true
}

// cutFraction parses a fraction of a second. After a comma, installations from source write milliseconds that are not
// padded: ",11" is 11 ms.
func cutFraction(text string) (time.Duration, string) {
	if text == "" || (text[0] != '.' && text[0] != ',') {
		return 0, text
	}
	unit, sum, i := time.Second, time.Duration(0), 1
	for ; i < len(text) && isDigit(text[i]); i++ {
		unit /= 10
		sum += time.Duration(text[i]-'0') * unit
	}
	if n, err := strconv.Atoi(text[1:i]); err == nil && text[0] == ',' && i < len(",000") {
		sum = time.Duration(n) * time.Millisecond
	}
	return sum, text[i:]
}

func cutBrackets(text string) (inside, after string, ok bool) {
	if text == "" || text[0] != '[' {
		return "", text, false
	}
	inside, after, ok = strings.Cut(text[1:], "]")
	return inside, after, ok
}

// setMessage parses what follows the brackets: [ <trace id>] - message, or [ <request id>] message.
func (l *Line) setMessage(rest string) {
	rest = strings.TrimPrefix(rest, " ")
	if field, message, ok := strings.Cut(rest, " - "); ok && (field == "" || isHex(field)) {
		l.setTrace(field)
		l.Message = message
		return
	}
	if message, ok := strings.CutPrefix(rest, "- "); ok {
		l.Message = message
		return
	}
	const requestID = 10
	if id, message, ok := strings.Cut(rest, " "); ok && len(id) == requestID && isHex(id) {
		rest = message
	}
	l.Message = strings.TrimLeft(rest, " ") // the request ID may be empty
}

// parseBracketed parses the lines of gunicorn, of Celery without Dify's format, and of gin in older plugin daemons:
//
//	[2026-11-23 09:33:42 +0000] [4977] [INFO] Listening at: ...
//	[2026-11-23 09:33:42,123: INFO/MainProcess] Connected to redis://...
//	[GIN] 2026/11/23 - 09:35:19 | 200 |  1.2ms |  172.18.0.5 | POST     "/plugin/..."
func parseBracketed(text string, zone *time.Location) (Line, bool) {
	first, rest, _ := cutBrackets(text)
	if first == "GIN" {
		return parseGin(rest, zone)
	}
	if at, where, ok := cutTime(first, zone); ok && strings.HasPrefix(where, ": ") {
		word, process, _ := strings.Cut(where[len(": "):], "/")
		name, ok := level(word)
		return Line{Time: at, Level: name, Thread: process, Message: strings.TrimPrefix(rest, " "), Open: true}, ok
	}
	at, err := time.Parse(gunicorn, first)
	if err != nil {
		return Line{}, false
	}
	_, rest, _ = cutBrackets(strings.TrimLeft(rest, " ")) // process ID
	word, rest, _ := cutBrackets(strings.TrimLeft(rest, " "))
	name, ok := level(word)
	if !ok {
		return Line{}, false
	}
	return Line{Time: at, Level: name, Message: strings.TrimPrefix(rest, " "), Open: true}, true
}

func parseGin(text string, zone *time.Location) (Line, bool) {
	columns := strings.SplitN(text, "|", 5)
	if len(columns) != 5 {
		return Line{}, false
	}
	at, err := time.ParseInLocation(gin, strings.TrimSpace(columns[0]), zone)
	if err != nil {
		return Line{}, false
	}
	method, target, _ := strings.Cut(strings.TrimSpace(columns[4]), " ")
	l := Line{Time: at, Level: "INFO", Message: strings.TrimSpace(text)}
	l.Request = request(method, strings.Trim(target, ` "`), columns[1])
	l.Request.Client = strings.TrimSpace(columns[3])
	return l, true
}

// parseSlashed parses the error lines of nginx, and the lines of older plugin daemons:
//
//	2026/11/23 09:35:19 [error] 7#7: *1 connect() failed (111: Connection refused) ..., request: "GET / HTTP/1.1", ...
//	2026/11/23 09:35:19 main.go:12: [INFO]started
//	2026/11/23 09:35:19 /app/internal/db/pg.go:269 SLOW SQL >= 200ms
//	[224.1ms] [rows:1] UPDATE ...
func parseSlashed(text string, zone *time.Location) (Line, bool) {
	if len(text) < len(slashed) {
		return Line{}, false
	}
	at, err := time.ParseInLocation(slashed, text[:len(slashed)], zone)
	if err != nil {
		return Line{}, false
	}
	l := Line{Time: at}
	rest := strings.TrimPrefix(text[len(slashed):], " ")
	if caller, after, ok := strings.Cut(rest, ": "); ok && l.setCaller(caller) {
		rest, l.Open = after, true
	} else if caller, after, _ := strings.Cut(rest, " "); l.setCaller(caller) {
		rest, l.Open, l.Level = after, true, databaseLevel(after)
	}
	if word, after, ok := cutBrackets(rest); ok {
		if name, known := level(word); known {
			l.Level, rest = name, strings.TrimPrefix(after, " ")
		}
	}
	if l.Level == "" && l.File == "" {
		return Line{}, false
	}
	l.Message = rest
	if _, quoted, ok := strings.Cut(rest, `request: "`); ok {
		l.Request = requestLine(quoted, "")
	}
	return l, true
}
