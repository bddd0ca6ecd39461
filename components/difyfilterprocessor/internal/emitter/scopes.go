// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package emitter

import "strings"

// Names of instrumentation scopes.
const (
	ScopeInstrumentation = "opentelemetry.instrumentation."
	ScopeFlask           = ScopeInstrumentation + "flask"
	ScopeCelery          = ScopeInstrumentation + "celery"
	ScopeRedis           = ScopeInstrumentation + "redis"
	ScopeSQL             = ScopeInstrumentation + "sqlalchemy"
	ScopeResponseCount   = "http_metrics"           // Dify's own http.server.response.count
	ScopeEnterprise      = "dify.enterprise"        // Dify's enterprise edition
	ScopeLogException    = "dify.exception.logging" // logged exceptions of Dify 1.3.1 to 1.11.2
)

// IsDatabaseScope reports whether a scope is one of the two instrumentations that create most of Dify's spans. They
// write no attribute that is renamed here.
func IsDatabaseScope(scope string) bool { return scope == ScopeRedis || scope == ScopeSQL }

// IsCalls reports whether a scope is an instrumentation, whose spans describe calls and not runs.
func IsCalls(scope string) bool { return strings.HasPrefix(scope, ScopeInstrumentation) }

// IsBrokerCommand reports whether the name of a Redis span is a command that only kombu sends: Celery's transport,
// when it polls queues, acknowledges and announces itself.
func IsBrokerCommand(name string) bool {
	switch name {
	case "BRPOP", "ZADD HSET", "ZREM HDEL", "ZREVRANGEBYSCORE", "DEL DEL DEL DEL":
		return true
	}
	return strings.HasPrefix(name, "LLEN LLEN")
}
