// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package stacktrace parses the text of a stack trace, as Python, JavaScript, Go and Java print it. It knows neither
// Sentry nor OpenTelemetry.
package stacktrace

import (
	"regexp"
	"slices"
	"strings"
)

// Language is the programming language of a stack trace.
type Language string

// Languages that Parse supports.
const (
	Python     Language = "python"
	JavaScript Language = "javascript"
	Go         Language = "go"
	Java       Language = "java"
)

// Exception is one exception of a stack trace, with its causes.
type Exception struct {
	Language Language
	Type     string // as written, with its module
	Message  string // may have several lines, notes added to the exception included
	Frames   []Frame

	// Cause is the exception from which, or during the handling of which, this one was raised; see Relation.
	Cause    *Exception
	Relation string

	// Members of an exception group, of an AggregateError.
	Members []*Exception
	// Suppressed are the exceptions that were raised while this one was propagated.
	Suppressed []*Exception

	// Notes are other parts of the text: the position of a syntax error, properties, other goroutines.
	Notes []string
}

// Values of Exception.Relation, by the attribute's name in languages that have two.
const (
	RelationCause   = "__cause__"
	RelationContext = "__context__"
	RelationOther   = "cause"
)

// Frame is one call, as the language prints it.
type Frame struct {
	File     string
	Line     int
	Column   int // 0 if unknown
	Function string
	Source   string   // the line of code, without its indentation
	More     []string // further lines of the same statement
	Note     string   // "[Previous line repeated 3 more times]"

	Location
}

// Location is where a frame belongs.
type Location struct {
	Filename string // below the import root, without a host
	Module   string // in Java, the class
	Package  string // the archive that contains it
	InApp    *bool  // nil for the language's own library
}

// readers are tried in this order. Each returns the exception that was raised last, and the text above it.
var readers = []func(lines []string) (exc *Exception, before string, ok bool){readPython, readGo, readJava, readV8}

// Parse parses a stack trace. It returns the exception that was raised last, with its frames oldest first; before is
// the text above the stack trace and the prefix that a logger wrote before each line. ok is false if there is no
// stack trace.
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

// Innermost returns the newest frame, where the exception was raised.
func (e *Exception) Innermost() (Frame, bool) {
	if len(e.Frames) == 0 {
		return Frame{}, false
	}
	return e.Frames[len(e.Frames)-1], true
}

// InApp reports whether any frame, including those of causes and members, belongs to the application.
func (e *Exception) InApp() bool {
	found := false
	e.each(func(e *Exception) {
		found = found || slices.ContainsFunc(e.Frames, Frame.isInApp)
	})
	return found
}

// HasFrames reports whether the exception, or one that belongs to it, has frames.
func (e *Exception) HasFrames() bool {
	found := false
	e.each(func(e *Exception) { found = found || len(e.Frames) > 0 })
	return found
}

func (f Frame) isInApp() bool { return f.InApp != nil && *f.InApp }

// AllNotes returns the notes of the exception and of all that belong to it.
func (e *Exception) AllNotes() (notes []string) {
	e.each(func(e *Exception) { notes = append(notes, e.Notes...) })
	return notes
}

// each calls f for the exception, its causes and its members.
func (e *Exception) each(f func(*Exception)) {
	for ; e != nil; e = e.Cause {
		f(e)
		for _, m := range slices.Concat(e.Members, e.Suppressed) {
			m.each(f)
		}
	}
}

// root returns the first cause.
func (e *Exception) root() *Exception {
	for e.Cause != nil {
		e = e.Cause
	}
	return e
}

// note adds lines of text as a note, unless they are empty.
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

// lines splits a text into lines, without colors and carriage returns.
func lines(text string) []string {
	if strings.Contains(text, "\x1b[") {
		text = ansi.ReplaceAllString(text, "")
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Split(strings.TrimRight(text, "\n"), "\n")
}

// logPrefix matches what a logger may write before each line of a message: `api-1  | `, `[worker] `, `app: `.
var logPrefix = regexp.MustCompile(`^.*?\S.*(?:\||:|\]|>) `)

// unprefixed removes a prefix that all lines have.
func unprefixed(all []string) (rest []string, prefix string) {
	if len(all) < 3 {
		return all, ""
	}
	common := all[0]
	for _, l := range all {
		if strings.TrimRight(common, " ") != l { // an empty line may lack the last space
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
