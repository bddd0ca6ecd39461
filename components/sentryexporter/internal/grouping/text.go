// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package grouping

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/protocol"
)

// Stable returns a message in the form that is the same for the same failure, short enough for a fingerprint.
func Stable(message string) string { return protocol.Text(normalized(message), protocol.MaxTagValue) }

// variables are the parts of a message that differ between occurrences, in this order.
var variables = []struct {
	re   *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`HTTPS?ConnectionPool\([^)]*\)`), "HTTPConnectionPool"},
	{regexp.MustCompile(`<[\w.]+ object at 0x[0-9a-f]+>`), "<object>"},
	{regexp.MustCompile(`with url: \S+`), "with url: <url>"},
	{regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://\S+`), "<url>"},
	{regexp.MustCompile(`[\w.+-]+@[\w-]+\.[\w.-]+`), "<email>"},
	{regexp.MustCompile(`(?i)\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b`), "<uuid>"},
	{regexp.MustCompile(`\{\s*['"].*`), "<data>"},
}

var (
	quoted = regexp.MustCompile(`"[^"\n]*"|'[^'\n]*'`)
	// identifier matches a quoted text that is a name of the program, like a module, a column or an attribute.
	identifier = regexp.MustCompile(`^["'][A-Za-z_][A-Za-z_.]{0,60}["']$`)
	hexNumber  = regexp.MustCompile(`(?i)\b0x[0-9a-f]+\b|\b[0-9a-f]{16,}\b`)
	word       = regexp.MustCompile(`[\w-]{8,}`)
	number     = regexp.MustCompile(`\[Errno -?\d+\]|\d+`)
)

// normalized returns the first line of a message without what varies. It reads no more of it than Sentry shows: the
// searches are slow, and a message may have a megabyte.
func normalized(message string) string {
	line := protocol.Text(firstLine(message), protocol.MaxValue)
	for _, v := range variables {
		line = v.re.ReplaceAllString(line, v.name)
	}
	line = quoted.ReplaceAllStringFunc(line, func(q string) string {
		if identifier.MatchString(q) {
			return q
		}
		return "<text>"
	})
	line = hexNumber.ReplaceAllString(line, "<hex>")
	line = word.ReplaceAllStringFunc(line, func(w string) string {
		if isID(w) {
			return "<id>"
		}
		return w
	})
	return strings.TrimSpace(number.ReplaceAllStringFunc(line, func(n string) string {
		if n[0] == '[' { // the number of a system error says what it is
			return n
		}
		return "<n>"
	}))
}

// firstLine returns the first line, and the second if the first only introduces it.
func firstLine(message string) string {
	line, rest, _ := strings.Cut(strings.TrimSpace(message), "\n")
	if strings.HasSuffix(strings.TrimSpace(line), ":") {
		second, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
		return strings.TrimSpace(line) + " " + strings.TrimRight(second, "> ")
	}
	return line
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
