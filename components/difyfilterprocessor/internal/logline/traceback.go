// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package logline

import "strings"

// Exception is the exception at the end of a Python traceback.
type Exception struct {
	Type, Message, Stack string
}

const tracebackHead = "Traceback (most recent call last):"

// IsTraceback reports whether a line begins a traceback.
func IsTraceback(line string) bool {
	line = strings.TrimLeft(line, " +|")
	return strings.HasPrefix(line, tracebackHead) || strings.HasPrefix(line, "Exception Group "+tracebackHead)
}

// SplitTraceback splits an entry into its message and the traceback that follows it.
func SplitTraceback(text string) (message string, e Exception, found bool) {
	at := 0
	for line := range strings.Lines(text) {
		if IsTraceback(line) {
			e = ReadTraceback(text[at:])
			return strings.TrimRight(text[:at], "\n"), e, true
		}
		at += len(line)
	}
	return text, Exception{}, false
}

// ReadTraceback returns the exception that a traceback ends with. Python writes causes first, so the last exception is
// the one that was raised last. Its message may have several lines.
func ReadTraceback(stack string) Exception {
	e := Exception{Stack: strings.TrimRight(stack, "\n")}
	inside, at := false, 0
	for line := range strings.Lines(e.Stack) {
		begins := at
		at += len(line)
		switch {
		case IsTraceback(line):
			inside = true
			e.Type, e.Message = "", ""
		case inside && line[0] != ' ' && line[0] != '\n' && line[0] != '\t':
			inside = false
			e.Type, e.Message = splitRaised(e.Stack[begins:])
		}
	}
	return e
}

// splitRaised parses `module.Type: message`. The message ends where Python continues with another exception.
func splitRaised(text string) (kind, message string) {
	for _, next := range [...]string{
		"\n\nThe above exception was the direct cause",
		"\n\nDuring handling of the above exception",
	} {
		text, _, _ = strings.Cut(text, next)
	}
	text = strings.TrimRight(text, "\n")
	kind = text
	if end := strings.IndexAny(text, ":\n"); end >= 0 {
		kind, message = text[:end], strings.TrimPrefix(strings.TrimPrefix(text[end:], ":"), " ")
	}
	if strings.ContainsAny(kind, " \t()[]{}'\"") {
		return "", text
	}
	return kind, strings.TrimPrefix(message, "\n")
}
