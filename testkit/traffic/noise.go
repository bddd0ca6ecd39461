// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"net/http"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Names of dify_filter's built-in rules.
const (
	ruleParseError    = "parse_error"
	ruleHealthCheck   = "health_check"
	ruleBrokerPolling = "broker_polling"
	ruleNoScript      = "noscript"
)

// langfuseText is langfuse's defaultErrorResponse.
const langfuseText = "Unexpected error occurred. Please check your request and contact support: https://langfuse.com/support."

var (
	langfuseFailed = exception{
		"langfuse.api.core.api_error.ApiError", langfuseText,
		"Traceback (most recent call last):\n" +
			"  File \"/app/api/.venv/lib/python3.12/site-packages/langfuse/_utils/request.py\", line 51, in upload_with_retry\n" +
			"    raise ApiError(status_code=599, body=body)\n" +
			"langfuse.api.core.api_error.ApiError: " + langfuseText + "\n",
	}
	logLangfuse = logLine{
		"langfuse", langfuseText, "/app/api/.venv/lib/python3.12/site-packages/langfuse/_utils/parse_error.py", "96",
	}
)

func healthCheck(g *Generator, x *exchange) {
	req := x.open(g.api(), http.MethodGet, "/health")
	x.answer(req, http.StatusOK)
	x.noise(ruleHealthCheck, 1, 1)
}

// brokerPolling is what kombu does outside of any task, and the acknowledgement after one.
func brokerPolling(g *Generator, x *exchange) {
	for _, command := range []string{"LLEN LLEN LLEN LLEN", "ZADD HSET", "ZREM HDEL"} {
		s := x.root(g.World.Worker, scopeRedis, command, ptrace.SpanKindClient)
		x.redisCall(s, redisBroker, command)
		x.noise(ruleBrokerPolling, 1, 1)
	}
}

// noScriptError is redis-py's normal way to find out that it must load a script: the span is kept, its exception
// dropped.
func noScriptError(g *Generator, x *exchange) {
	s := x.root(g.World.Worker, scopeRedis, "EVALSHA", ptrace.SpanKindClient)
	x.redisCall(s, redisCache, "EVALSHA")
	x.fail(s, noScript)
	x.noise(ruleNoScript, 1, 0)
	x.out.Expected.ClientRoots++
}

// parseErrorEvents is how Dify since 1.11.3 records Langfuse's error: two events on the span of the task.
func parseErrorEvents(g *Generator, x *exchange) {
	x.queued(g, "tasks.ops_trace_task.process_trace_tasks", "ops_trace", g.api(), func(task span) {
		x.redis(task, redisCache, "GET")
		x.logException(task, logLangfuse, langfuseFailed)
	})
	x.noise(ruleParseError, 2, 0)
}

// parseErrorSpan is how an older Dify records it: a span named log.exception.
func parseErrorSpan(g *Generator, x *exchange) {
	x.queued(g, "tasks.ops_trace_task.process_trace_tasks", "ops_trace", g.api(), func(task span) {
		s := x.child(task, scopeException, "log.exception", ptrace.SpanKindInternal)
		a := s.Attributes()
		a.PutStr("log.level", "ERROR")
		a.PutStr("log.message", langfuseText)
		a.PutStr("log.logger", "langfuse")
		a.PutStr("exception.type", langfuseFailed.class)
		a.PutStr("exception.message", langfuseText)
		failed(s, langfuseText)
		x.end(s)
	})
	x.noise(ruleParseError, 1, 1)
}
