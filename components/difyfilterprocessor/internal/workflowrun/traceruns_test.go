// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package workflowrun

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// The bounds apply to hostile input.
func TestRunsOfATraceAreBounded(t *testing.T) {
	var trace traceRuns
	for i := range 2 * maxRunsPerTrace {
		trace.add(run{id: "run", root: pcommon.SpanID{byte(i + 1)}})
	}
	assert.Len(t, trace.runs, maxRunsPerTrace)
}
