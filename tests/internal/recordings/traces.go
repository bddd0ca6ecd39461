// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package recordings

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// TracesNow returns the export requests of the recording, moved to the present: the last span ends now.
func TracesNow(tb testing.TB) []ptrace.Traces {
	tb.Helper()
	var requests []ptrace.Traces
	last := pcommon.Timestamp(0)
	for _, line := range Lines(tb, Traces) {
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(line))
		require.NoError(tb, err)
		requests = append(requests, td)
		EachSpan(td, func(_ string, span ptrace.Span) { last = max(last, span.EndTimestamp()) })
	}
	shift := pcommon.NewTimestampFromTime(time.Now()) - last
	for _, td := range requests {
		EachSpan(td, func(_ string, span ptrace.Span) {
			span.SetStartTimestamp(span.StartTimestamp() + shift)
			span.SetEndTimestamp(span.EndTimestamp() + shift)
			for _, event := range span.Events().All() {
				event.SetTimestamp(event.Timestamp() + shift)
			}
		})
	}
	return requests
}

// EachSpan calls visit for every span of a request, with the name of its scope.
func EachSpan(td ptrace.Traces, visit func(scope string, span ptrace.Span)) {
	for _, resource := range td.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				visit(scope.Scope().Name(), span)
			}
		}
	}
}
