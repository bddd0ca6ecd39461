// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package quotation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestFind(t *testing.T) {
	long := "please summarize " + strings.Repeat("the minutes of the meeting ", 20)
	for name, tt := range map[string]struct{ content, text, want string }{
		"whole":            {"refund of order 1142 please", "cannot handle refund of order 1142 please!", "cannot handle *!"},
		"twice":            {"refund of order 1142", "refund of order 1142; refund of order 1142", "*; *"},
		"Chinese":          {"请帮我写一份辞职信给老板", "内容违规：请帮我写一份辞职信给老板。", "内容违规：*。"},
		"truncated":        {"write a long story about a dragon", "bad prompt: write a long story about a dr...", "bad prompt: *..."},
		"second line":      {"Hi there,\nmy card number is 4111 1111", "got my card number is 4111 1111", "got *"},
		"only a beginning": {"the quick brown fox jumps over it", "the quick brown cat", "the quick brown cat"},
		"two words":        {"gpt-4o-mini-2024-07-18 default", "gpt-4o-mini-2024-07-18 default", "gpt-4o-mini-2024-07-18 default"},
		"an ID":            {"4062b193-7acf-49d8-88fa-e1cb22331307", "4062b193-7acf-49d8-88fa-e1cb22331307", "4062b193-7acf-49d8-88fa-e1cb22331307"},
		"short":            {"how are you", "how are you", "how are you"},
		"long":             {long, "error: " + long + "\nnext", "error: *\nnext"},
		"at the end":       {"refund of order 1142", "x refund of order 1142", "x *"},
		"a stack trace": {
			"why?\nTraceback (most recent call last):\n  File \"x.py\", line 1, in f",
			"Traceback (most recent call last):\n  File \"x.py\", line 1, in f",
			"Traceback (most recent call last):\n  File \"x.py\", line 1, in f",
		},
		"none": {"", "some error text that is long", "some error text that is long"},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMemory()
			m.Add(pcommon.TraceID{1}, tt.content)
			got := replaced(tt.text, m.Of(pcommon.TraceID{1}))
			assert.Equal(t, tt.want, got)
			assert.Equal(t, got, replaced(got, m.Of(pcommon.TraceID{1})), "idempotent")
			assert.Empty(t, m.Of(pcommon.TraceID{2}))
		})
	}
}

func replaced(text string, phrases []string) string {
	var b strings.Builder
	at := 0
	for _, r := range Find(text, phrases, "\n") {
		b.WriteString(text[at:r.From] + "*")
		at = r.To
	}
	return b.String() + text[at:]
}

func TestMemoryIsBounded(t *testing.T) {
	m := NewMemory()
	for i := range 3 * maxTraces {
		lines := 1
		if i%64 == 0 {
			lines = 2 * maxPhrases
		}
		for j := range lines {
			m.Add(pcommon.TraceID{byte(i >> 8), byte(i)}, fmt.Sprintf("the line %d of %s", j, strings.Repeat("a user ", 99)))
		}
	}
	traces := 0
	for i := range 3 * maxTraces {
		of := m.Of(pcommon.TraceID{byte(i >> 8), byte(i)})
		assert.LessOrEqual(t, len(of), maxPhrases)
		for _, phrase := range of {
			assert.LessOrEqual(t, len(phrase), maxLength)
		}
		if len(of) > 0 {
			traces++
		}
	}
	assert.LessOrEqual(t, traces, maxTraces)
	assert.Positive(t, traces)
}

func FuzzFind(f *testing.F) {
	f.Add("a b c d e f g h i j", "x a b c d e f g h i j y")
	f.Fuzz(func(t *testing.T, content, text string) {
		m := NewMemory()
		m.Add(pcommon.TraceID{}, content)
		last := 0
		for _, r := range Find(text, m.Of(pcommon.TraceID{}), "\n") {
			assert.LessOrEqual(t, last, r.From)
			assert.Less(t, r.From, r.To)
			assert.LessOrEqual(t, r.To, len(text))
			last = r.To
		}
	})
}
