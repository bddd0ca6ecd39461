// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package logline reads the lines that Dify's containers write to their standard output: Dify's text and JSON formats of
// all versions, its plugin daemon's, gunicorn's and nginx's. It knows nothing of the collector.
package logline

import (
	"strconv"
	"strings"
	"time"
)

// Line is what a line says. What it does not say is empty.
type Line struct {
	Time    time.Time
	Level   string // as written, in upper case
	Message string

	TraceID    string // 32 hexadecimal digits
	SpanID     string // 16
	Unverified bool   // the trace id need not be that of a trace

	Service  string
	Thread   string
	File     string // the source file, and the line in it
	FileLine int

	TenantID, UserID, UserType string

	Request    Request
	Stack      string         // the stack trace that a JSON line carries
	Attributes map[string]any // further ones of a JSON line, as encoding/json reads them

	// Open says that lines without a head of their own may follow that belong to this one.
	Open bool
}

// Parse reads a line. Times without a zone are in zone. It is false for what is in none of the formats: the rest of an
// entry that has several lines, or what something printed.
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
	default:
		return parseAccess(text)
	}
}

// levels are the words that stand for one, in any of the formats.
var levels = map[string]bool{
	"DEBUG": true, "INFO": true, "NOTICE": true, "WARN": true, "WARNING": true, "ERROR": true, "CRIT": true, "CRITICAL": true,
	"ALERT": true, "EMERG": true, "FATAL": true, "PANIC": true,
}

func level(word string) (string, bool) {
	word = strings.ToUpper(word)
	return word, levels[word]
}

// setCaller reads file:line.
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

// setTrace takes a trace id. Outside spans, and where OpenTelemetry is off, Dify makes one up for each request: a UUID of
// version 5, which its two fixed digits tell. One in 64 random ids looks the same.
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
