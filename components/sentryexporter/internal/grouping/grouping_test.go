// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package grouping

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

const libraryPath = "/app/api/.venv/lib/python3.12/site-packages/graphon/graph_engine/graph_engine.py"

const codeFailed = "Traceback (most recent call last):\n  File \"<string>\", line 13, in <module>\n" +
	"  File \"<string>\", line 3, in main\nKeyError: 'customer'\n"

// TestTitles checks what the event of an error shows: the failure, not the class with which the engine passes it on.
func TestTitles(t *testing.T) {
	for name, tt := range map[string]struct{ class, text, wantClass, want, wantFrame string }{
		"code node":           {"RuntimeError", codeFailed, "KeyError", "'customer'", "main"},
		"run of a code node":  {RunFailure, codeFailed, "KeyError", "'customer'", "main"},
		"log of a code node":  {"", "Node 17 failed with ABORT strategy: " + codeFailed, "KeyError", "'customer'", "main"},
		"plugin":              {RunFailure, `PluginInvokeError: {"args":{},"error_type":"X","message":"m "}`, "X", "m", ""},
		"plugin's exception":  {"core.PluginInvokeError", `{"args":{},"error_type":"X","message":"m"}`, "X", "m", ""},
		"truncated":           {RunFailure, `{"error_type":"X","mess`, "X", `{"error_type":"X","mess`, ""},
		"provider":            {"RuntimeError", "[openai] 429 slow", "InvokeRateLimitError", "[openai] 429 slow", ""},
		"unknown status":      {"RuntimeError", "[openai] 418 tea", "RuntimeError", "[openai] 418 tea", ""},
		"class in the text":   {RunFailure, "a.b.SandboxError: code 7", "a.b.SandboxError", "code 7", ""},
		"only a class":        {"RuntimeError", "InvokeRateLimitError", "InvokeRateLimitError", "", ""},
		"known by its prefix": {RunFailure, "Run failed: it broke", RunFailure, "it broke", ""},
		"unknown":             {RunFailure, "it broke", RunFailure, "it broke", ""},
		"another class":       {"KeyError", codeFailed, "KeyError", codeFailed, ""},
		"not a wrapper":       {"ValueError", "it broke: status 500", "ValueError", "it broke: status 500", ""},
		"a ValueError around": {"ValueError", "Run failed: [openai] 503", "InvokeServerUnavailableError", "[openai] 503", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := Of(&stacktrace.Exception{Language: stacktrace.Python, Type: tt.class, Message: tt.text})
			assert.Equal(t, tt.wantClass, f.Exception.Type)
			assert.Equal(t, tt.want, f.Exception.Message)
			frame, _ := f.Exception.Innermost()
			assert.Equal(t, tt.wantFrame, frame.Function)
		})
	}
}

// TestFramesOfTheTextFollowThoseOfTheEngine checks that an event has both, in the order of the calls.
func TestFramesOfTheTextFollowThoseOfTheEngine(t *testing.T) {
	exc, _, ok := stacktrace.Parse(traceback("RuntimeError", codeFailed, libraryPath))
	require.True(t, ok)
	before := len(exc.Frames)
	f := Of(exc)
	assert.Equal(t, "RuntimeError", f.Wrapper)
	assert.Equal(t, "RuntimeError", exc.Type, "the recorded exception stays as it is")
	assert.Len(t, exc.Frames, before)
	require.Len(t, f.Exception.Frames, before+2)
	assert.Equal(t, 3, f.Exception.Frames[before+1].Line)
}

// TestKeyIsTheSameForAllRecordings has one failure in the shapes in which one run records it.
func TestKeyIsTheSameForAllRecordings(t *testing.T) {
	for name, texts := range map[string][]string{
		"traceback": {
			codeFailed, strings.TrimSpace(codeFailed), "Node 17 failed with ABORT strategy: " + codeFailed,
			"Run failed: " + codeFailed,
		},
		"provider": {
			"[openai] Error: 429 slow", "[openai] Error: 429 slow\n", "Run failed: [openai] Error: 429 slow",
			"Failed to invoke tool x: [openai] Error: 429 slow",
		},
		"text": {"[Errno 111] Connection refused", "Node http failed with ABORT strategy: [Errno 111] Connection refused "},
	} {
		t.Run(name, func(t *testing.T) {
			engine, _, ok := stacktrace.Parse(traceback("RuntimeError", texts[0], libraryPath))
			require.True(t, ok)
			want := Of(engine).Key
			for _, text := range texts {
				assert.Equal(t, want, Of(&stacktrace.Exception{Type: RunFailure, Message: text}).Key, text)
			}
			assert.NotEqual(t, want, Of(&stacktrace.Exception{Type: RunFailure, Message: "503: " + texts[0][1:]}).Key)
		})
	}
}

func TestNormalized(t *testing.T) {
	for in, want := range map[string]string{
		"Run failed: 12 of 13 in node 'start' of 'LLM 2' at https://x/y?z=1": "Run failed: <n> of <n> in node 'start' of " +
			"<text> at <url>",
		"id 4062b193-7acf-49d8-88fa-e1cb22331307 of a@b.example": "id <uuid> of <email>",
		"first\nsecond":                                     "first",
		"introduced:\n second":                              "introduced: second",
		"chatcmpl-9hZ41xY8 of gpt-4o-mini, 7 parts":         "<id> of gpt-<n>o-mini, <n> parts",
		"deadbeefdeadbeefdeadbeefdeadbeef and 0xAB":         "<hex> and <hex>",
		"[Errno 111] no. 111":                               "[Errno 111] no. <n>",
		"bad context {'id': 'x', 'text': 'y'} and the rest": "bad context <data>",
	} {
		assert.Equal(t, want, normalized(in))
	}
}

// traceback is what Python would print, the innermost frame last.
func traceback(typ, message string, frames ...string) string {
	var text strings.Builder
	text.WriteString("Traceback (most recent call last):\n")
	for _, f := range frames {
		text.WriteString("  File \"" + f + "\", line 7, in run\n    call()\n")
	}
	return text.String() + typ + ": " + message + "\n"
}
