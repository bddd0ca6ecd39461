// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package stacktrace reads the text of a stack trace, as Python, JavaScript, Go and Java print it. It knows nothing of
// Sentry and nothing of OpenTelemetry.
package stacktrace

import (
	"regexp"
	"slices"
	"strings"
)

// Language is what a stack trace was written by.
type Language string

// Languages that Parse reads.
const (
	Python     Language = "python"
	JavaScript Language = "javascript"
	Go         Language = "go"
	Java       Language = "java"
)

// Exception is one exception of a trace, with what led to it.
type Exception struct {
	Language Language
	Type     string // as written, with its module
	Message  string // may have several lines, notes added to the exception included
	Frames   []Frame

	// Cause is what this exception was raised from or while handling, which Relation tells.
	Cause    *Exception
	Relation string

	// Members of an exception group, of an AggregateError.
	Members []*Exception
	// Suppressed by this one: what failed while it was on its way.
	Suppressed []*Exception

	// Notes are what the text says beside frames and message: where a syntax error is, properties, other goroutines.
	Notes []string
}

// Values of Exception.Relation: by the attribute's name where the language has two.
const (
	RelationCause   = "__cause__"
	RelationContext = "__context__"
	RelationOther   = "cause"
)

// Frame is one call, the way the language's own text shows it.
type Frame struct {
	File     string
	Line     int
	Column   int // 0: not told
	Function string
	Source   string   // the line of code, without its indentation
	More     []string // further lines of the same statement
	Note     string   // "[Previous line repeated 3 more times]"

	Location
}

// Location is what can be said about the place of a frame.
type Location struct {
	Filename string // below the import root, without a host
	Module   string // of Java: the class
	Package  string // the archive that it came in
	InApp    *bool  // nil: neither the application nor a library, but the language itself
}

// readers are asked in this order. Each returns the exception raised last, and the text that stands above it.
var readers = []func(lines []string) (exc *Exception, before string, ok bool){readPython, readGo, readJava, readV8}

// Parse reads a stack trace. The result is the exception raised last, with its frames oldest first; before is the text that
// stands above the trace and what a logger put before each of its lines. ok is false if the text holds no stack trace.
func Parse(text string) (exc *Exception, before string, ok bool) {
	all, prefix := unprefixed(lines(text))
	for _, read := range readers {
		if exc, before, ok = read(all); ok {
			exc.each(locate)
			return exc, strings.TrimSpace(prefix + "\n" + before), true
		}
	}
	return nil, "", false
}

// Innermost is the newest frame: the place where the exception was raised.
func (e *Exception) Innermost() (Frame, bool) {
	if len(e.Frames) == 0 {
		return Frame{}, false
	}
	return e.Frames[len(e.Frames)-1], true
}

// InApp tells whether any frame, of a cause or member too, is the application's own.
func (e *Exception) InApp() bool {
	found := false
	e.each(func(e *Exception) {
		found = found || slices.ContainsFunc(e.Frames, Frame.isInApp)
	})
	return found
}

// HasFrames tells whether the exception, or one that belongs to it, was raised anywhere that is known.
func (e *Exception) HasFrames() bool {
	found := false
	e.each(func(e *Exception) { found = found || len(e.Frames) > 0 })
	return found
}

func (f Frame) isInApp() bool { return f.InApp != nil && *f.InApp }

// AllNotes are those of the exception and of all that belong to it.
func (e *Exception) AllNotes() (notes []string) {
	e.each(func(e *Exception) { notes = append(notes, e.Notes...) })
	return notes
}

// each calls f for an exception, its causes and its members.
func (e *Exception) each(f func(*Exception)) {
	for ; e != nil; e = e.Cause {
		f(e)
		for _, m := range slices.Concat(e.Members, e.Suppressed) {
			m.each(f)
		}
	}
}

// root is the first cause.
func (e *Exception) root() *Exception {
	for e.Cause != nil {
		e = e.Cause
	}
	return e
}

// note keeps lines of text, if they hold any.
func (e *Exception) note(lines []string) {
	if text := strings.TrimSpace(strings.Join(lines, "\n")); text != "" {
		e.Notes = append(e.Notes, text)
	}
}

func (f *Frame) addNote(text string) { f.Note = strings.TrimSpace(f.Note + " " + text) }

func reversed(frames []Frame) []Frame {
	out := slices.Clone(frames)
	slices.Reverse(out)
	return out
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

// logPrefix is what a logger may write before each line of a message: `api-1  | `, `[worker] `, `app: `.
var logPrefix = regexp.MustCompile(`^.*?\S.*(?:\||:|\]|>) `)

// unprefixed takes a prefix off that all lines have.
func unprefixed(all []string) (rest []string, prefix string) {
	if len(all) < 3 {
		return all, ""
	}
	common := all[0]
	for _, l := range all {
		if strings.TrimRight(common, " ") != l { // an empty line may lack the last blank
			common = common[:sharedLength(common, l)]
		}
	}
	if prefix = logPrefix.FindString(common + " "); prefix == "" {
		return all, ""
	}
	rest = make([]string, len(all))
	for i, l := range all {
		rest[i] = strings.TrimPrefix(strings.TrimPrefix(l, strings.TrimRight(prefix, " ")), " ")
	}
	return rest, prefix
}

func sharedLength(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
