// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0

package backoff

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryAfter reads the value of a Retry-After header in both of its forms, seconds (fractions included) and a date.
// It returns false if the value is missing, negative, not readable, or a date in the past. There is no upper limit:
// the caller sets one.
func RetryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if !(seconds >= 0) { // NaN too
			return 0, false
		}
		if seconds >= float64(math.MaxInt64)/float64(time.Second) {
			return math.MaxInt64, true
		}
		return time.Duration(seconds * float64(time.Second)), true
	}
	if date, err := http.ParseTime(value); err == nil && date.After(now) {
		return date.Sub(now), true
	}
	return 0, false
}
