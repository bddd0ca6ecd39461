// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"cmp"
	"regexp"
	"strings"
	"unicode"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// place is where in Dify an exception happened, as far as telemetry tells it.
type place struct{ nodeType, task, route string }

// fingerprint names what belongs to the place: the node first, since it is the nearest.
func (p place) fingerprint() []string {
	switch {
	case p.nodeType != "":
		return []string{"dify.node", p.nodeType}
	case p.task != "":
		return []string{"celery", p.task}
	case p.route != "":
		return []string{"http.route", p.route}
	default:
		return nil
	}
}

// byDefault is Sentry's own rule, the stack trace.
const byDefault = "{{ default }}"

// vagueClasses say nothing of what went wrong.
var vagueClasses = map[string]bool{"RuntimeError": true, "Exception": true, "Error": true, "RuntimeException": true}

// fingerprint says what belongs to one issue where Sentry's own rule is not what a person would choose. A change of these
// rules opens new issues for old errors.
func fingerprint(exc *stacktrace.Exception, at place) []string {
	_, class := exc.Class()
	innermost, raised := exc.Innermost()
	inLibrary := raised && (innermost.InApp == nil || !*innermost.InApp)
	switch {
	case class == "SoftTimeLimitExceeded" && at.task != "":
		return []string{"celery", class, at.task} // as Sentry's SDK does
	case exc.Type == "" && exc.Message == "" && !raised: // a log line alone: Sentry has a rule for its template
		return nil
	case !exc.HasFrames(): // Sentry would go by the message, ids and all
		return append([]string{cmp.Or(class, "exception"), stable(exc.Message)}, at.fingerprint()...)
	case vagueClasses[class] && inLibrary:
		// The engine tells of whatever failed in a node with the same lines of code.
		return append([]string{byDefault, stable(exc.Message)}, at.fingerprint()...)
	case !exc.InApp() && at.fingerprint() != nil:
		// The same library failing below an LLM node and below an HTTP node are two things.
		return append([]string{byDefault}, at.fingerprint()...)
	default:
		return nil
	}
}

// stable is a message in the form that is the same for the same failure, short enough for a fingerprint.
func stable(message string) string { return protocol.Text(normalised(message), protocol.MaxTagValue) }

// variables are the parts of a message that differ from one time to the next.
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

// normalised is the first line of a message without what varies.
func normalised(message string) string {
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

// isID tells an id like chatcmpl-9hZ41xY8 or req_011CSd7 from a name like gpt-4o-mini: it has digits in several places, or
// many.
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
