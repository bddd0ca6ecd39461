// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package grouping

import (
	"regexp"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// description is what the text of an error says about the failure behind it.
type description struct {
	class, message string
	frames         []stacktrace.Frame
	language       stacktrace.Language
	fingerprint    []string
	// certain means that the text describes another failure whatever class it has.
	certain bool
}

// wrappers are what Dify writes before the text of a failure.
var wrappers = regexp.MustCompile(`^(?:req_id: \S+ |Run failed: |Workflow execution failed: |Error: |` +
	`Node .{1,100}? (?:failed with [A-Z_]+ strategy|run failed|failed): )`)

// toolFailure is what the tool node writes before the text of a failure.
var toolFailure = regexp.MustCompile(`^Failed to invoke tool [^:\n]{1,200}: `)

// unwrap removes what Dify writes before the text of a failure.
func unwrap(text string) string {
	for text = strings.TrimSpace(text); ; {
		at := wrappers.FindStringIndex(text)
		if at == nil {
			return text
		}
		text = strings.TrimSpace(text[at[1]:])
	}
}

// describe reads the text of a failure. It returns false if the text says nothing that the message itself does not.
func describe(text string) (description, bool) {
	inner := unwrap(text)
	if d, ok := describeKnown(inner); ok {
		return d, true
	}
	if at := toolFailure.FindStringIndex(inner); at != nil {
		// A workflow that is called as a tool fails by the failure of one of its nodes.
		if d, ok := describeKnown(unwrap(inner[at[1]:])); ok && d.certain {
			return d, true
		}
	}
	if d, ok := describeStatus(inner); ok {
		return d, true
	}
	if d, ok := describeClass(inner); ok {
		return d, true
	}
	return description{message: inner, fingerprint: []string{"error", Stable(inner)}}, inner != strings.TrimSpace(text)
}

func describeKnown(text string) (description, bool) {
	for _, read := range []func(string) (description, bool){describePlugin, describeTraceback, describeProvider} {
		if d, ok := read(text); ok {
			d.certain = true
			return d, true
		}
	}
	return description{}, false
}

// classPrefix matches the class that Python writes before a message; bareClass matches a text that is only a class.
var (
	classPrefix = regexp.MustCompile(
		`^((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Timeout|Exceeded|Interrupt|Exit)): +`,
	)
	bareClass = regexp.MustCompile(`^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)$`)
)

// describeClass reads a text that begins with the class of an exception.
func describeClass(text string) (description, bool) {
	if bareClass.MatchString(text) {
		return description{class: text, message: "", fingerprint: pluginFingerprint(text)}, true
	}
	m := classPrefix.FindStringSubmatch(text)
	if m == nil {
		return description{}, false
	}
	_, class := stacktrace.SplitType(m[1])
	message := text[len(m[0]):]
	return description{class: m[1], message: message, fingerprint: []string{class, Stable(message)}}, true
}
