// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package difyfilterprocessor

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// sortScopes is for the processor behind Kafka: the exporter makes a message of each scope of a trace, in their order. So Dify's
// own work goes first, which tells the runs; then the requests and tasks that they are in; then calls, which hang on all of them.
func sortScopes(td ptrace.Traces) {
	for _, rs := range td.ResourceSpans().All() {
		rs.ScopeSpans().Sort(func(a, b ptrace.ScopeSpans) bool { return turn(a.Scope().Name()) < turn(b.Scope().Name()) })
	}
}

func turn(scope string) int {
	switch {
	case scope == scopeFlask, scope == scopeCelery:
		return 1
	case strings.HasPrefix(scope, scopeInstrumentation):
		return 2
	default:
		return 0
	}
}
