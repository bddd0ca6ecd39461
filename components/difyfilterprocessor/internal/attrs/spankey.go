// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package attrs

import "go.opentelemetry.io/collector/pdata/pcommon"

// SpanKey identifies a span: a span ID alone is unique only within its trace.
type SpanKey struct {
	Trace pcommon.TraceID
	Span  pcommon.SpanID
}
