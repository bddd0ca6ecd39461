// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
	"github.com/otelcol-dify/otelcol-dify/components/sentryexporter/internal/stacktrace"
)

const (
	libraryPath = "/app/api/.venv/lib/python3.12/site-packages/graphon/graph_engine/graph_engine.py"
	appPath     = "/app/api/core/workflow/workflow_entry.py"
)

// TestSameFailureIsOneIssue says of each kind of failure what is the same for two of it, and that another is not.
func TestSameFailureIsOneIssue(t *testing.T) {
	llm, tool := place{nodeType: "llm", route: "/v1/chat-messages"}, place{nodeType: "tool"}
	for _, c := range []struct {
		name             string
		one, same, other []string
	}{
		{
			name:  "application code: Sentry's own rule, whatever the message holds and wherever it is called from",
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
			one:   failure("redis.exceptions.TimeoutError", "a", place{route: "/v1/info"}, libraryPath),
			same:  failure("redis.exceptions.TimeoutError", "b", place{route: "/v1/info"}, libraryPath),
			other: failure("redis.exceptions.TimeoutError", "a", place{route: "/v1/parameters"}, libraryPath),
		},
		{
			name:  "library code in a task",
			one:   failure("redis.exceptions.TimeoutError", "a", place{task: "tasks.mail"}, libraryPath),
			same:  failure("redis.exceptions.TimeoutError", "b", place{task: "tasks.mail"}, libraryPath),
			other: failure("redis.exceptions.TimeoutError", "a", place{task: "tasks.index"}, libraryPath),
		},
		{
			name:  "the engine's RuntimeError: by what it says, without ids",
			one:   failure("RuntimeError", "Node 1732007415808 failed: run 7d4b1f0e-0000-4000-8000-000000000001 timed out", place{}, appPath, libraryPath),
			same:  failure("RuntimeError", "Node 1732007415999 failed: run 8e5c2a1f-0000-4000-8000-000000000002 timed out", place{}, appPath, libraryPath),
			other: failure("RuntimeError", "Failed to execute code, please check if the sandbox service is running", place{}, appPath, libraryPath),
		},
		{
			name:  "no stack trace: class, message without ids, place",
			one:   failure("InvokeError", `request req_011CSd7aB3 for "gpt-4o" refused by a@example.com`, llm),
			same:  failure("InvokeError", `request req_011CSd9zQ4 for "gpt-5" refused by b@example.com`, llm),
			other: failure("InvokeError", `request req_011CSd7aB3 for "gpt-4o" refused by a@example.com`, tool),
		},
		{
			name:  "Celery's time limit: by task, as the SDK does",
			one:   failure("billiard.exceptions.SoftTimeLimitExceeded", "()", place{task: "tasks.x"}, appPath),
			same:  failure("billiard.exceptions.SoftTimeLimitExceeded", "()", place{task: "tasks.x"}, libraryPath),
			other: failure("billiard.exceptions.SoftTimeLimitExceeded", "()", place{task: "tasks.y"}, appPath),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.one, c.same)
			assert.NotEqual(t, c.one, c.other)
		})
	}
}

// failure is what Sentry groups by: the fingerprint, with the innermost frames for its own rule.
func failure(typ, message string, at place, paths ...string) []string {
	exc := &stacktrace.Exception{Type: typ, Message: message}
	if len(paths) > 0 {
		exc, _, _ = stacktrace.Parse(traceback(typ, message, paths...))
	}
	mark := fingerprint(exc, at)
	if mark == nil {
		mark = []string{byDefault}
	}
	if slices.Contains(mark, byDefault) {
		mark = append(mark, paths...)
	}
	return mark
}

func TestGroupingByPlace(t *testing.T) {
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	p := newPush(time.Now())
	spans := p.resource()
	p.span(spans, 1, 1, 0, "http-request", ptrace.SpanKindInternal, difysemconv.AttrNodeType, "http-request")
	get := p.span(spans, 1, 2, 1, "GET", ptrace.SpanKindClient, "http.request.method", "GET")
	p.exception(get, "httpx.ConnectError", "refused", libraryPath)
	task := p.span(spans, 2, 3, 0, "run/x", ptrace.SpanKindConsumer, "celery.task_name", "tasks.x")
	p.exception(task, "billiard.exceptions.SoftTimeLimitExceeded", "()", "/app/api/tasks/x.py")
	server := p.request(spans, 3, 4)
	p.exception(p.span(spans, 3, 5, 4, "GET", ptrace.SpanKindClient), "redis.exceptions.TimeoutError", "late", libraryPath)
	p.exception(server, "KeyError", "'k'", appPath)
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	h.stop(t)
	r.requireNoFaults(t)
	var got []string
	for _, ev := range r.payloads(t, "event") {
		got = append(got, fmt.Sprint(at(t, ev, "exception", "values", -1, "type"), " ", ev["fingerprint"]))
	}
	slices.Sort(got)
	assert.Equal(t, []string{
		"ConnectError [{{ default }} dify.node http-request]",
		"KeyError <nil>",
		"SoftTimeLimitExceeded [celery SoftTimeLimitExceeded tasks.x]",
		"TimeoutError [{{ default }} http.route /v1/workflows/run]",
	}, got)
}

func TestNormalised(t *testing.T) {
	for in, want := range map[string]string{
		"Run failed: 12 of 13 in node 'start' at https://x/y?z=1": "Run failed: <n> of <n> in node <text> at <url>",
		"id 4062b193-7acf-49d8-88fa-e1cb22331307 of a@b.example":  "id <uuid> of <email>",
		"first\nsecond": "first",
		"chatcmpl-9hZ41xY8 of gpt-4o-mini, 7 parts": "<id> of gpt-<n>o-mini, <n> parts",
		"deadbeefdeadbeefdeadbeefdeadbeef and 0xAB": "<hex> and <hex>",
	} {
		assert.Equal(t, want, normalised(in))
	}
}
