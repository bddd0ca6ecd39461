// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// Names of the built-in rules: labels of the processor's own metrics and keys of its configuration.
const (
	ruleParseError           = "parse_error"
	ruleContextDetach        = "context_detach"
	ruleHealthCheck          = "health_check"
	ruleBrokerPolling        = "broker_polling"
	ruleNoScript             = "noscript"
	ruleSampledResponseCount = "sampled_response_count"
	// ruleMergedSeries is no noise: it counts the points that were added to another when host labels went.
	ruleMergedSeries = "merged_series"
	// ruleJoinedLine counts the lines that were added to the record of the one above.
	ruleJoinedLine = "joined_line"
)

var builtinRuleNames = []string{
	ruleParseError, ruleContextDetach, ruleHealthCheck, ruleBrokerPolling, ruleNoScript, ruleSampledResponseCount, ruleMergedSeries,
	ruleJoinedLine,
}

// builtinRules are the rules for spans, events and records that the configuration has left on.
func builtinRules(cfg *DropConfig) []*rule {
	var rules []*rule
	if cfg.ParseError {
		rules = append(rules, textNoise(ruleParseError, difysemconv.NoiseParseError, difysemconv.NoiseParseErrorText)...)
	}
	if cfg.ContextDetach {
		// OpenTelemetry for Python logs it under gevent and streaming, with a ValueError about the token.
		rules = append(rules, textNoise(ruleContextDetach, "Failed to detach context", "was created in a different Context")...)
	}
	if cfg.NoScript {
		// redis-py tries EVALSHA first and sends the script when Redis does not know it yet.
		rules = append(rules, &rule{name: ruleNoScript, drops: dropsEvent, spanNameContains: "EVALSHA", exceptionType: "NoScriptError"})
	}
	if cfg.HealthCheck {
		rules = append(rules,
			&rule{name: ruleHealthCheck, drops: dropsSubtree, spanKind: ptrace.SpanKindServer, span: isHealthCheck},
			&rule{name: ruleHealthCheck, drops: dropsRecord, record: isHealthLine})
	}
	if cfg.BrokerPolling {
		rules = append(rules, brokerPolling(int64(cfg.BrokerDatabase)))
	}
	return rules
}

// textNoise drops what carries one of the texts: the event of a span that did something else too, the span that only
// tells it (Dify up to 1.11.2 made one named log.exception for each error in the log), the log record.
func textNoise(name string, texts ...string) []*rule {
	return []*rule{
		{name: name, drops: dropsEvent, texts: texts},
		{name: name, drops: dropsSpan, texts: texts, ownText: true},
		{name: name, drops: dropsRecord, texts: texts},
	}
}

func isHealthCheck(span ptrace.Span) bool {
	attrs := span.Attributes()
	if statusCode(attrs) >= 400 {
		return false // it failed: a 4xx is no ERROR of the server, but nobody has refused a check on purpose
	}
	if method, path, ok := strings.Cut(span.Name(), " "); ok && (method == "GET" || method == "HEAD") && isHealthPath(path) {
		return true
	}
	for _, key := range [...]string{attrRoute, attrOldTarget, attrPath} {
		if path, _, _ := strings.Cut(text(attrs, key), "?"); isHealthPath(path) {
			return true
		}
	}
	return false
}

// isHealthLine recognizes the access line of a check that went well.
func isHealthLine(record plog.LogRecord) bool {
	attrs := record.Attributes()
	status := statusCode(attrs)
	return status >= 200 && status < 400 && isHealthPath(text(attrs, attrPath))
}

func isHealthPath(path string) bool {
	switch strings.TrimSuffix(path, "/") {
	case "/health", "/healthz", "/livez", "/readyz", "/health/check":
		return true
	}
	return false
}

// brokerPolling drops what Celery's Redis transport does by itself: polling queues, acknowledging, announcing itself.
// These spans stand outside any task, so they are roots. The commands below are kombu's alone; any other is recognized
// by the broker's database, which Dify uses for nothing else. The API never polls.
func brokerPolling(database int64) *rule {
	return &rule{
		name: ruleBrokerPolling, drops: dropsSpan, root: true, spanKind: ptrace.SpanKindClient, notRole: difysemconv.RoleAPI,
		span: func(span ptrace.Span) bool {
			attrs := span.Attributes()
			if text(attrs, attrDBSystem) != "redis" {
				return false
			}
			index, ok := attrs.Get("db.redis.database_index")
			return (ok && index.Type() == pcommon.ValueTypeInt && index.Int() == database) || isKombuCommand(span.Name())
		},
	}
}

func isKombuCommand(name string) bool {
	switch name {
	case "BRPOP", "ZADD HSET", "ZREM HDEL", "ZREVRANGEBYSCORE", "DEL DEL DEL DEL":
		return true
	}
	return strings.HasPrefix(name, "LLEN LLEN")
}
