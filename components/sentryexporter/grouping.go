// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"regexp"
	"slices"
	"strings"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

// fingerprint says what belongs to one issue where Sentry's own rule, the stack trace, is not what a person would choose.
// A change of these rules opens new issues for old errors.
func fingerprint(exc *stacktrace.Exception, nodeType, task string) []string {
	if _, class := stacktrace.SplitType(exc.Type); class == "SoftTimeLimitExceeded" && task != "" {
		return []string{"celery", class, task} // as Sentry's SDK does
	}
	if nodeType != "" && !inApp(exc) {
		// The same library failing below an LLM node and below an HTTP node are two things.
		return []string{"{{ default }}", "dify.node", nodeType}
	}
	return nil
}

// inApp tells whether any frame is the application's own: then ids in the message do no harm to the grouping.
func inApp(exc *stacktrace.Exception) bool {
	for e := exc; e != nil; e = e.Cause {
		for _, f := range e.Frames {
			if at := stacktrace.LocatePython(f.File); at.InApp != nil && *at.InApp {
				return true
			}
		}
		if slices.ContainsFunc(e.Members, inApp) {
			return true
		}
	}
	return false
}

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
	{regexp.MustCompile(`\d+`), "<n>"},
}

// normalised is the first line of a message without what varies.
func normalised(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	for _, v := range variables {
		line = v.re.ReplaceAllString(line, v.name)
	}
	return strings.TrimSpace(line)
}
