// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

// Package grouping decides which events belong to one issue, where Sentry's own rule does not decide as a person would.
package grouping

import (
	"cmp"
	"regexp"
	"strings"
	"unicode"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// Place is where in Dify an exception happened, as far as it is known.
type Place struct{ NodeType, Task, Route string }

// fingerprint returns the part of a fingerprint that names the place: the node first, since it is the nearest.
func (p Place) fingerprint() []string {
	switch {
	case p.NodeType != "":
		return []string{"dify.node", p.NodeType}
	case p.Task != "":
		return []string{"celery", p.Task}
	case p.Route != "":
		return []string{"http.route", p.Route}
	default:
		return nil
	}
}

// Default stands for Sentry's own rule, which groups by stack trace.
const Default = "{{ default }}"

// vagueClasses do not say what went wrong.
var vagueClasses = map[string]bool{"RuntimeError": true, "Exception": true, "Error": true, "RuntimeException": true}

// Fingerprint returns the fingerprint of an exception; nil where Sentry's own rule is right. A change of these rules
// creates new issues for old errors.
func Fingerprint(exc *stacktrace.Exception, at Place) []string {
	_, class := exc.Class()
	innermost, raised := exc.Innermost()
	inLibrary := raised && (innermost.InApp == nil || !*innermost.InApp)
	switch {
	case class == "SoftTimeLimitExceeded" && at.Task != "":
		return []string{"celery", class, at.Task} // as Sentry's SDK does
	case exc.Type == "" && exc.Message == "" && !raised: // only a log line: Sentry groups by its template
		return nil
	case !exc.HasFrames(): // Sentry would group by the message, including IDs
		return append([]string{cmp.Or(class, "exception"), Stable(exc.Message)}, at.fingerprint()...)
	case vagueClasses[class] && inLibrary:
		// Dify's engine raises whatever failed in a node from the same lines of code.
		return append([]string{Default, Stable(exc.Message)}, at.fingerprint()...)
	case !exc.InApp() && at.fingerprint() != nil:
		// The same library failing below an LLM node and below an HTTP node are two issues.
		return append([]string{Default}, at.fingerprint()...)
	default:
		return nil
	}
}

// Stable returns a message in the form that is the same for the same failure, short enough for a fingerprint.
func Stable(message string) string { return protocol.Text(normalized(message), protocol.MaxTagValue) }

// variables are the parts of a message that differ between occurrences.
var variables = []struct {
	re   *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://\S+`), "<url>"},
	{regexp.MustCompile(`[\w.+-]+@[\w-]+\.[\w.-]+`), "<email>"},
	{regexp.MustCompile(`(?i)\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b`), "<uuid>"},
	{regexp.MustCompile(`"[^"\n]*"|'[^'\n]*'`), "<text>"},
	{regexp.MustCompile(`(?i)\b0x[0-9a-f]+\b|\b[0-9a-f]{16,}\b`), "<hex>"},
}

var (
	word   = regexp.MustCompile(`[\w-]{8,}`)
	number = regexp.MustCompile(`\d+`)
)

// normalized returns the first line of a message without what varies.
func normalized(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	for _, v := range variables {
		line = v.re.ReplaceAllString(line, v.name)
	}
	line = word.ReplaceAllStringFunc(line, func(w string) string {
		if isID(w) {
			return "<id>"
		}
		return w
	})
	return strings.TrimSpace(number.ReplaceAllString(line, "<n>"))
}

// isID distinguishes an ID like chatcmpl-9hZ41xY8 or req_011CSd7 from a name like gpt-4o-mini, which has fewer digits.
func isID(w string) bool {
	digits, letters := 0, 0
	for _, r := range w {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		}
	}
	return digits >= 3 && letters > 0
}
