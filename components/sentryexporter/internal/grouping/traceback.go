// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package grouping

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// stackInText matches the parts of a stack trace that the sandbox returns as text.
var stackInText = regexp.MustCompile(`Traceback \(most recent call last\):|\n {4}at `)

// describeTraceback reads a text that is or ends with a stack trace, as code nodes and templates fail with. It is
// grouped by class and by the innermost frame of what the user wrote, not of the libraries that it called.
func describeTraceback(text string) (description, bool) {
	if !stackInText.MatchString(text) {
		return description{}, false
	}
	exc, _, ok := stacktrace.Parse(text)
	if !ok || exc.Type == "" {
		return description{}, false
	}
	_, class := exc.Class()
	d := description{class: exc.Type, message: exc.Message, frames: exc.Frames, language: exc.Language}
	kind, function, line := userFrame(exc)
	switch kind {
	case template:
		d.fingerprint = []string{"template", class, strconv.Itoa(line)}
	case code:
		d.fingerprint = []string{"code", class, function, strconv.Itoa(line)}
	default:
		f, _ := exc.Innermost()
		d.fingerprint = []string{"traceback", class, f.Filename, f.Function}
	}
	return d, true
}

type userFile int

const (
	library userFile = iota
	code
	template
)

// fileOf recognizes what a user wrote: the sandbox runs code from a file with a random name or from a string, and Jinja
// calls templates by a name in brackets.
func fileOf(path string) userFile {
	switch {
	case path == "<template>", path == "<unknown>":
		return template
	case path == "<string>", strings.Contains(path, "/sandbox-"), strings.HasPrefix(path, "/tmp/"):
		return code
	default:
		return library
	}
}

// syntaxPosition matches the position of a syntax error, which is not a call.
var syntaxPosition = regexp.MustCompile(`^File "([^"]+)", line (\d+)`)

// userFrame returns the innermost frame of what the user wrote. Below a template there is code of Dify only.
func userFrame(exc *stacktrace.Exception) (kind userFile, function string, line int) {
	for _, f := range exc.Frames {
		if k := fileOf(f.File); k != library && k >= kind {
			kind, function, line = k, f.Function, f.Line
		}
	}
	for _, note := range exc.Notes {
		if m := syntaxPosition.FindStringSubmatch(note); len(m) > 2 && fileOf(m[1]) != library {
			kind, function = max(kind, fileOf(m[1])), ""
			line, _ = strconv.Atoi(m[2])
		}
	}
	return kind, function, line
}
