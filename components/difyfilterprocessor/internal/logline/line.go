// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package logline parses the lines that Dify's containers write to their standard output: the text and JSON formats of
// all Dify versions, of its plugin daemon, of gunicorn and of nginx. It does not depend on the collector.
package logline

import (
	"strconv"
	"strings"
	"time"
)

// Line has the fields of a parsed line. Fields that the line does not have are empty.
type Line struct {
	Time    time.Time
	Level   string // as written, in upper case
	Message string

	TraceID    string // 32 hexadecimal digits
	SpanID     string // 16
	Unverified bool   // the trace ID need not belong to a trace

	Service  string
	Thread   string
	File     string // the source file, and the line in it
	FileLine int

	TenantID, UserID, UserType string

	Request    Request
	Stack      string         // the stack trace that a JSON line carries
	Attributes map[string]any // further attributes of a JSON line, as encoding/json decodes them

	// Open is true if lines in no known format may follow that belong to this line.
	Open bool
}

// Parse parses a line. Times without a zone are in zone. It returns false for a line in no known format: a further
// line of an entry, or unstructured output.
func Parse(text string, zone *time.Location) (Line, bool) {
	if text == "" {
		return Line{}, false
	}
	switch c := text[0]; {
	case c == '{':
		return parseJSON(text, zone)
	case c == '[':
		return parseBracketed(text, zone)
	case isDigit(c) && len(text) > 4 && text[4] == '-':
		return parseText(text, zone)
	case isDigit(c) && len(text) > 4 && text[4] == '/':
		return parseSlashed(text, zone)
	case strings.HasPrefix(text, " -------------- celery@"): // the first line of what a worker prints at its start
		return Line{Level: "INFO", Message: text, Open: true}, true
	default:
		if l, ok := parseWarning(text); ok {
			return l, true
		}
		return parseAccess(text)
	}
}

// levels are the level names of all formats.
var levels = map[string]bool{
	"DEBUG": true, "INFO": true, "NOTICE": true, "WARN": true, "WARNING": true, "ERROR": true, "CRIT": true,
	"CRITICAL": true,
	"ALERT":    true, "EMERG": true, "FATAL": true, "PANIC": true,
}

func level(word string) (string, bool) {
	word = strings.ToUpper(word)
	return word, levels[word]
}

// setCaller parses file:line.
func (l *Line) setCaller(caller string) bool {
	at := strings.LastIndexByte(caller, ':')
	if at <= 0 {
		return false
	}
	n, err := strconv.Atoi(caller[at+1:])
	if err != nil {
		return false
	}
	l.File, l.FileLine = caller[:at], n
	return true
}

// setTrace sets the trace ID. Outside of spans, and if OpenTelemetry is off, Dify generates one for each request: a
// UUID of version 5, which has two fixed digits. One in 64 random IDs has them too.
func (l *Line) setTrace(id string) {
	if len(id) != 32 || !isHex(id) || strings.Trim(id, "0") == "" {
		return
	}
	l.TraceID = strings.ToLower(id)
	l.Unverified = id[12] == '5' && strings.IndexByte("89abAB", id[16]) >= 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if !isDigit(s[i]) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return s != ""
}
