// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package sentryexporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// TestFailingTracingProvidersAreNoErrors has the failures of a tracing provider in its task, and of Redis there.
func TestFailingTracingProvidersAreNoErrors(t *testing.T) {
	const task = "tasks.ops_trace_task.process_trace_tasks"
	r := newRelay(t)
	h := startAt(t, r, nil, nil)
	p := newPush(time.Now())
	spans := p.resource()
	run := p.span(spans, 1, 1, 0, "run/"+task, ptrace.SpanKindConsumer, "celery.task_name", task)
	p.exception(run, "Exception", "LangFuse Failed to create trace: headers: {}, status_code: 503", "/app/api/core/x.py")
	call := p.span(spans, 1, 2, 1, "POST", ptrace.SpanKindClient, "http.request.method", "POST")
	p.exception(call, "httpx.ConnectError", refused, httpxPath)
	p.exception(run, "redis.exceptions.ConnectionError", "Error 111 connecting to redis:6379.", "/app/api/tasks/x.py")
	require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
	l := lineOf(0, "opik.ApiError", "status 500", "/app/api/core/ops/opik_trace/opik_trace.py")
	require.NoError(t, h.logs.ConsumeLogs(t.Context(), l))
	h.stop(t)
	r.requireNoFaults(t)
	assert.Equal(t, []string{"ConnectionError: Error 111 connecting to redis:6379."}, r.titles(t))
	assert.EqualValues(t, 3, h.discarded(t)["tracing_provider error"])
}

// TestCallsWithoutARequestAreNoTransactions has calls without a parent, and a model call, a child and a task.
func TestCallsWithoutARequestAreNoTransactions(t *testing.T) {
	for name, clientRoots := range map[string]bool{"by default": false, "client_roots: true": true} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			h := startAt(t, r, func(c *Config) { c.ClientRoots = clientRoots }, nil)
			p := newPush(time.Now())
			spans := p.resource()
			p.span(spans, 1, 1, 0, "SELECT dify", ptrace.SpanKindClient, "db.system", "postgresql")
			p.span(spans, 1, 2, 1, "connect", ptrace.SpanKindClient, "db.system", "postgresql")
			p.span(spans, 2, 3, 0, "PUBLISH", ptrace.SpanKindClient, "db.system", "redis")
			p.span(spans, 3, 4, 0, "GET", ptrace.SpanKindClient, "http.request.method", "GET", "url.full", "http://x/")
			p.span(spans, 4, 5, 0, "chat m", ptrace.SpanKindClient, "gen_ai.operation.name", "chat", "gen_ai.request.model", "m")
			p.request(spans, 5, 6)
			p.span(spans, 5, 7, 6, "SELECT dify", ptrace.SpanKindClient, "db.system", "postgresql")
			p.span(spans, 6, 8, 0, "run/x", ptrace.SpanKindConsumer, "celery.task_name", "x")
			p.span(spans, 7, 9, 0, "SELECT dify", ptrace.SpanKindClient, "db.system", "postgresql")
			p.span(spans, 7, 10, 9, "something else", ptrace.SpanKindInternal)
			require.NoError(t, h.traces.ConsumeTraces(t.Context(), p.Traces))
			h.stop(t)
			r.requireNoFaults(t)
			if clientRoots {
				assert.Len(t, r.raw("transaction"), 7)
				return
			}
			assert.Len(t, r.raw("transaction"), 4)
			assert.EqualValues(t, 3, h.discarded(t)["client_root transaction"])
			assert.EqualValues(t, 4, h.discarded(t)["client_root span"])
		})
	}
}
