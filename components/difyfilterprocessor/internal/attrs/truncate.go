// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package attrs

import "unicode/utf8"

// TruncatedMark ends a text that was cut.
const TruncatedMark = "…[truncated]"

// FirstBytes returns at most the first n bytes of a longer text, without an incomplete character at the end.
func FirstBytes(text string, n int) string {
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
