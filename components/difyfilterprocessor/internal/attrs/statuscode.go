// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package attrs

import "go.opentelemetry.io/collector/pdata/pcommon"

// StatusCode returns the HTTP status code of a span or a data point, and 0 if it has none.
func StatusCode(attributes pcommon.Map) int64 {
	for _, key := range [...]string{HTTPStatusCode, OldHTTPStatusCode} {
		if v, ok := attributes.Get(key); ok && v.Type() == pcommon.ValueTypeInt {
			return v.Int()
		}
	}
	return 0
}
