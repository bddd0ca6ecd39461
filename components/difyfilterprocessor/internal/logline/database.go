// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package logline

import "strings"

// databaseLevel returns the level of an entry of the plugin daemon's database logger, which writes none: a slow
// statement, an error, or a statement only.
func databaseLevel(text string) string {
	switch {
	case text == "":
		return "INFO"
	case strings.HasPrefix(text, "SLOW SQL"):
		return "WARN"
	default:
		return "ERROR"
	}
}

// SplitStatement splits an entry of the plugin daemon's database logger into its message and the statement after
// [224.1ms] [rows:1]. The statement is empty if it is no such entry.
func SplitStatement(text string) (message, statement string) {
	head, rest, ok := strings.Cut(text, "ms] [rows:")
	if !ok {
		return text, ""
	}
	rows, statement, ok := strings.Cut(rest, "] ")
	if !ok {
		return text, ""
	}
	return strings.ReplaceAll(head, "\n", " ") + "ms] [rows:" + rows + "]", statement
}
