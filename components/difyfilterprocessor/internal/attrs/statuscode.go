// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package attrs

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// ReadStatusCode makes a status code that is a text, or a double, an integer. It returns false for any other value.
func ReadStatusCode(v pcommon.Value) (int64, bool) {
	switch v.Type() {
	case pcommon.ValueTypeInt:
		return v.Int(), true
	case pcommon.ValueTypeDouble:
		code := v.Double()
		return int64(code), code >= 100 && code < 1000 && code == float64(int64(code))
	case pcommon.ValueTypeStr:
		code, err := strconv.ParseInt(v.Str(), 10, 64)
		return code, err == nil && code >= 100 && code < 1000
	default:
		return 0, false
	}
}

// StatusCode returns the HTTP status code of a span or a data point, and 0 if it has none.
func StatusCode(attributes pcommon.Map) int64 {
	for _, key := range [...]string{HTTPStatusCode, OldHTTPStatusCode} {
		if v, ok := attributes.Get(key); ok {
			if code, ok := ReadStatusCode(v); ok {
				return code
			}
		}
	}
	return 0
}
