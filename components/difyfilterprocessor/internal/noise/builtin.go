// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package noise

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/tally"
	"github.com/otelcol-dify/otelcol-dify/components/internal/difysemconv"
)

// builtinRules returns the built-in rules for spans, events and records that are enabled.
func builtinRules(set *Settings) []*rule {
	var rules []*rule
	if set.ParseError {
		rules = append(rules, textNoise(tally.RuleParseError,
			difysemconv.NoiseParseError, difysemconv.NoiseParseErrorText)...)
	}
	if set.ContextDetach {
		// OpenTelemetry for Python logs it with gevent and streaming, together with an exception about the token: a
		// ValueError, or a RuntimeError where the token was used before.
		rules = append(rules, textNoise(tally.RuleContextDetach,
			"Failed to detach context", "was created in a different Context",
			"<Token var=<ContextVar name='current_context'", "<Token used var=<ContextVar name='current_context'")...)
	}
	if set.NoScript {
		// redis-py tries EVALSHA first and sends the script if Redis does not have it yet.
		rules = append(rules, &rule{
			name: tally.RuleNoScript, drops: DropsEvent, spanNameContains: "EVALSHA", exceptionType: "NoScriptError",
		})
	}
	if set.HealthCheck {
		rules = append(rules,
			&rule{name: tally.RuleHealthCheck, drops: DropsSubtree, spanKind: ptrace.SpanKindServer, span: isHealthCheck},
			&rule{name: tally.RuleHealthCheck, drops: DropsRecord, record: isHealthLine})
	}
	if set.BrokerPolling {
		rules = append(rules, brokerPolling(int64(set.BrokerDatabase)))
	}
	return rules
}

// textNoise returns rules that drop whatever has one of the texts: an event of a span, a span that only reports the
// error (Dify up to 1.11.2 created a span log.exception for each error in its log), a log record.
func textNoise(name string, texts ...string) []*rule {
	return []*rule{
		{name: name, drops: DropsEvent, texts: texts},
		{name: name, drops: DropsSpan, texts: texts, ownText: true},
		{name: name, drops: DropsRecord, texts: texts},
	}
}

func isHealthCheck(span ptrace.Span) bool {
	attributes := span.Attributes()
	if attrs.StatusCode(attributes) >= 400 {
		return false // failed; a 4xx is not an error of the server, but for a health check it is unexpected
	}
	if method, path, ok := strings.Cut(span.Name(), " "); ok && (method == "GET" || method == "HEAD") &&
		isHealthPath(path) {
		return true
	}
	for _, key := range [...]string{attrs.HTTPRoute, attrs.OldHTTPTarget, attrs.URLPath} {
		if path, _, _ := strings.Cut(attrs.Text(attributes, key), "?"); isHealthPath(path) {
			return true
		}
	}
	return false
}

// isHealthLine recognizes the access line of a successful health check.
func isHealthLine(record plog.LogRecord) bool {
	attributes := record.Attributes()
	status := attrs.StatusCode(attributes)
	return status >= 200 && status < 400 && isHealthPath(attrs.Text(attributes, attrs.URLPath))
}

func isHealthPath(path string) bool {
	switch strings.TrimSuffix(path, "/") {
	case "/health", "/healthz", "/livez", "/readyz", "/health/check":
		return true
	}
	return false
}

// brokerPolling drops what Celery's Redis transport does on its own: it polls queues, acknowledges and announces
// itself. These spans are outside any task, so they are roots. Some commands are sent only by kombu; the others are
// recognized by the broker's database, which Dify uses for nothing else. The API never polls.
func brokerPolling(database int64) *rule {
	return &rule{
		name: tally.RuleBrokerPolling, drops: DropsSpan, root: true, spanKind: ptrace.SpanKindClient,
		notRole: difysemconv.RoleAPI,
		span: func(span ptrace.Span) bool {
			attributes := span.Attributes()
			if attrs.Text(attributes, attrs.OldDBSystem) != "redis" {
				return false
			}
			index, ok := attributes.Get("db.redis.database_index")
			return (ok && index.Type() == pcommon.ValueTypeInt && index.Int() == database) ||
				emitter.IsBrokerCommand(span.Name())
		},
	}
}
