// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/emitter"
)

// sortScopes orders the scopes for a processor that follows Kafka: the Kafka exporter writes one message for each
// scope of a trace, in this order. Dify's own spans come first, since they carry the runs; then the requests and tasks
// around the runs; then calls, which descend from all of them.
func sortScopes(b *traceBatch) {
	for _, rs := range b.td.ResourceSpans().All() {
		rs.ScopeSpans().
			Sort(func(a, b ptrace.ScopeSpans) bool { return scopeRank(a.Scope().Name()) < scopeRank(b.Scope().Name()) })
	}
}

func scopeRank(scope string) int {
	switch {
	case scope == emitter.ScopeFlask, scope == emitter.ScopeCelery:
		return 1
	case strings.HasPrefix(scope, emitter.ScopeInstrumentation):
		return 2
	default:
		return 0
	}
}
