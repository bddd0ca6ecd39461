// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A hostile text must not block a pipeline: each of these would take minutes if a search were quadratic.
func TestMessagesAreSearchedInLinearTime(t *testing.T) {
	for _, part := range []string{
		"?", "a?", "/a?b=c ", "://?", "args=", "args={", "args='", `args=\"`, "Request Body:", "LINE ", "LINE 1: ",
		"LINE 1: x\n", `LINE 1: x\n`, ")=(", ")=(\n", `)=(\n`,
		"[SQL: ", "[SQL: [parameters: ", "[SQL: '", "[SQL: (Background on this error", "Failing row contains (",
		"Duplicate entry '", "=", ":",
		`"`, `\`, "{", "({[",
	} {
		text := strings.Repeat(part, 1<<17/len(part))
		cuts := everything.cuts(text, viewText)
		assert.LessOrEqual(t, len(cuts), len(text))
	}
}
