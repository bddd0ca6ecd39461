// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package logline

import (
	"regexp"
	"strings"
)

// parseWarning parses a warning that Python writes, and the source line after it continues:
//
//	/app/api/x.py:841: SecurityWarning: You're running the worker with superuser privileges ...
func parseWarning(text string) (Line, bool) {
	where, rest, ok := strings.Cut(text, ": ")
	if !ok {
		return Line{}, false
	}
	class, _, ok := strings.Cut(rest, ": ")
	if !ok || !strings.HasSuffix(class, "Warning") || strings.ContainsAny(class, " /") {
		return Line{}, false
	}
	l := Line{Level: "WARNING", Message: rest, Open: true}
	if !l.setCaller(where) || !strings.HasSuffix(l.File, ".py") {
		return Line{}, false
	}
	return l, true
}

// colors matches the escape sequences that color a terminal.
var colors = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

// StripColors returns a line without the escape sequences of terminals.
func StripColors(text string) string {
	if strings.IndexByte(text, '\x1b') < 0 {
		return text
	}
	return colors.ReplaceAllString(text, "")
}
