// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package spanrepair

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-dify/otelcol-dify/components/difyfilterprocessor/internal/attrs"
)

// SetEnterpriseStatus sets the status ERROR on spans of runs and nodes that failed: Dify's enterprise edition sets no
// status, but names the outcome in an attribute.
func SetEnterpriseStatus(spans ptrace.SpanSlice) {
	for _, span := range spans.All() {
		if span.Status().Code() != ptrace.StatusCodeUnset {
			continue
		}
		for _, key := range [...]string{"dify.workflow.status", "dify.node.status"} {
			switch attrs.Text(span.Attributes(), key) {
			case "failed", "exception":
				setFailed(span)
			}
		}
	}
}
