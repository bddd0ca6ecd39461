// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package stacktrace reads the text of a stack trace. It knows nothing of Sentry and nothing of OpenTelemetry.
package stacktrace

import (
	"regexp"
	"strings"
)

// Exception is one exception of a trace, with what led to it.
type Exception struct {
	Type    string // as written, with its module
	Message string // may have several lines, notes added to the exception included
	Frames  []Frame

	// Cause is what this exception was raised from or while handling, which Relation tells by the attribute's name.
	Cause    *Exception
	Relation string

	// Members of an exception group.
	Members []*Exception

	// Notes are what the text says beside frames and message: where a syntax error is, how many members were cut.
	Notes []string
}

// Values of Exception.Relation.
const (
	RelationCause   = "__cause__"
	RelationContext = "__context__"
)

// Frame is one call, the way the language's own text shows it.
type Frame struct {
	File     string
	Line     int
	Function string
	Source   string   // the line of code, without its indentation
	More     []string // further lines of the same statement
	Note     string   // "[Previous line repeated 3 more times]"
}

// Innermost is the newest frame: the place where the exception was raised.
func (e *Exception) Innermost() (Frame, bool) {
	if len(e.Frames) == 0 {
		return Frame{}, false
	}
	return e.Frames[len(e.Frames)-1], true
}

var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

// lines cuts a text into lines without colors and carriage returns.
func lines(text string) []string {
	if strings.Contains(text, "\x1b[") {
		text = ansi.ReplaceAllString(text, "")
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Split(strings.TrimRight(text, "\n"), "\n")
}
