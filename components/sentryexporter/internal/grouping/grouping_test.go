// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package grouping

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

const (
	libraryPath = "/app/api/.venv/lib/python3.12/site-packages/graphon/graph_engine/graph_engine.py"
	appPath     = "/app/api/core/workflow/workflow_entry.py"
)

// TestSameFailureIsOneIssue checks for each kind of failure that two of it have the same fingerprint, and another has
// not.
func TestSameFailureIsOneIssue(t *testing.T) {
	llm, tool := Place{NodeType: "llm", Route: "/v1/chat-messages"}, Place{NodeType: "tool"}
	for _, c := range []struct {
		name             string
		one, same, other []string
	}{
		{
			name:  "application code: Sentry's own rule, whatever the message contains and wherever it is called from",
			one:   failure("KeyError", "'conversation 41'", llm, appPath),
			same:  failure("KeyError", "'conversation 42'", tool, appPath),
			other: failure("KeyError", "'conversation 41'", llm, libraryPath),
		},
		{
			name:  "library code below a node: by node type",
			one:   failure("httpx.ConnectError", "[Errno 111] to 10.0.0.7:5002", llm, libraryPath),
			same:  failure("httpx.ConnectError", "[Errno 111] to 10.0.0.8:5002", llm, libraryPath),
			other: failure("httpx.ConnectError", "[Errno 111] to 10.0.0.7:5002", tool, libraryPath),
		},
		{
			name:  "library code on a route",
			one:   failure("redis.exceptions.TimeoutError", "a", Place{Route: "/v1/info"}, libraryPath),
			same:  failure("redis.exceptions.TimeoutError", "b", Place{Route: "/v1/info"}, libraryPath),
			other: failure("redis.exceptions.TimeoutError", "a", Place{Route: "/v1/parameters"}, libraryPath),
		},
		{
			name:  "library code in a task",
			one:   failure("redis.exceptions.TimeoutError", "a", Place{Task: "tasks.mail"}, libraryPath),
			same:  failure("redis.exceptions.TimeoutError", "b", Place{Task: "tasks.mail"}, libraryPath),
			other: failure("redis.exceptions.TimeoutError", "a", Place{Task: "tasks.index"}, libraryPath),
		},
		{
			name: "the engine's RuntimeError: by its message, without IDs",
			one: failure("RuntimeError", "Node 1732007415808 failed: run 7d4b1f0e-0000-4000-8000-000000000001 timed out",
				Place{}, appPath, libraryPath),
			same: failure("RuntimeError", "Node 1732007415999 failed: run 8e5c2a1f-0000-4000-8000-000000000002 timed out",
				Place{}, appPath, libraryPath),
			other: failure("RuntimeError", "Failed to execute code, please check if the sandbox service is running",
				Place{}, appPath, libraryPath),
		},
		{
			name:  "no stack trace: class, message without ids, place",
			one:   failure("InvokeError", `request req_011CSd7aB3 for "gpt-4o" refused by a@example.com`, llm),
			same:  failure("InvokeError", `request req_011CSd9zQ4 for "gpt-5" refused by b@example.com`, llm),
			other: failure("InvokeError", `request req_011CSd7aB3 for "gpt-4o" refused by a@example.com`, tool),
		},
		{
			name:  "Celery's time limit: by task, as the SDK does",
			one:   failure("billiard.exceptions.SoftTimeLimitExceeded", "()", Place{Task: "tasks.x"}, appPath),
			same:  failure("billiard.exceptions.SoftTimeLimitExceeded", "()", Place{Task: "tasks.x"}, libraryPath),
			other: failure("billiard.exceptions.SoftTimeLimitExceeded", "()", Place{Task: "tasks.y"}, appPath),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.one, c.same)
			assert.NotEqual(t, c.one, c.other)
		})
	}
}

// failure returns what Sentry groups by: the fingerprint, with the frames for its own rule.
func failure(typ, message string, at Place, paths ...string) []string {
	exc := &stacktrace.Exception{Type: typ, Message: message}
	if len(paths) > 0 {
		exc, _, _ = stacktrace.Parse(traceback(typ, message, paths...))
	}
	fingerprint := Fingerprint(exc, at)
	if fingerprint == nil {
		fingerprint = []string{Default}
	}
	if slices.Contains(fingerprint, Default) {
		fingerprint = append(fingerprint, paths...)
	}
	return fingerprint
}

func TestNormalized(t *testing.T) {
	for in, want := range map[string]string{
		"Run failed: 12 of 13 in node 'start' at https://x/y?z=1": "Run failed: <n> of <n> in node <text> at <url>",
		"id 4062b193-7acf-49d8-88fa-e1cb22331307 of a@b.example":  "id <uuid> of <email>",
		"first\nsecond": "first",
		"chatcmpl-9hZ41xY8 of gpt-4o-mini, 7 parts": "<id> of gpt-<n>o-mini, <n> parts",
		"deadbeefdeadbeefdeadbeefdeadbeef and 0xAB": "<hex> and <hex>",
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
