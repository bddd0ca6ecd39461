// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package logline

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSplitTraceback(t *testing.T) {
	const frame = "Traceback (most recent call last):\n  File \"/app/api/x.py\", line 1, in y\n    raise z\n"
	for name, tt := range map[string]struct {
		text, message, kind, wantMessage string
	}{
		"builtin": {"it failed\n" + frame + "ValueError: no", "it failed", "ValueError", "no"},
		"module": {
			"it failed\n" + frame +
				"pydantic_core._pydantic_core.ValidationError: 1 error\nfield\n  Extra inputs\n    further", "it failed",
			"pydantic_core._pydantic_core.ValidationError", "1 error\nfield\n  Extra inputs\n    further",
		},
		"no message":   {frame + "KeyboardInterrupt\n", "", "KeyboardInterrupt", ""},
		"a line below": {frame + "a.B\n\nprinted: x", "", "a.B", "\nprinted: x"},
		"chained": {
			"m\n" + frame +
				"A: a\n\nThe above exception was the direct cause of the following exception:\n\n" + frame + "b.B: b", "m", "b.B",
			"b",
		},
		"while handling": {
			"m\n" + frame +
				"A: a\n\nDuring handling of the above exception, another exception occurred:\n\n" + frame + "B: b\nsecond line",
			"m", "B", "b\nsecond line",
		},
		"truncated": {"m\n" + frame, "m", "", ""},
		"truncated in a chain": {"m\n" + frame +
			"A: a\n\nDuring handling of the above exception, another exception occurred:\n\n" + frame, "m", "", ""},
		"not a type": {"m\n" + frame + "this is (no type): x", "m", "", "this is (no type): x"},
		"exception group": {
			"m\n  + Exception " + "Group " + frame + "  | ExceptionGroup: x (1 sub-exception)", "m",
			"", "",
		},
		"message has lines": {"first\n second\n" + frame + "A: a", "first\n second", "A", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			message, e, found := SplitTraceback(tt.text)
			assert.True(t, found)
			assert.Equal(t, tt.message, message)
			assert.Equal(t, tt.kind, e.Type)
			assert.Equal(t, tt.wantMessage, e.Message)
			assert.True(t, strings.HasSuffix(strings.TrimRight(tt.text, "\n"), e.Stack))
			assert.Contains(t, e.Stack, tracebackHead)
		})
	}
	message, _, found := SplitTraceback("nothing\nhere")
	assert.False(t, found)
	assert.Equal(t, "nothing\nhere", message)
}
